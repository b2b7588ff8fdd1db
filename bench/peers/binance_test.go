package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	stock "github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"
	"github.com/gorilla/websocket"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

const (
	priceScale, qtyScale = 2, 5
	patience             = 20 * time.Second
)

// symbols of the simulator, by Inst less one.
var symbols = []string{"BTCUSDT", "ETHUSDT"}

// said is one message in a form that does not depend on who read it.
type said struct {
	symbol string
	id     int64
	text   string
}

// start runs a simulator and points the stock client at it.
func start(t *testing.T) (address string, client *stock.Client) {
	sim := open(t)
	client = stock.NewClient("", "")
	client.BaseURL = "http://" + sim.Addr()
	return sim.Addr(), client
}

// open runs a simulator where these may trade, and points the stock client's streams at it.
func open(t *testing.T, may ...binancesim.Account) *binancesim.Sim {
	var pairs []venuesim.PairConfig
	for i, s := range symbols {
		pairs = append(pairs, venuesim.PairConfig{Symbol: s, Fair: venuesim.NewFair(uint64(i)+7, 6_000_000, 300), FairScale: 2, PriceScale: priceScale, QtyScale: qtyScale,
			Tick: 1, Lot: 10, HalfSpread: 5, Levels: 30, Size: 100})
	}
	sim, err := binancesim.New(binancesim.Config{Net: &wire.Machine{}, Clock: wire.NewClock(false), Faults: venuesim.NewFaults(1, venuesim.Rates{}), Address: "127.0.0.1:0",
		Seed: 7, ActsPerMs: 500, DepthEvery: 20 * venue.Millisecond, Pairs: pairs, Accounts: may})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	stock.BaseWsMainURL = "ws://" + sim.Addr() + "/ws"
	stock.BaseCombinedMainURL = "ws://" + sim.Addr() + "/stream?streams="
	stock.BaseWsApiMainURL = "ws://" + sim.Addr() + "/ws-api/v3"
	return sim
}

func decoder() wire.Decoder {
	var ins []*venue.Instrument
	for i, s := range symbols {
		ins = append(ins, &venue.Instrument{Inst: venue.Inst(i + 1), Venue: 1, Symbol: s, PriceScale: priceScale, QtyScale: qtyScale, PriceText: 8, QtyText: 8,
			Tick: 1, Lot: 1, Multiplier: fixed.One, Chain: venue.ChainRange})
	}
	return binance.Spot.Decoder(1, ins)
}

func number(v int64, scale int32) string { return decimal.New(v, -scale).String() }
func plain(text string) string           { return decimal.RequireFromString(text).String() }

// levels is a side as the stock client has it.
func levels(side []common.PriceLevel) string {
	var b strings.Builder
	for _, l := range side {
		fmt.Fprintf(&b, " %s×%s", plain(l.Price), plain(l.Quantity))
	}
	return b.String()
}

// ours are the messages in a decoder's records; a snapshot in parts is one message.
func ours(evs []venue.Event) (out []said) {
	var bids, asks string
	for i := range evs {
		switch e := &evs[i]; e.Kind {
		case venue.Head:
			if e.Flags&venue.Snapshot == 0 || e.First() == 0 {
				bids, asks = "", ""
				out = append(out, said{symbol: symbols[e.Inst-1], id: int64(e.Seq)})
			}
		case venue.Levels:
			side := &bids
			if e.Flags&venue.Asks != 0 {
				side = &asks
			}
			for n := range e.N {
				*side += " " + number(int64(e.Level(n).Price), priceScale) + "×" + number(int64(e.Level(n).Qty), qtyScale)
			}
			out[len(out)-1].text = "bids" + bids + " asks" + asks
		case venue.Touch:
			out = append(out, said{symbols[e.Inst-1], int64(e.Seq), fmt.Sprintf("touch %s×%s %s×%s", number(e.W[0], priceScale), number(e.W[1], qtyScale),
				number(e.W[2], priceScale), number(e.W[3], qtyScale))})
		case venue.Trade:
			out = append(out, said{symbols[e.Inst-1], int64(e.Seq), fmt.Sprintf("trade %s×%s taker bought %t at %d", number(e.W[0], priceScale), number(e.W[1], qtyScale),
				e.Flags&venue.Bids != 0, e.W[5]/int64(venue.Millisecond))})
		}
	}
	return out
}

// read follows a stream URL with our decoder until the test ends.
func read(t *testing.T, url string) <-chan said {
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	require.NoError(t, err)
	out, done, d := make(chan said, 1024), make(chan struct{}), decoder()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		defer close(out)
		for {
			_, msg, err := conn.ReadMessage()
			if err != nil {
				return
			}
			evs, why := d.Decode(1, append(make([]byte, 0, len(msg)+wire.Slack), msg...))
			if why != venue.OK {
				out <- said{text: "our decoder says " + why.String() + " to " + string(msg)}
				return
			}
			for _, s := range ours(evs) {
				out <- s
			}
		}
	}()
	return out
}

// same requires that both read the same messages, so many of each symbol.
func same(t *testing.T, theirs, ours <-chan said, of []string, least int) {
	t.Helper()
	var waiting [2]map[string]string
	waiting[0], waiting[1] = map[string]string{}, map[string]string{}
	met := map[string]int{}
	deadline := time.After(patience)
	for done := false; !done; {
		var s said
		var from int
		select {
		case s = <-theirs:
		case s = <-ours:
			from = 1
		case <-deadline:
			require.Fail(t, "too few messages in time", "met %v; waiting %d and %d", met, len(waiting[0]), len(waiting[1]))
		}
		require.NotEmpty(t, s.symbol, s.text)
		key := fmt.Sprint(s.symbol, s.id)
		if other, ok := waiting[1-from][key]; ok {
			require.Equal(t, other, s.text, key)
			delete(waiting[1-from], key)
			met[s.symbol]++
		} else {
			waiting[from][key] = s.text
		}
		done = true
		for _, symbol := range of {
			done = done && met[symbol] >= least
		}
	}
}

// serve is a stock stream under way: done and stop channels, or why not.
type serve func(tell func(said), fault stock.ErrHandler) (done, stop chan struct{}, err error)

func depthHandler(tell func(said)) stock.WsDepthHandler {
	return func(e *stock.WsDepthEvent) {
		tell(said{e.Symbol, e.LastUpdateID, "bids" + levels(e.Bids) + " asks" + levels(e.Asks)})
	}
}

func tradeText(e *stock.WsTradeEvent) said {
	return said{e.Symbol, e.TradeID, fmt.Sprintf("trade %s×%s taker bought %t at %d", plain(e.Price), plain(e.Quantity), !e.IsBuyerMaker, e.TradeTime)}
}

func touchHandler(tell func(said)) stock.WsBookTickerHandler {
	return func(e *stock.WsBookTickerEvent) {
		tell(said{e.Symbol, e.UpdateID, fmt.Sprintf("touch %s×%s %s×%s", plain(e.BestBidPrice), plain(e.BestBidQty), plain(e.BestAskPrice), plain(e.BestAskQty))})
	}
}

func TestBinance_aStockClientReadsTheStreamsAsOurDecoderDoes(t *testing.T) {
	address, _ := start(t)
	one := symbols[:1]
	for name, c := range map[string]struct {
		path    string
		symbols []string
		serve   serve
	}{
		"depth": {"/ws/btcusdt@depth@100ms", one, func(tell func(said), fault stock.ErrHandler) (done, stop chan struct{}, err error) {
			return stock.WsDepthServe100Ms("BTCUSDT", depthHandler(tell), fault)
		}},
		"combined depth": {"/stream?streams=btcusdt@depth@100ms/ethusdt@depth@100ms", symbols, func(tell func(said), fault stock.ErrHandler) (done, stop chan struct{}, err error) {
			return stock.WsCombinedDepthServe100Ms(symbols, depthHandler(tell), fault)
		}},
		"trade": {"/ws/btcusdt@trade", one, func(tell func(said), fault stock.ErrHandler) (done, stop chan struct{}, err error) {
			return stock.WsTradeServe("BTCUSDT", func(e *stock.WsTradeEvent) { tell(tradeText(e)) }, fault)
		}},
		"combined trade": {"/stream?streams=btcusdt@trade/ethusdt@trade", symbols, func(tell func(said), fault stock.ErrHandler) (done, stop chan struct{}, err error) {
			return stock.WsCombinedTradeServe(symbols, func(e *stock.WsCombinedTradeEvent) { tell(tradeText(&e.Data)) }, fault)
		}},
		"touch": {"/ws/btcusdt@bookTicker", one, func(tell func(said), fault stock.ErrHandler) (done, stop chan struct{}, err error) {
			return stock.WsBookTickerServe("BTCUSDT", touchHandler(tell), fault)
		}},
		"combined touch": {"/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker", symbols, func(tell func(said), fault stock.ErrHandler) (done, stop chan struct{}, err error) {
			return stock.WsCombinedBookTickerServe(symbols, touchHandler(tell), fault)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := make(chan said, 4096)
			tell := func(s said) { theirs <- s }
			done, stop, err := c.serve(tell, func(err error) { tell(said{text: "the stock client says " + err.Error()}) })
			require.NoError(t, err)
			t.Cleanup(func() {
				close(stop)
				<-done
			})
			same(t, theirs, read(t, "ws://"+address+c.path), c.symbols, 30)
		})
	}
}

func TestBinance_aStockClientReadsTheBookAsOurDecoderDoes(t *testing.T) {
	address, client := start(t)
	require.Eventually(t, func() bool {
		theirs, err := client.NewDepthService().Symbol("BTCUSDT").Limit(100).Do(t.Context())
		require.NoError(t, err)
		url := "http://" + address + "/api/v3/depth?symbol=BTCUSDT&limit=100"
		resp, err := http.Get(url)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		evs, why := decoder().Rest(1, url, append(make([]byte, 0, len(body)+wire.Slack), body...))
		require.Equal(t, venue.OK, why)
		got := ours(evs)
		require.Len(t, got, 1)
		if got[0].id != theirs.LastUpdateID {
			return false // the market moved in between
		}
		require.GreaterOrEqual(t, len(theirs.Bids), 10)
		require.GreaterOrEqual(t, len(theirs.Asks), 10)
		require.Equal(t, "bids"+levels(theirs.Bids)+" asks"+levels(theirs.Asks), got[0].text)
		require.Positive(t, client.UsedWeight.Used1M, "each answer says the spent weight")
		return true
	}, patience, time.Millisecond)
}

func TestBinance_aStockClientReadsTheInstrumentsAsOurDiscovererDoes(t *testing.T) {
	_, client := start(t)
	theirs, err := client.NewExchangeInfoService().Do(t.Context())
	require.NoError(t, err)
	text, err := json.Marshal(theirs) // what the client kept is enough for us
	require.NoError(t, err)
	d := binance.Spot.Discover()
	d.Line("rest", "/api/v3/exchangeInfo", text)
	for _, s := range symbols { // a listing without data is not followed
		d.Line("ws", "", fmt.Appendf(nil, `{"u":1,"s":%q,"b":"1.00","B":"1.00000","a":"2.00","A":"1.00000"}`, s))
	}
	listings := d.Listings()
	require.Len(t, listings, len(symbols))
	require.Len(t, theirs.Symbols, len(symbols))
	for i := range theirs.Symbols {
		s, l := &theirs.Symbols[i], listings[i]
		price, lot, notional := s.PriceFilter(), s.LotSizeFilter(), s.NotionalFilter()
		require.Equal(t, []string{s.Symbol, s.BaseAsset, s.QuoteAsset}, []string{l.Symbol, l.Base, l.Quote})
		require.Equal(t, []string{"0.01", "0.0001", "0.0001", "5"}, []string{plain(price.TickSize), plain(lot.StepSize), plain(lot.MinQuantity), plain(notional.MinNotional)})
		require.Equal(t, []string{"0.01", "0.0001", "0.0001", "5"}, []string{l.Tick, l.Lot, l.MinQty, l.MinNotional})
		require.Equal(t, plain(lot.MaxQuantity), l.MaxQty)
		require.Equal(t, venue.Trading, l.Status)
		require.Equal(t, "TRADING", s.Status)
	}
	only, err := client.NewExchangeInfoService().Symbol("ETHUSDT").Do(t.Context())
	require.NoError(t, err)
	require.Len(t, only.Symbols, 1)
	require.Equal(t, "ETH", only.Symbols[0].BaseAsset)
	require.EqualValues(t, 6000, only.RateLimits[0].Limit)
}

func TestBinance_aStockClientUnderstandsTheRefusals(t *testing.T) {
	_, client := start(t)
	for code, ask := range map[int64]func() error{
		-1121: func() error { _, err := client.NewDepthService().Symbol("NONE").Do(t.Context()); return err },
		-1130: func() error {
			_, err := client.NewDepthService().Symbol("BTCUSDT").Limit(9999).Do(t.Context())
			return err
		},
	} {
		var e *common.APIError
		require.ErrorAs(t, ask(), &e)
		require.Equal(t, code, e.Code)
	}
}
