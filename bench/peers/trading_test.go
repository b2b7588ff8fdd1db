package peers

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	stock "github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/binance/binancesim"
)

// trader is the stock client of one account, with all that it has been told.
type trader struct {
	t        *testing.T
	sim      *binancesim.Sim
	c        *stock.Client
	answered []int64 // trade ids in the answers to orders

	mu     sync.Mutex
	orders map[int64]stock.WsOrderUpdate // the last of each
	trades map[int64]stock.WsOrderUpdate
	funds  map[string]stock.WsAccountUpdate
	faults []error
}

// trade opens a simulator with an account whose key is of a kind of the stock client's, and the client of it.
func trade(t *testing.T, kind string) *trader {
	a := binancesim.Account{Key: "stock", Secret: []byte("a secret"), Maker: 10 * fixed.Bps, Taker: 10 * fixed.Bps,
		Funds: []binancesim.Funds{{Asset: "USDT", Free: 100_000 * 1e8}, {Asset: "BTC", Free: 5 * 1e8}}}
	secret := string(a.Secret)
	if kind == common.KeyTypeEd25519 {
		public, private, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		der, err := x509.MarshalPKCS8PrivateKey(private)
		require.NoError(t, err)
		a.Secret, a.Public = nil, public
		secret = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	r := &trader{t: t, sim: open(t, a), c: stock.NewClient(a.Key, secret), orders: map[int64]stock.WsOrderUpdate{}, trades: map[int64]stock.WsOrderUpdate{},
		funds: map[string]stock.WsAccountUpdate{}}
	r.c.BaseURL, r.c.KeyType = "http://"+r.sim.Addr(), kind
	return r
}

// listen opens the account's stream by the signature subscription.
func (r *trader) listen() {
	_, stop, err := stock.WsUserDataServeSignature(r.c.APIKey, r.c.SecretKey, r.c.KeyType, 0, r.hear, func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.faults = append(r.faults, err)
	})
	require.NoError(r.t, err)
	r.t.Cleanup(func() { close(stop) }) // the client looks at it when the simulator, which ends after this, cuts it off
	// It keeps the answer to its subscription to itself: the stream is there when it tells of an order.
	require.Eventually(r.t, func() bool {
		o := r.limit(stock.SideTypeBuy, "50000", "0.001", stock.TimeInForceTypeIOC)
		return r.told(o.OrderID, stock.OrderStatusTypeExpired)
	}, patience, 20*time.Millisecond)
}

func (r *trader) hear(e *stock.WsUserDataEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Event {
	case stock.UserDataEventTypeExecutionReport:
		r.orders[e.OrderUpdate.Id] = e.OrderUpdate
		if e.OrderUpdate.ExecutionType == "TRADE" {
			r.trades[e.OrderUpdate.TradeId] = e.OrderUpdate
		}
	case stock.UserDataEventTypeOutboundAccountPosition:
		for _, f := range e.AccountUpdate.WsAccountUpdates {
			r.funds[f.Asset] = f
		}
	default:
		r.faults = append(r.faults, fmt.Errorf("event %q", e.Event))
	}
}

// told reports whether the stream's last word on an order is a status.
func (r *trader) told(id int64, status stock.OrderStatusType) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.orders[id].Status == string(status)
}

// order sends one that must be accepted and notes its trades.
func (r *trader) order(s *stock.CreateOrderService) *stock.CreateOrderResponse {
	o, err := s.Do(r.t.Context())
	require.NoError(r.t, err)
	r.note(o)
	return o
}

// note requires that an answer's fills sum up to what it says was executed.
func (r *trader) note(o *stock.CreateOrderResponse) {
	qty, quote := decimal.Zero, decimal.Zero
	for _, f := range o.Fills {
		q := decimal.RequireFromString(f.Quantity)
		qty, quote = qty.Add(q), quote.Add(q.Mul(decimal.RequireFromString(f.Price)))
		r.answered = append(r.answered, f.TradeID)
	}
	require.Equal(r.t, plain(o.ExecutedQuantity), qty.String())
	require.Equal(r.t, plain(o.CummulativeQuoteQuantity), quote.String())
}

func (r *trader) create(side stock.SideType, kind stock.OrderType) *stock.CreateOrderService {
	return r.c.NewCreateOrderService().Symbol("BTCUSDT").Side(side).Type(kind)
}

func (r *trader) limit(side stock.SideType, price, qty string, tif stock.TimeInForceType) *stock.CreateOrderResponse {
	return r.order(r.create(side, stock.OrderTypeLimit).Price(price).Quantity(qty).TimeInForce(tif))
}

// beyond is the best price of a side, so many ticks away from it.
func (r *trader) beyond(side venue.Side, ticks fixed.Price) string {
	return number(int64(r.sim.Touch("BTCUSDT", side).Price+ticks), priceScale)
}

func (r *trader) open() []*stock.Order {
	list, err := r.c.NewListOpenOrdersService().Symbol("BTCUSDT").Do(r.t.Context())
	require.NoError(r.t, err)
	return list
}

// state is an order as the venue answers a query for it.
func (r *trader) state(id int64) *stock.Order {
	o, err := r.c.NewGetOrderService().Symbol("BTCUSDT").OrderID(id).Do(r.t.Context())
	require.NoError(r.t, err)
	return o
}

func (r *trader) balances() map[string]string {
	a, err := r.c.NewGetAccountService().Do(r.t.Context())
	require.NoError(r.t, err)
	out := map[string]string{}
	for _, b := range a.Balances {
		out[b.Asset] = plain(b.Free) + " + " + plain(b.Locked)
	}
	return out
}

func TestBinance_aStockClientTradesAndSeesTheSimulatorsOwnBooks(t *testing.T) {
	for _, kind := range []string{common.KeyTypeHmac, common.KeyTypeEd25519} {
		t.Run(kind, func(t *testing.T) {
			r := trade(t, kind)
			r.listen()
			rests(r)
			takes(r)
			replaces(r)
			replacesNothing(r)
			overSocket(r)
			makes(r)
			require.Positive(t, r.c.UsedWeight.Used1M)
			require.Positive(t, r.c.OrderCount.Count1d)
			agrees(r)
		})
	}
}

// rests has an order stand, be found, and be cancelled.
func rests(r *trader) {
	o := r.limit(stock.SideTypeBuy, "50000", "0.001", stock.TimeInForceTypeGTC)
	require.Equal(r.t, stock.OrderStatusTypeNew, o.Status)
	require.Equal(r.t, stock.OrderStatusTypeNew, r.state(o.OrderID).Status)
	list := r.open()
	require.Len(r.t, list, 1)
	require.Equal(r.t, o.ClientOrderID, list[0].ClientOrderID)
	require.True(r.t, list[0].IsWorking)
	require.Equal(r.t, "99950 + 50", r.balances()["USDT"])
	gone, err := r.c.NewCancelOrderService().Symbol("BTCUSDT").OrigClientOrderID(o.ClientOrderID).Do(r.t.Context())
	require.NoError(r.t, err)
	require.Equal(r.t, []any{o.OrderID, o.ClientOrderID, stock.OrderStatusTypeCanceled}, []any{gone.OrderID, gone.OrigClientOrderID, gone.Status})
	require.Equal(r.t, stock.OrderStatusTypeCanceled, r.state(o.OrderID).Status)
	require.Empty(r.t, r.open())
	require.Equal(r.t, "100000 + 0", r.balances()["USDT"])
}

// takes trades at once: a limit order, and at the market by quantity and by amount, in both directions.
func takes(r *trader) {
	o := r.limit(stock.SideTypeBuy, r.beyond(venue.Sell, 5000), "0.001", stock.TimeInForceTypeIOC)
	require.Equal(r.t, stock.OrderStatusTypeFilled, o.Status)
	for _, side := range []stock.SideType{stock.SideTypeBuy, stock.SideTypeSell} {
		o := r.order(r.create(side, stock.OrderTypeMarket).Quantity("0.0025"))
		require.Equal(r.t, stock.OrderStatusTypeFilled, o.Status)
		require.Equal(r.t, []string{"0", "0.0025"}, []string{plain(o.Price), plain(o.ExecutedQuantity)})
		o = r.order(r.create(side, stock.OrderTypeMarket).QuoteOrderQty("100"))
		require.Equal(r.t, stock.OrderStatusTypeFilled, o.Status)
		require.Equal(r.t, "100", plain(o.OrigQuoteOrderQuantity))
		spent := decimal.RequireFromString(o.CummulativeQuoteQuantity)
		require.True(r.t, spent.LessThanOrEqual(decimal.New(100, 0)) && spent.GreaterThan(decimal.New(90, 0)), "whole lots of 6 USDT each come to %s of 100", spent)
	}
}

// replaces cancels one order for another in one request, then all.
func replaces(r *trader) {
	old := r.limit(stock.SideTypeBuy, "50000", "0.001", stock.TimeInForceTypeGTC)
	both, err := r.c.NewCancelReplaceOrderService().Symbol("BTCUSDT").Side(stock.SideTypeBuy).Type(stock.OrderTypeLimit).TimeInForce(stock.TimeInForceTypeGTC).
		CancelReplaceMode(stock.CancelReplaceModeStopOnFailure).CancelOrderID(old.OrderID).Price("50001").Quantity("0.002").Do(r.t.Context())
	require.NoError(r.t, err)
	require.Equal(r.t, []string{"SUCCESS", "SUCCESS"}, []string{both.CancelResult, both.NewOrderResult})
	require.Equal(r.t, old.OrderID, both.CancelResponse.OrderID)
	list := r.open()
	require.Len(r.t, list, 1)
	require.Equal(r.t, both.NewOrderResponse.OrderID, list[0].OrderID)
	require.Equal(r.t, []string{"50001", "0.002"}, []string{plain(list[0].Price), plain(list[0].OrigQuantity)})
	gone, err := r.c.NewCancelOpenOrdersService().Symbol("BTCUSDT").Do(r.t.Context())
	require.NoError(r.t, err)
	require.Len(r.t, gone.Orders, 1)
	require.Equal(r.t, list[0].OrderID, gone.Orders[0].OrderID)
	require.Empty(r.t, r.open())
}

// replacesNothing has the new order placed although there is nothing to cancel, where the client allows for that.
func replacesNothing(r *trader) {
	_, err := r.c.NewCancelReplaceOrderService().Symbol("BTCUSDT").Side(stock.SideTypeBuy).Type(stock.OrderTypeLimit).TimeInForce(stock.TimeInForceTypeGTC).
		CancelReplaceMode(stock.CancelReplaceModeAllowFailure).CancelOrderID(7_777).NewClientOrderID("anyway").Price("50001").Quantity("0.002").Do(r.t.Context())
	e := new(common.APIError)
	require.ErrorAs(r.t, err, &e)
	require.EqualValues(r.t, -2021, e.Code)
	list := r.open()
	require.Len(r.t, list, 1)
	require.Equal(r.t, "anyway", list[0].ClientOrderID)
	_, err = r.c.NewCancelOrderService().Symbol("BTCUSDT").OrigClientOrderID("anyway").Do(r.t.Context())
	require.NoError(r.t, err)
}

// overSocket places by the WebSocket API.
func overSocket(r *trader) {
	ws, err := stock.NewOrderCreateWsService(r.c.APIKey, r.c.SecretKey)
	require.NoError(r.t, err)
	ws.KeyType = r.c.KeyType
	ask := stock.NewOrderCreateWsRequest().Symbol("BTCUSDT").Side(stock.SideTypeSell).Type(stock.OrderTypeLimit).TimeInForce(stock.TimeInForceTypeGTC).
		Price("70000").Quantity("0.001").NewOrderRespType(stock.NewOrderRespTypeFULL)
	got, err := ws.SyncDo("one", ask)
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusOK, got.Status)
	list := r.open()
	require.Len(r.t, list, 1)
	require.Equal(r.t, got.Result.OrderID, list[0].OrderID)
	got, err = ws.SyncDo("two", ask.Price("70000.001"))
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusBadRequest, got.Status)
	require.EqualValues(r.t, -1013, got.Error.Code)
}

// makes rests inside the spread until the market takes it, of which the stream alone tells.
func makes(r *trader) {
	var last int64
	require.Eventually(r.t, func() bool {
		if last != 0 && r.told(last, stock.OrderStatusTypeFilled) {
			return true
		}
		o, err := r.create(stock.SideTypeSell, stock.OrderTypeLimitMaker).Price(r.beyond(venue.Sell, -1)).Quantity("0.0002").NewOrderRespType(stock.NewOrderRespTypeFULL).
			Do(r.t.Context())
		if e := new(common.APIError); err != nil {
			require.ErrorAs(r.t, err, &e)
			require.EqualValues(r.t, -2010, e.Code, "the market may have moved to the price in between")
			return false
		}
		last = o.OrderID
		return false
	}, patience, 250*time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.True(r.t, r.orders[last].IsMaker)
}

// agrees requires that queries, stream and answers say of every order, trade and balance what the simulator has booked.
func agrees(r *trader) {
	swept := r.limit(stock.SideTypeBuy, "50000", "0.001", stock.TimeInForceTypeGTC).OrderID // the newest is swept last
	_, err := r.c.NewCancelOpenOrdersService().Symbol("BTCUSDT").Do(r.t.Context())
	require.NoError(r.t, err)
	truth := map[int64]binancesim.OrderState{}
	var executed []int64
	for _, o := range r.sim.Orders(r.c.APIKey) {
		truth[int64(o.ID)] = o
		for _, id := range o.Trades {
			executed = append(executed, int64(id))
		}
	}
	require.Greater(r.t, len(truth), 10)
	list, err := r.c.NewListOrdersService().Symbol("BTCUSDT").Do(r.t.Context())
	require.NoError(r.t, err)
	require.Len(r.t, list, len(truth))
	for _, o := range list {
		x := truth[o.OrderID]
		require.Equal(r.t, []string{x.Client, x.Status, x.Side.String(), number(int64(x.Price), priceScale), number(int64(x.Qty), qtyScale), number(int64(x.Cum), qtyScale)},
			[]string{o.ClientOrderID, string(o.Status), map[stock.SideType]string{"BUY": "buy", "SELL": "sell"}[o.Side], plain(o.Price), plain(o.OrigQuantity), plain(o.ExecutedQuantity)})
	}
	trades, err := r.c.NewListTradesService().Symbol("BTCUSDT").Do(r.t.Context())
	require.NoError(r.t, err)
	var listed []int64
	for _, x := range trades {
		listed = append(listed, x.ID)
	}
	require.ElementsMatch(r.t, executed, listed)
	require.Subset(r.t, executed, r.answered)
	funds := map[string]string{}
	for _, f := range r.sim.Balances(r.c.APIKey) {
		funds[f.Asset] = number(int64(f.Free), fixed.CashScale) + " + " + number(int64(f.Locked), fixed.CashScale)
	}
	require.Equal(r.t, funds, r.balances())
	require.Eventually(r.t, func() bool { return r.told(swept, stock.OrderStatusTypeCanceled) }, patience, time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(r.t, r.faults)
	require.ElementsMatch(r.t, executed, slices.Collect(maps.Keys(r.trades)), "the stream told of every trade")
	for id, o := range r.orders {
		x := truth[id]
		require.Equal(r.t, []string{x.Status, number(int64(x.Cum), qtyScale)}, []string{o.Status, plain(o.FilledVolume)}, strconv.FormatInt(id, 10))
	}
	for asset, f := range r.funds {
		require.Equal(r.t, funds[asset], plain(f.Free)+" + "+plain(f.Locked))
	}
}

func TestBinance_aStockClientIsRefusedInTheVenuesWords(t *testing.T) {
	r := trade(t, common.KeyTypeHmac)
	limit := func(price, qty string) *stock.CreateOrderService {
		return r.create(stock.SideTypeBuy, stock.OrderTypeLimit).TimeInForce(stock.TimeInForceTypeGTC).Price(price).Quantity(qty)
	}
	do := func(s *stock.CreateOrderService) func(*stock.Client) error {
		return func(*stock.Client) error { _, err := s.Do(t.Context()); return err }
	}
	account := func(change func(*stock.Client)) func(*stock.Client) error {
		return func(c *stock.Client) error {
			change(c)
			_, err := c.NewGetAccountService().Do(t.Context())
			return err
		}
	}
	twice := func(*stock.Client) error {
		r.order(limit("50000", "0.001").NewClientOrderID("twice"))
		_, err := limit("50000", "0.001").NewClientOrderID("twice").Do(t.Context())
		return err
	}
	for name, c := range map[string]struct {
		code int64
		msg  string
		ask  func(*stock.Client) error
	}{
		"wrong secret":         {-1022, "Signature for this request is not valid.", account(func(c *stock.Client) { c.SecretKey = "another" })},
		"unknown key":          {-2015, "Invalid API-key, IP, or permissions for action.", account(func(c *stock.Client) { c.APIKey = "nobody" })},
		"no key":               {-2014, "API-key format invalid.", account(func(c *stock.Client) { c.APIKey = "" })},
		"late":                 {-1021, "Timestamp for this request is outside of the recvWindow.", account(func(c *stock.Client) { c.TimeOffset = 6000 })},
		"early":                {-1021, "Timestamp for this request was 1000ms ahead of the server's time.", account(func(c *stock.Client) { c.TimeOffset = -6000 })},
		"off tick":             {-1013, "Filter failure: PRICE_FILTER", do(limit("50000.001", "0.001"))},
		"off lot":              {-1013, "Filter failure: LOT_SIZE", do(limit("50000", "0.00101"))},
		"too little":           {-1013, "Filter failure: NOTIONAL", do(limit("50000", "0.0001").Price("49999"))},
		"too far":              {-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", do(limit("1000", "0.01"))},
		"too precise":          {-1111, "Parameter 'price' has too much precision.", do(limit("50000.123456789", "0.001"))},
		"no such symbol":       {-1121, "Invalid symbol.", do(limit("50000", "0.001").Symbol("NONEUSDT"))},
		"too poor":             {-2010, "Account has insufficient balance for requested action.", do(limit("50000", "10"))},
		"too poor for market":  {-2010, "Account has insufficient balance for requested action.", do(r.create(stock.SideTypeSell, stock.OrderTypeMarket).Quantity("6"))},
		"id used twice":        {-2010, "Duplicate order sent.", twice},
		"limit without price":  {-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.", do(r.create(stock.SideTypeBuy, stock.OrderTypeLimit).TimeInForce("GTC").Quantity("1"))},
		"market with a price":  {-1106, "Parameter 'price' sent when not required.", do(r.create(stock.SideTypeBuy, stock.OrderTypeMarket).Quantity("1").Price("1"))},
		"limit with an amount": {-1106, "Parameter 'quoteOrderQty' sent when not required.", do(limit("50000", "0.001").QuoteOrderQty("50"))},
		"market of nothing":    {-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!", do(r.create(stock.SideTypeBuy, stock.OrderTypeMarket))},
		"cancel of nothing": {-2011, "Unknown order sent.", func(c *stock.Client) error {
			_, err := c.NewCancelOrderService().Symbol("BTCUSDT").OrderID(77).Do(t.Context())
			return err
		}},
		"query of nothing": {-2013, "Order does not exist.", func(c *stock.Client) error {
			_, err := c.NewGetOrderService().Symbol("BTCUSDT").OrderID(77).Do(t.Context())
			return err
		}},
		"replacement of nothing": {-2022, "Order cancel-replace failed.", func(c *stock.Client) error {
			_, err := c.NewCancelReplaceOrderService().Symbol("BTCUSDT").Side(stock.SideTypeBuy).Type(stock.OrderTypeLimit).TimeInForce(stock.TimeInForceTypeGTC).
				CancelReplaceMode(stock.CancelReplaceModeStopOnFailure).CancelOrderID(77).Price("50000").Quantity("0.001").Do(t.Context())
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			client := *r.c
			e := new(common.APIError)
			require.ErrorAs(t, c.ask(&client), &e)
			require.Equal(t, c.code, e.Code, e.Message)
			require.Equal(t, c.msg, e.Message)
		})
	}
	require.Len(t, r.sim.Orders(r.c.APIKey), 1, "what was refused is nowhere")
}

func TestBinance_aStockClientExhaustsItsOrders(t *testing.T) {
	r := trade(t, common.KeyTypeHmac)
	var err error
	for n := 0; err == nil && n < 101; n++ { // 50 of each window, of which there may be two
		_, err = r.create(stock.SideTypeBuy, stock.OrderTypeLimit).TimeInForce(stock.TimeInForceTypeGTC).Price("50000").Quantity("0.0001").Do(t.Context())
	}
	e := new(common.APIError)
	require.ErrorAs(t, err, &e)
	require.EqualValues(t, -1015, e.Code)
	require.Equal(t, "Too many new orders; current limit is 50 orders per 10 SECOND.", e.Message)
}

func TestBinance_aStockClientFindsNoListenKey(t *testing.T) {
	r := trade(t, common.KeyTypeHmac)
	_, started := r.c.NewStartUserStreamService().Do(t.Context())
	for _, err := range []error{started, r.c.NewKeepaliveUserStreamService().ListenKey("key").Do(t.Context()), r.c.NewCloseUserStreamService().ListenKey("key").Do(t.Context())} {
		e := new(common.APIError)
		require.ErrorAs(t, err, &e)
		require.Contains(t, string(e.Response), "410 Gone")
	}
	answer, err := http.Post(r.c.BaseURL+"/api/v3/userDataStream", "", nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusGone, answer.StatusCode)
}
