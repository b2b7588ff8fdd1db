package conform_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/conform"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

var binanceSpot = conform.Venue{Adapter: &binance.Spot, Pairs: pairs("BTCUSDT", "ETHUSDT", venuesim.PairConfig{PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, HalfSpread: 5}),
	Open: openBinance}

const keyID = "key-of-a-card"

type atBinance struct {
	*binancesim.Sim
	login conform.Login
	clock *wire.Clock
}

func openBinance(tb testing.TB, o conform.Opening) conform.Sim {
	secret, public := edKey(tb)
	wrong, _ := edKey(tb)
	a := binancesim.Account{Key: keyID, Public: public, Maker: o.Maker, Taker: o.Taker}
	for _, m := range o.Funds {
		a.Funds = append(a.Funds, binancesim.Funds{Asset: m.Currency, Free: m.Amount})
	}
	s, err := binancesim.New(binancesim.Config{Net: o.Net, Clock: o.Clock, Faults: o.Faults, Address: "127.0.0.1:0", Seed: 7, Pairs: o.Pairs, ActsPerMs: o.Acts,
		DepthEvery: 10 * venue.Millisecond, SBE: "127.0.0.1:0", Accounts: []binancesim.Account{a}})
	require.NoError(tb, err)
	return &atBinance{s, conform.Login{WS: "ws://" + s.Addr(), REST: "http://" + s.Addr(), Binary: "ws://" + s.SBEAddr(),
		Key: sign.SecretOf("a card", []byte(keyID)), Secret: secret, Wrong: wrong}, o.Clock}
}

// edKey makes an Ed25519 key in the form in which the venue gives it out.
func edKey(tb testing.TB) (sign.Secret, ed25519.PublicKey) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(tb, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(tb, err)
	return sign.SecretOf("a card", []byte(base64.StdEncoding.EncodeToString(der))), public
}

func (s *atBinance) Login() conform.Login { return s.login }

func (s *atBinance) Touch(side venue.Side) venue.Level { return s.Sim.Touch("BTCUSDT", side) }

func (s *atBinance) Orders() (out []conform.Order) {
	for _, o := range s.Sim.Orders(keyID) {
		client, _ := wire.ParseClientID([]byte(strings.TrimSuffix(o.Client, "-c"))) // the id that our cancel gives it
		out = append(out, conform.Order{ID: fmt.Sprint(o.ID), Name: o.Client, Client: client, Price: o.Price, Qty: o.Qty, Cum: o.Cum,
			Open: o.Status == "NEW" || o.Status == "PARTIALLY_FILLED"})
	}
	return out
}

func (s *atBinance) Balance(currency string) (total, free fixed.Cash) {
	for _, f := range s.Balances(keyID) {
		if f.Asset == currency {
			return f.Free + f.Locked, f.Free
		}
	}
	return 0, 0
}

func (s *atBinance) Stranger(tb testing.TB, price fixed.Price, qty fixed.Qty) {
	signer, err := sign.NewBinance(s.login.Secret)
	require.NoError(tb, err)
	payload := url.Values{"symbol": {"BTCUSDT"}, "side": {"BUY"}, "type": {"LIMIT"}, "timeInForce": {"GTC"}, "newClientOrderId": {"somebody"},
		"price": {string(fixed.Append(nil, int64(price), 2))}, "quantity": {string(fixed.Append(nil, int64(qty), 5))},
		"timestamp": {fmt.Sprint(s.clock.Now() / venue.Millisecond)}}.Encode()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, s.login.REST+"/api/v3/order?"+payload+"&signature="+string(signer.AppendREST(nil, []byte(payload))), nil)
	require.NoError(tb, err)
	req.Header.Set("X-MBX-APIKEY", keyID)
	do(tb, req)
}

func (s *atBinance) BurnNonce(testing.TB) {}
