package conform_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/conform"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

var coinbaseAdvanced = conform.Venue{Adapter: &coinbase.Adapter, Pairs: pairs("BTC-USD", "ETH-USD", venuesim.PairConfig{PriceScale: 2, QtyScale: 8, Tick: 1, Lot: 1000, HalfSpread: 5}),
	Open: openCoinbase}

const keyName = "organizations/cards/apiKeys/card"

type atCoinbase struct {
	*coinbasesim.Sim
	login conform.Login
	clock *wire.Clock
}

func openCoinbase(tb testing.TB, o conform.Opening) conform.Sim {
	secret, public := ecKey(tb)
	wrong, _ := ecKey(tb)
	a := coinbasesim.Account{Key: keyName, Public: public, Maker: o.Maker, Taker: o.Taker}
	for _, m := range o.Funds {
		a.Money = append(a.Money, coinbasesim.Money{Currency: m.Currency, Amount: m.Amount})
	}
	s, err := coinbasesim.New(coinbasesim.Config{Net: o.Net, Clock: o.Clock, Faults: o.Faults, Address: "127.0.0.1:0", Seed: 7, Pairs: o.Pairs, ActsPerMs: o.Acts,
		BookEvery: 10 * venue.Millisecond, Accounts: []coinbasesim.Account{a}})
	require.NoError(tb, err)
	return &atCoinbase{s, conform.Login{WS: "ws://" + s.Addr() + "/", REST: "http://" + s.Addr(), Key: sign.SecretOf("a card", []byte(keyName)), Secret: secret, Wrong: wrong}, o.Clock}
}

// ecKey makes an ES256 key in the form in which the venue gives it out.
func ecKey(tb testing.TB) (sign.Secret, *ecdsa.PublicKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(tb, err)
	return sign.SecretOf("a card", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), &key.PublicKey
}

func (s *atCoinbase) Login() conform.Login { return s.login }

func (s *atCoinbase) Touch(side venue.Side) venue.Level {
	bid, ask := s.Sim.Touch("BTC-USD")
	if side == venue.Buy {
		return bid
	}
	return ask
}

func (s *atCoinbase) Orders() (out []conform.Order) {
	for _, o := range s.Sim.Orders(keyName) {
		client, _ := wire.ParseClientUUID([]byte(o.Client))
		out = append(out, conform.Order{ID: o.ID, Name: o.Client, Client: client, Price: o.Price, Qty: o.Qty, Cum: o.Cum, Open: o.Status == "OPEN"})
	}
	return out
}

func (s *atCoinbase) Balance(currency string) (total, free fixed.Cash) {
	a, b := s.Sim.Balance(keyName, currency)
	return cash(a), cash(b)
}

func (s *atCoinbase) Stranger(tb testing.TB, price fixed.Price, qty fixed.Qty) {
	const path = "/api/v3/brokerage/orders"
	signer, err := sign.NewCoinbase(keyName, "api.coinbase.com", s.login.Secret)
	require.NoError(tb, err)
	bearer, err := signer.Append([]byte("Bearer "), http.MethodPost, path, s.clock.Now())
	require.NoError(tb, err)
	body := fmt.Sprintf(`{"client_order_id":"somebody","product_id":"BTC-USD","side":"BUY","order_configuration":{"limit_limit_gtc":{"base_size":"%s","limit_price":"%s","post_only":false}}}`,
		fixed.Append(nil, int64(qty), 8), fixed.Append(nil, int64(price), 2))
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, s.login.REST+path, strings.NewReader(body))
	require.NoError(tb, err)
	req.Header.Set("Authorization", string(bearer))
	req.Header.Set("Content-Type", "application/json")
	do(tb, req)
}

func (s *atCoinbase) Armed() bool { return false }

func (s *atCoinbase) BurnNonce(testing.TB) {}
