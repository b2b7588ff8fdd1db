package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"oneprice/engine/recovery"
	"oneprice/feeds/sign"
)

// AccountConfig is the account that signs the live orders of one venue. Its key and secret stand elsewhere.
type AccountConfig struct {
	Name   Text        `yaml:"name" want:"write what you call the account, such as main"`
	Key    Reference   `yaml:"key" want:"write where the key's id is: env:NAME or file:PATH"`
	Secret Reference   `yaml:"secret" want:"write where the key's secret is: env:NAME or file:PATH"`
	Mode   AccountMode `yaml:"mode" want:"write whether others trade on it too: dedicated or shared"`
	// Tier is its level in the venue's own word; without it, the lowest.
	Tier Text `yaml:"tier,optional"`
	// Watchdog is what oneprice watchdog signs with: another key of the same account.
	Watchdog *WatchdogKeys `yaml:"watchdog,optional"`
}

// WatchdogKeys are the watchdog's own: the engine's may be lost with it, and a venue that counts nonces takes one process a key.
type WatchdogKeys struct {
	Key    Reference `yaml:"key" want:"write where the watchdog's key's id is: env:NAME or file:PATH"`
	Secret Reference `yaml:"secret" want:"write where the watchdog's key's secret is: env:NAME or file:PATH"`
}

// LiveConfig is what a live start needs to know beyond what paper needs.
type LiveConfig struct {
	// PaperFor is how long this very config must have traded on paper or in the demo, by audits that verify, in sessions
	// that ended in order.
	PaperFor Span `yaml:"paper_for" want:"write how long this config must have traded on paper before, such as 24h"`
	// OpenOrders is what becomes of our own orders that are found open at the start.
	OpenOrders OrderPolicy `yaml:"open_orders" want:"write what becomes of our own orders found open at the start: cancel, adopt or refuse"`
	// Balances is what is done where a venue states other balances or positions than we believe: take its word, or refuse.
	Balances BalancePolicy `yaml:"balances" want:"write what is done where a venue states other balances than we believe: adopt or refuse"`
}

type (
	// Reference names the place of a secret: env:NAME or file:PATH, a path that begins with / or ./ or ../
	Reference string
	// AccountMode says who trades on an account.
	AccountMode uint8
	// OrderPolicy is what becomes of our own orders that are found open at the start.
	OrderPolicy recovery.Policy
	// BalancePolicy is what is done about a balance or position that differs at the start.
	BalancePolicy uint8
)

// Modes of an account.
const (
	// Dedicated: nobody else trades on it.
	Dedicated AccountMode = iota
	// Shared: others do, so that only our own orders are ever cancelled.
	Shared
)

// Policies for balances and positions.
const (
	AdoptBalances BalancePolicy = iota
	RefuseBalances
)

var (
	accountModes    = []string{"dedicated", "shared"}
	balancePolicies = []string{"adopt", "refuse"}
)

func (m AccountMode) String() string   { return accountModes[m] }
func (p OrderPolicy) String() string   { return recovery.Policy(p).String() }
func (p BalancePolicy) String() string { return balancePolicies[p] }

// read does not repeat what stands there, as it may be the secret itself.
func (r *Reference) read(s string) string {
	if !reference.MatchString(s) {
		return "is not the place of a secret; write env:NAME or file:/PATH, never the secret itself"
	}
	*r = Reference(s)
	return ""
}

func (m *AccountMode) read(s string) string {
	i, what := choose(s, accountModes...)
	*m = AccountMode(i)
	return what
}

func (p *OrderPolicy) read(s string) string {
	i, what := choose(s, recovery.Policies[:]...)
	*p = OrderPolicy(i)
	return what
}

func (p *BalancePolicy) read(s string) string {
	i, what := choose(s, balancePolicies...)
	*p = BalancePolicy(i)
	return what
}

// Lines that a refusal proposes.
const (
	liveLines    = "live: {paper_for: 24h, open_orders: cancel, balances: refuse}"
	accountLines = "account: {name: main, key: env:NAME, secret: file:PATH, mode: dedicated}"
)

// accounts loads what signs the orders of every venue that has instruments, by venue name. The error says all that is
// missing. Close them when no gateway uses them any more.
func (c *Config) accounts() (map[string]Account, error) {
	out := map[string]Account{}
	var errs []error
	for i := range c.Venues {
		name, v := c.Venues[i].Name, &c.Venues[i].Value
		if !c.trades(name) {
			continue
		}
		if v.Account == nil {
			errs = append(errs, fmt.Errorf("%s: venues.%s has no account to trade live on; add to it: %s", c.Path, name, accountLines))
			continue
		}
		a, err := v.Account.load("venues."+name+".account", v.Account.Key, v.Account.Secret)
		out[name], errs = a, append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		closeAccounts(out)
		return nil, &UsageError{err}
	}
	return out, nil
}

// load makes an account that signs with a key and secret.
func (c *AccountConfig) load(path string, key, secret Reference) (Account, error) {
	a := Account{Name: string(c.Name), Shared: c.Mode == Shared, Tier: string(c.Tier)}
	var errs [2]error
	if a.Key, errs[0] = sign.Load(string(key)); errs[0] != nil {
		errs[0] = fmt.Errorf("%s.key: %w", path, errs[0])
	}
	if a.Secret, errs[1] = sign.Load(string(secret)); errs[1] != nil {
		errs[1] = fmt.Errorf("%s.secret: %w", path, errs[1])
	}
	return a, errors.Join(errs[:]...)
}

// watchdogLines is what a refusal proposes.
const watchdogLines = "watchdog: {key: env:NAME, secret: file:PATH}"

// watchdogs are accounts with the watchdog's keys. The engine's own, by their places, are refused.
func (c *Config) watchdogs() (map[string]Account, error) {
	out := map[string]Account{}
	var errs []error
	for i := range c.Venues {
		name, v := c.Venues[i].Name, &c.Venues[i].Value
		switch path := "venues." + name + ".account"; {
		case !c.trades(name):
		case v.Account == nil || v.Account.Watchdog == nil:
			errs = append(errs, fmt.Errorf("%s: %s has no keys for a watchdog; add to it: %s", c.Path, path, watchdogLines))
		case v.Account.Watchdog.Key == v.Account.Key || v.Account.Watchdog.Secret == v.Account.Secret:
			errs = append(errs, fmt.Errorf("%s: %s.watchdog names the engine's own key; make another at the venue", c.Path, path))
		default:
			a, err := v.Account.load(path+".watchdog", v.Account.Watchdog.Key, v.Account.Watchdog.Secret)
			out[name], errs = a, append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		closeAccounts(out)
		return nil, &UsageError{err}
	}
	return out, nil
}

func closeAccounts(as map[string]Account) {
	for _, a := range as {
		a.Key.Close()
		a.Secret.Close()
	}
}

// trades reports whether a product has an instrument of a venue.
func (c *Config) trades(name string) bool {
	for _, in := range c.instruments() {
		if strings.HasPrefix(in, name+":") {
			return true
		}
	}
	return false
}

// hash identifies the text of a config.
func (c *Config) hash() string {
	sum := sha256.Sum256(c.Source)
	return hex.EncodeToString(sum[:])
}

// keyMark stands for a key's id where people read: enough to tell two keys apart and nothing to use. It is what
// "printf %s ID | sha256sum" begins with.
func keyMark(key sign.Secret) string {
	sum := sha256.Sum256(key.Reveal())
	return hex.EncodeToString(sum[:4])
}
