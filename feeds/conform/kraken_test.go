package conform_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/conform"
	"oneprice/feeds/kraken"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

var krakenSpot = conform.Venue{Adapter: &kraken.Adapter, Pairs: pairs("BTC/USD", "ETH/USD", venuesim.PairConfig{PriceScale: 1, QtyScale: 8, Tick: 1, Lot: 1000, HalfSpread: 2}),
	Open: openKraken}

type atKraken struct {
	*krakensim.Sim
	login conform.Login
	clock *wire.Clock
}

func openKraken(tb testing.TB, o conform.Opening) conform.Sim {
	text := func() string {
		raw := make([]byte, 64)
		rand.Read(raw) // never fails
		return base64.StdEncoding.EncodeToString(raw)
	}
	secret := text()
	a := krakensim.AccountConfig{Key: keyID, Secret: secret, Tier: int(kraken.Pro), Maker: fixed.Decimal(o.Maker, fixed.RateScale), Taker: fixed.Decimal(o.Taker, fixed.RateScale),
		Balances: map[string]decimal.Decimal{}}
	for _, m := range o.Funds {
		a.Balances[m.Currency] = fixed.Decimal(m.Amount, fixed.CashScale)
	}
	s, err := krakensim.New(krakensim.Config{Net: o.Net, Clock: o.Clock, Faults: o.Faults, Address: "127.0.0.1:0", Seed: 7, Pairs: o.Pairs, ActsPerMs: o.Acts,
		Accounts: []krakensim.AccountConfig{a}})
	require.NoError(tb, err)
	return &atKraken{s, conform.Login{WS: s.PrivateWS(), REST: "http://" + s.Addr(), Tier: kraken.Pro.String(), Key: sign.SecretOf("a card", []byte(keyID)),
		Secret: sign.SecretOf("a card", []byte(secret)), Wrong: sign.SecretOf("a card", []byte(text()))}, o.Clock}
}

func (s *atKraken) Login() conform.Login { return s.login }

func (s *atKraken) Touch(side venue.Side) venue.Level {
	return s.Sim.Touch("BTC/USD", side)
}

func (s *atKraken) Orders() (out []conform.Order) {
	for _, o := range s.Sim.Orders(keyID) {
		client, _ := wire.ParseClientUUID([]byte(o.Client))
		out = append(out, conform.Order{ID: o.ID, Name: o.Client, Client: client, Price: o.Price, Qty: o.Qty, Cum: o.Cum, Open: o.Status == "open" || o.Status == "pending"})
	}
	return out
}

func (s *atKraken) Balance(currency string) (total, free fixed.Cash) {
	a, held := s.Sim.Balance(keyID, currency)
	return cash(a), cash(a.Sub(held))
}

func (s *atKraken) Stranger(tb testing.TB, price fixed.Price, qty fixed.Qty) {
	token := s.token(tb, s.clock.Now())
	conn, _, err := websocket.DefaultDialer.DialContext(tb.Context(), s.login.WS+"/v2", nil)
	require.NoError(tb, err)
	defer conn.Close()
	require.NoError(tb, conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil,
		`{"method":"add_order","params":{"order_type":"limit","side":"buy","symbol":"BTC/USD","limit_price":%s,"order_qty":%s,"cl_ord_id":"somebody","token":%q},"req_id":1}`,
		fixed.Append(nil, int64(price), 1), fixed.Append(nil, int64(qty), 8), token)))
	for {
		_, m, err := conn.ReadMessage()
		require.NoError(tb, err)
		if strings.Contains(string(m), `"req_id":1`) {
			require.Contains(tb, string(m), `"success":true`)
			return
		}
	}
}

func (s *atKraken) Armed() bool { return s.Sim.Armed(keyID) }

func (s *atKraken) BurnNonce(tb testing.TB) { s.token(tb, s.clock.Now()+venue.Second/2) }

// token asks for a token of the private socket with the nonce of an instant.
func (s *atKraken) token(tb testing.TB, at venue.Nanos) string {
	const path = "/0/private/GetWebSocketsToken"
	signer, err := sign.NewKraken(s.login.Secret)
	require.NoError(tb, err)
	nonce := fmt.Sprint(at / venue.Microsecond)
	body := "nonce=" + nonce
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, s.login.REST+path, strings.NewReader(body))
	require.NoError(tb, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("API-Key", keyID)
	req.Header.Set("API-Sign", string(signer.Append(nil, []byte(path), []byte(nonce), []byte(body))))
	var answer struct {
		Error  []string
		Result struct{ Token string }
	}
	require.NoError(tb, json.Unmarshal(do(tb, req), &answer))
	require.Empty(tb, answer.Error)
	return answer.Result.Token
}
