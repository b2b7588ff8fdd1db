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

var binanceUSDM = conform.Venue{Adapter: &binance.USDM, Pairs: pairs("BTCUSDT", "ETHUSDT", venuesim.PairConfig{PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, HalfSpread: 5}),
	Open: openUSDM}

const keyID = "key-of-a-card"

type atBinance struct {
	*binancesim.Sim
	login conform.Login
	place string // the path of orders, and the scale of their quantities
	scale uint8
	clock *wire.Clock
}

func openBinance(tb testing.TB, o conform.Opening) conform.Sim {
	return openMarket(tb, binancesim.Config{SBE: "127.0.0.1:0"}, "/api/v3/order", o)
}

func openUSDM(tb testing.TB, o conform.Opening) conform.Sim {
	return openMarket(tb, binancesim.Config{Kind: binancesim.USDM}, "/fapi/v1/order", o)
}

func openMarket(tb testing.TB, cfg binancesim.Config, place string, o conform.Opening) conform.Sim {
	secret, public := edKey(tb)
	wrong, _ := edKey(tb)
	a := binancesim.Account{Key: keyID, Public: public, Maker: o.Maker, Taker: o.Taker, Leverage: 1}
	for _, m := range o.Funds {
		a.Funds = append(a.Funds, binancesim.Funds{Asset: m.Currency, Free: m.Amount})
	}
	cfg.Net, cfg.Clock, cfg.Faults, cfg.Address, cfg.Seed, cfg.Pairs, cfg.ActsPerMs = o.Net, o.Clock, o.Faults, "127.0.0.1:0", 7, o.Pairs, o.Acts
	cfg.DepthEvery, cfg.Accounts = 10*venue.Millisecond, []binancesim.Account{a}
	s, err := binancesim.New(cfg)
	require.NoError(tb, err)
	login := conform.Login{WS: "ws://" + s.Addr(), REST: "http://" + s.Addr(), Key: sign.SecretOf("a card", []byte(keyID)), Secret: secret, Wrong: wrong}
	if cfg.SBE != "" {
		login.Binary = "ws://" + s.SBEAddr()
	}
	return &atBinance{s, login, place, o.Pairs[0].QtyScale, o.Clock}
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
	for _, p := range s.Positions(keyID) {
		base, quote := strings.TrimSuffix(p.Symbol, "USDT"), "USDT"
		switch currency {
		case base:
			total += fixed.Cash(int64(p.Qty) * fixed.Pow10(fixed.CashScale-s.scale))
			free = total
		case quote:
			total -= p.Cost
		}
	}
	if s.Kind() == binancesim.USDM && currency != "USDT" {
		return total + coins(s.Balances(keyID), currency), free
	}
	for _, f := range s.Balances(keyID) {
		if f.Asset == currency {
			return total + f.Free + f.Locked, f.Free
		}
	}
	return 0, 0
}

func coins(all []binancesim.Funds, currency string) fixed.Cash {
	for _, f := range all {
		if f.Asset == currency {
			return f.Free
		}
	}
	return 0
}

func (s *atBinance) Stranger(tb testing.TB, price fixed.Price, qty fixed.Qty) {
	signer, err := sign.NewBinance(s.login.Secret)
	require.NoError(tb, err)
	payload := url.Values{"symbol": {"BTCUSDT"}, "side": {"BUY"}, "type": {"LIMIT"}, "timeInForce": {"GTC"}, "newClientOrderId": {"somebody"},
		"price": {string(fixed.Append(nil, int64(price), 2))}, "quantity": {string(fixed.Append(nil, int64(qty), s.scale))},
		"timestamp": {fmt.Sprint(s.clock.Now() / venue.Millisecond)}}.Encode()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, s.login.REST+s.place+"?"+payload+"&signature="+string(signer.AppendREST(nil, []byte(payload))), nil)
	require.NoError(tb, err)
	req.Header.Set("X-MBX-APIKEY", keyID)
	do(tb, req)
}

func (s *atBinance) Armed() bool { return s.Sim.Armed(keyID) }

func (s *atBinance) BurnNonce(testing.TB) {}
