package app

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/kraken"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/sign"
)

// simAccount is an account at one simulated venue, with keys made for this run: in each venue's own form.
type simAccount struct {
	Account
	money        []money
	maker, taker fixed.Rate

	binance  ed25519.PublicKey
	coinbase *ecdsa.PublicKey
	kraken   string
}

type money struct {
	currency string
	amount   fixed.Cash
}

// newSimAccount opens the account that a config describes at one of the demo's venues.
func newSimAccount(name string, c *Config) (*simAccount, error) {
	v := c.Venues.Find(name)
	if v == nil {
		return nil, &UsageError{fmt.Errorf("the config has no venue %s, which the simulators are", name)}
	}
	a := &simAccount{Account: Account{Name: name + " (simulated)"}, maker: fixed.Rate(v.Fees.Maker), taker: fixed.Rate(v.Fees.Taker)}
	for _, b := range c.Balances {
		if b.Name != name {
			continue
		}
		for _, m := range b.Value {
			n, f := fixed.FromDecimal(m.Value.Decimal, fixed.CashScale)
			if f != fixed.OK {
				return nil, &UsageError{fmt.Errorf("balances.%s.%s: %s cannot be kept at 8 decimals (%s)", name, m.Name, m.Value.String(), f)}
			}
			a.money = append(a.money, money{m.Name, fixed.Cash(n)})
		}
	}
	return a, a.keys(name)
}

// keys makes the account's keys.
func (a *simAccount) keys(name string) error {
	const from = "this run"
	own := rand.Text()[:8] // another demo on this machine has accounts of its own
	id, secret := []byte("demo-"+name+"-"+own), []byte(nil)
	switch name {
	case "binance":
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return fmt.Errorf("simulators: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("simulators: %w", err)
		}
		a.binance, secret = pub, []byte(base64.StdEncoding.EncodeToString(der))
	case "coinbase":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("simulators: %w", err)
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return fmt.Errorf("simulators: %w", err)
		}
		id = []byte("organizations/demo/apiKeys/" + own)
		a.coinbase, secret = &key.PublicKey, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	default:
		raw := make([]byte, 64)
		rand.Read(raw) // never fails
		a.kraken, a.Tier = base64.StdEncoding.EncodeToString(raw), kraken.Pro.String()
		secret = []byte(a.kraken)
	}
	a.Key, a.Secret = sign.SecretOf(from, id), sign.SecretOf(from, secret)
	return nil
}

// atBinance, atCoinbase and atKraken are the account as each simulator wants it; none for nil.
func (a *simAccount) atBinance() []binancesim.Account {
	if a == nil {
		return nil
	}
	x := binancesim.Account{Key: string(a.Key.Reveal()), Public: a.binance, Maker: a.maker, Taker: a.taker}
	for _, m := range a.money {
		x.Funds = append(x.Funds, binancesim.Funds{Asset: m.currency, Free: m.amount})
	}
	return []binancesim.Account{x}
}

func (a *simAccount) atCoinbase() []coinbasesim.Account {
	if a == nil {
		return nil
	}
	x := coinbasesim.Account{Key: string(a.Key.Reveal()), Public: a.coinbase, Maker: a.maker, Taker: a.taker}
	for _, m := range a.money {
		x.Money = append(x.Money, coinbasesim.Money{Currency: m.currency, Amount: m.amount})
	}
	return []coinbasesim.Account{x}
}

func (a *simAccount) atKraken() []krakensim.AccountConfig {
	if a == nil {
		return nil
	}
	x := krakensim.AccountConfig{Key: string(a.Key.Reveal()), Secret: a.kraken, Tier: int(kraken.Pro), Maker: fixed.Decimal(a.maker, fixed.RateScale),
		Taker: fixed.Decimal(a.taker, fixed.RateScale), Balances: map[string]decimal.Decimal{}}
	for _, m := range a.money {
		x.Balances[m.currency] = fixed.Decimal(m.amount, fixed.CashScale)
	}
	return []krakensim.AccountConfig{x}
}
