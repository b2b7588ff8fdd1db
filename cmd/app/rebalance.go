package app

import (
	"fmt"

	"oneprice/arb/rebalance"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk"

	"github.com/shopspring/decimal"
)

// RebalanceConfig is what oneprice rebalance brings holdings to.
type RebalanceConfig struct {
	// Slip is how far beyond the walked price the limit of a trade lies, Depth how many times what a book shows it may be, and
	// Deadline how long the trades have.
	Slip     ZeroBps            `yaml:"slip" want:"write how far beyond the walked price a limit lies, such as 5bps"`
	Depth    Count              `yaml:"depth" want:"write how many times what a book shows a trade may be, since books fill again, such as 5"`
	Deadline Span               `yaml:"deadline" want:"write how long the trades have, such as 30s"`
	Assets   Named[AssetConfig] `yaml:"assets" want:"write the assets by name, each with currencies, weight and band"`
}

// AssetConfig is one asset of the portfolio: a coin, or all currencies that count as cash.
type AssetConfig struct {
	Currencies []Text `yaml:"currencies" want:"list the currencies that are this asset, such as [BTC]"`
	Weight     Factor `yaml:"weight" want:"write its share of everything, such as 0.3"`
	Band       Bps    `yaml:"band" want:"write how far its share may lie from that, such as 200bps"`
	// Venues are its shares by venue, each within VenueBand.
	Venues    Named[Factor] `yaml:"venues,optional"`
	VenueBand Bps           `yaml:"venue_band,optional"`
}

// rebalance checks what targets say by themselves.
func (c *Config) rebalance(w *walker) {
	if c.Rebalance == nil {
		return
	}
	const path = "rebalance.assets"
	first, sum := map[Text]string{}, fixed.Rate(0)
	for _, a := range c.Rebalance.Assets {
		at, v := path+"."+a.Name, &a.Value
		sum += fixed.Rate(v.Weight)
		if len(v.Currencies) == 0 {
			w.fault(a.Line, at+".currencies", "is empty; list the currencies that are this asset")
		}
		for i, ccy := range v.Currencies {
			here := fmt.Sprintf("%s.currencies[%d]", at, i)
			if other, twice := first[ccy]; twice {
				w.fault(w.line(here), here, "%s belongs to %s already; a currency belongs to one asset", ccy, other)
			}
			if first[ccy] = a.Name; ccy != c.Reporting && c.FX.Find(string(ccy)) == nil {
				w.fault(w.line(here), here, "nothing says what %s is worth in %s; add it under fx", ccy, c.Reporting)
			}
		}
		shares := fixed.Rate(0)
		for _, s := range v.Venues {
			c.venueKnown(w, s.Name, at+".venues."+s.Name)
			shares += fixed.Rate(s.Value)
		}
		switch {
		case len(v.Venues) == 0 && v.VenueBand != 0:
			w.fault(w.line(at+".venue_band"), at+".venue_band", "belongs to venues; write them, or take it out")
		case len(v.Venues) > 0 && v.VenueBand == 0:
			w.fault(a.Line, at+".venue_band", "is missing; write how far a venue's share may lie from its own, such as 500bps")
		case len(v.Venues) > 0 && shares != fixed.One:
			w.fault(w.line(at+".venues"), at+".venues", "the shares make %s together; they must make 1", fixed.Decimal(shares, fixed.RateScale))
		}
	}
	if sum != fixed.One {
		w.fault(w.line(path), path, "the weights make %s together; they must make 1", fixed.Decimal(sum, fixed.RateScale))
	}
}

// rebalanceAim is the share of its band that a plan brings an asset into.
const rebalanceAim = fixed.One / 10 * 9

// portfolio is the config's targets by the numbers of this run.
func (a *Assembly) portfolio() rebalance.Config {
	c := a.Config.Rebalance
	out := rebalance.Config{Slip: fixed.Rate(c.Slip), Depth: int64(c.Depth), Aim: rebalanceAim, Currencies: a.Currencies}
	for _, x := range c.Assets {
		as := rebalance.Asset{Name: x.Name, Weight: fixed.Rate(x.Value.Weight), Band: fixed.Rate(x.Value.Band)}
		for _, ccy := range x.Value.Currencies {
			as.Ccys = append(as.Ccys, a.Currency(string(ccy)))
		}
		for _, s := range x.Value.Venues {
			as.Venues = append(as.Venues, rebalance.Share{Venue: a.Venue(s.Name, nil), Weight: fixed.Rate(s.Value), Band: fixed.Rate(x.Value.VenueBand)})
		}
		out.Assets = append(out.Assets, as)
	}
	return out
}

// only lets one strategy decide, in place of the config's and under limits of its own name. A replay of the session does the
// same with the orders, which the tape holds; a session that plans has none.
func (a *Assembly) only(s desk.Strategy, orders []rebalance.Order) {
	lim := a.Config.Limits.Strategies.For(s.Name()).risk()
	a.Strategies, a.StrategyNames = []desk.Strategy{s}, []string{stopsName, s.Name()}
	a.Risk.Strategies = []risk.StrategyLimits{a.Risk.Strategies[0], lim}
	a.Rebalancing = &Rebalancing{orders}
}

// Rebalancing says that a session does nothing but work these orders off.
type Rebalancing struct {
	Orders []rebalance.Order `json:"orders"`
}

// trader works the orders off.
func (a *Assembly) trader(orders []rebalance.Order) *rebalance.Trader {
	return rebalance.NewTrader(a.portfolio(), orders, venue.Nanos(a.Config.Rebalance.Deadline))
}

// orders are the trades of a plan, each in pieces that the gate takes.
func (a *Assembly) orders(plan []RebalanceTrade) ([]rebalance.Order, error) {
	var out []rebalance.Order
	for _, t := range plan {
		in := a.Find(t.Instrument)
		if in == nil {
			return nil, fmt.Errorf("the plan trades %s, which the config does not have; plan again", t.Instrument)
		}
		qty, f1 := parsed(t.Qty, in.QtyScale)
		limit, f2 := parsed(t.Limit, in.PriceScale)
		worth, f3 := parsed(t.Value, fixed.CashScale)
		if f1 != nil || f2 != nil || f3 != nil || qty <= 0 || limit <= 0 {
			return nil, fmt.Errorf("the plan's trade of %s (%s at %s) cannot be read; plan again", in.Name, t.Qty, t.Limit)
		}
		o := rebalance.Order{Trade: rebalance.Trade{Inst: in.Inst, Side: venue.Sell, Qty: fixed.Qty(qty), Limit: fixed.Price(limit), Value: fixed.Cash(worth)}}
		if t.Side == venue.Buy.String() {
			o.Side = venue.Buy
		}
		o.Guard = a.Risk.Instruments[in.Inst].Guard
		if o.Most = a.piece(in, &o); o.Most == 0 {
			return nil, fmt.Errorf("%s takes no orders: %s of the config allow none that the venue takes", in.Name, layer("limits.instruments", in.Name, a.Config.Limits.Instruments.By.Find(in.Name) != nil))
		}
		out = append(out, o)
	}
	return out, nil
}

func parsed(text string, scale uint8) (int64, error) {
	d, err := decimal.NewFromString(text)
	if err != nil {
		return 0, err
	}
	v, f := fixed.FromDecimal(d, scale)
	if f != fixed.OK {
		return 0, fmt.Errorf("%s at %d decimals: %s", text, scale, f)
	}
	return v, nil
}

// pieceRoom is what an order may be worth of its limit: the gate values it at its limit price and a haircut.
const pieceRoom = fixed.One / 100 * 98

// piece is the size of as few equal orders as the limits of an instrument allow for a trade, 0 where they allow none.
func (a *Assembly) piece(in *venue.Instrument, o *rebalance.Order) fixed.Qty {
	l := &a.Risk.Instruments[in.Inst]
	room, _ := pieceRoom.Apply(l.MaxNotional, fixed.Down)
	if l.MaxQty <= 0 || room <= 0 {
		return 0
	}
	n := max((o.Qty+l.MaxQty-1)/l.MaxQty, fixed.Qty((o.Value+room-1)/room), 1)
	return fixed.RoundTo((o.Qty+n-1)/n, in.Lot, fixed.Up)
}
