package app

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/feeds"
	"oneprice/risk"
	"oneprice/risk/ledger"
	"oneprice/risk/stops"
)

// Assembly is a config resolved into the dense tables of one run. Make a fresh one for every run: strategies keep state.
type Assembly struct {
	*Table
	Config      *Config
	Facts       *Facts
	Reporting   venue.Ccy
	Fingerprint uint64
	Risk        risk.Config
	Ledger      ledger.Config
	// Strategies decide in this order; the engine numbers them from 1, and StrategyNames and Risk.Strategies are indexed
	// by that number; 0 are the engine's own orders, on an operator's word.
	Strategies    []desk.Strategy
	StrategyNames []string
	// Rebalancing, where not nil, is all that the session does.
	Rebalancing *Rebalancing
	// Stops decide before them, under the number 0.
	Stops *stops.Stops
	// MaxAge is by Inst; 0 for instruments that are only watched.
	MaxAge []venue.Nanos
	// FX lists the books that give rates, Fixed the rates that the operator gave, by currency (Bid 0: none).
	FX    []engine.RateSource
	Fixed []desk.FXRate
	// Untraded are the instruments of the config that take no orders in this run, since the recordings show no price at
	// their beginning from which their limits in lots could follow.
	Untraded []string
	// Nominal says that no prices were known, so quantities stand for no real limit: good for checking only.
	Nominal bool
}

// assembler collects faults while a Config becomes an Assembly.
type assembler struct {
	*Assembly
	w     walker
	price []fixed.Price // by Inst; a nominal one where none is known
	asked []bool        // by Inst: named by the config and to be traded
}

// Assemble resolves a config. The error is a ConfigError: everything that does not fit, at once.
func Assemble(c *Config, f *Facts) (*Assembly, error) {
	a := &assembler{Assembly: &Assembly{Table: NewTable(), Config: c, Facts: f}, w: walker{where: c.where}}
	a.Reporting = a.Currency(string(c.Reporting))
	a.Fingerprint = fingerprint(c, f)
	a.products()
	if f != nil && len(a.w.faults) == 0 {
		if err := f.Watch(a.Table); err != nil {
			return nil, err
		}
	}
	for len(a.asked) < len(a.Instruments) {
		a.asked = append(a.asked, false)
	}
	if len(a.w.faults) == 0 {
		a.openings()
		a.rates()
		a.firstPrices()
	}
	if len(a.w.faults) == 0 {
		a.risk()
		a.stops()
		a.arb()
		a.quoting()
	}
	if len(a.w.faults) == 0 {
		if _, _, _, err := a.Desk(1, nil); err != nil {
			a.joined("limits", err)
		}
	}
	if len(a.w.faults) > 0 {
		a.w.sort()
		return nil, &ConfigError{c.Path, a.w.faults}
	}
	return a.Assembly, nil
}

// fingerprint identifies config and facts together.
func fingerprint(c *Config, f *Facts) uint64 {
	h := sha256.New()
	h.Write(c.Source)
	h.Write([]byte{0})
	if f != nil {
		b, err := json.Marshal(f)
		if err != nil {
			panic("config: facts do not survive JSON: " + err.Error())
		}
		h.Write(b)
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// joined takes each line of another part's joined error as a fault of a path.
func (a *assembler) joined(path string, err error) {
	for line := range strings.Lines(err.Error()) {
		a.w.fault(a.w.line(path), path, "%s", strings.TrimRight(line, "\n"))
	}
}

// products makes venues, products and instruments, in file order.
func (a *assembler) products() {
	for _, v := range a.Config.Venues {
		ad, err := feeds.ByName(string(v.Value.Adapter))
		if err != nil {
			a.joined("venues."+v.Name+".adapter", err)
			return
		}
		a.Venue(v.Name, ad)
	}
	for _, p := range a.Config.Products {
		var ms []member
		for i, name := range p.Value.Instruments {
			at, symbol, _ := strings.Cut(string(name), ":")
			v := a.Config.Venues.Find(at)
			id := a.Venue(at, nil)
			l := a.Facts.listing(a.Venues[id].Adapter, symbol)
			if l == nil {
				a.w.fault(a.w.line(fmt.Sprintf("products.%s.instruments[%d]", p.Name, i)), "products."+p.Name, "%s is not known", name)
				return
			}
			fees := venue.Fees{Maker: fixed.Rate(v.Fees.Maker), Taker: fixed.Rate(v.Fees.Taker), In: venue.FeeIn(v.Fees.Charged)}
			ms = append(ms, member{id, *l, fees})
		}
		if err := a.AddProduct(p.Name, ms, (*uint8)(p.Value.PriceScale), (*uint8)(p.Value.QtyScale)); err != nil {
			a.joined("products."+p.Name, err)
		}
	}
	for range a.Instruments {
		a.asked = append(a.asked, len(a.asked) > 0)
	}
}

// openings reads the opening balances.
func (a *assembler) openings() {
	for _, b := range a.Config.Balances {
		for _, c := range b.Value {
			path := "balances." + b.Name + "." + c.Name
			v, f := fixed.FromDecimal(c.Value.Decimal, fixed.CashScale)
			if f != fixed.OK {
				a.w.fault(c.Line, path, "%s cannot be kept at 8 decimals (%s)", c.Value.String(), f)
				continue
			}
			a.Ledger.Balances = append(a.Ledger.Balances, ledger.Opening{Venue: a.Venue(b.Name, nil), Ccy: a.Currency(c.Name), Amount: fixed.Cash(v)})
		}
	}
}

// rates reads the exchange rates into the reporting currency.
func (a *assembler) rates() {
	for _, f := range a.Config.FX {
		ccy := a.Currency(f.Name)
		if f.Value.Rate != 0 {
			for int(ccy) >= len(a.Fixed) {
				a.Fixed = append(a.Fixed, desk.FXRate{})
			}
			a.Fixed[ccy] = desk.FXRate{Bid: fixed.Rate(f.Value.Rate), Ask: fixed.Rate(f.Value.Rate), At: 1<<63 - 1}
			continue
		}
		path := "fx." + f.Name + ".instrument"
		in := a.Find(string(f.Value.Instrument))
		if in == nil {
			continue // said by validate
		}
		if in.Base != ccy || in.Quote != a.Reporting || in.Contract != venue.Linear {
			a.w.fault(a.w.line(path), path, "%s does not price %s in %s; name an instrument that does, or a fixed rate with its source", in.Name, f.Name, a.Config.Reporting)
		}
		a.FX = append(a.FX, engine.RateSource{Inst: in.Inst, Ccy: ccy})
	}
	for int(a.Reporting) >= len(a.Fixed) || len(a.Fixed) < len(a.Currencies) {
		a.Fixed = append(a.Fixed, desk.FXRate{})
	}
}

// firstPrices takes the prices that the recordings began with. Without any recording every price is nominal.
func (a *assembler) firstPrices() {
	a.price = make([]fixed.Price, len(a.Instruments))
	a.Nominal = a.Facts == nil
	if !a.Nominal {
		for _, p := range a.Facts.Prices {
			if in := a.Find(p.Instrument); in != nil {
				if v, f := fixed.Parse([]byte(p.Price), in.PriceScale); f == fixed.OK {
					a.price[in.Inst] = fixed.Price(v)
				}
			}
		}
		for i, asked := range a.asked {
			if asked && a.price[i] == 0 {
				a.price[i] = a.sibling(a.Instruments[i])
			}
		}
	}
	known := make([]bool, len(a.price))
	for i, p := range a.price {
		known[i] = p != 0
	}
	for i, asked := range a.asked {
		if !asked {
			continue
		}
		in := a.Instruments[i]
		if !known[i] {
			a.price[i] = max(fixed.Price(fixed.Pow10(in.PriceScale)), in.Tick)
		}
		if !a.Nominal && !(known[i] && a.follows(in.Quote, known)) {
			a.asked[i] = false
			a.Untraded = append(a.Untraded, in.Name)
		}
	}
}

// follows reports whether the rate of a currency does not wait for a book whose price is unknown.
func (a *assembler) follows(c venue.Ccy, known []bool) bool {
	for _, s := range a.FX {
		if s.Ccy == c && !known[s.Inst] {
			return false
		}
	}
	return true
}

// sibling is the price of another instrument of the product.
func (a *assembler) sibling(in *venue.Instrument) fixed.Price {
	for _, m := range a.Products[in.Product].Members {
		if a.price[m] != 0 {
			return a.price[m]
		}
	}
	return 0
}

// rateOf is what one unit of the quote currency of an instrument is worth in the reporting currency at the start; 0 when
// nothing says. For an instrument that takes no orders it is nominal.
func (a *assembler) rateOf(in *venue.Instrument) fixed.Rate {
	c := in.Quote
	if c == a.Reporting || a.Nominal || !a.asked[in.Inst] {
		return fixed.One
	}
	if r := a.Fixed[c].Bid; r != 0 {
		return r
	}
	for _, s := range a.FX {
		if s.Ccy == c {
			v, _ := fixed.Rescale(int64(a.price[s.Inst]), a.Instruments[s.Inst].PriceScale, fixed.RateScale, fixed.Down)
			return fixed.Rate(v) // 0 on overflow, which base names
		}
	}
	return 0
}

// base is how many base units money buys of the product of an instrument at its first price, rounded down.
func (a *assembler) base(in *venue.Instrument, m Money, path string) fixed.Qty {
	rate := a.rateOf(in)
	if rate == 0 {
		a.w.fault(a.w.line(path), path, "nothing says what %s, the quote currency of %s, is worth in %s; add it under fx", a.Currencies[in.Quote], in.Name, a.Config.Reporting)
		return 0
	}
	v, ok := fixed.MulDiv3(int64(m), fixed.Pow10(in.PriceScale), fixed.Pow10(in.QtyScale), int64(a.price[in.Inst]), int64(rate), fixed.Down)
	if !ok {
		a.w.fault(a.w.line(path), path, "is more of %s than can be counted; write less", in.Name)
	}
	return fixed.Qty(v)
}

// lots is base in the instrument's own quantity, rounded down to a lot.
func (a *assembler) lots(in *venue.Instrument, m Money, path string) fixed.Qty {
	b := a.base(in, m, path)
	if b == 0 {
		return 0
	}
	q, ok := in.FromBase(a.price[in.Inst], b, fixed.Down)
	if !ok {
		a.w.fault(a.w.line(path), path, "is more of %s than can be counted; write less", in.Name)
		return 0
	}
	if q = fixed.RoundTo(q, in.Lot, fixed.Down); q == 0 {
		a.w.fault(a.w.line(path), path, "buys less than one lot (%s) of %s; write more", fixed.AppendTrim(nil, int64(in.Lot), in.QtyScale), in.Name)
	}
	return q
}

// Desk makes the desk of a run with room for so many orders, and the ledger and the gate on it.
func (a *Assembly) Desk(slots int, kill *venue.Kill) (*desk.Desk, *ledger.Ledger, *risk.Gate, error) {
	d := desk.New(a.Instruments, len(a.Venues)-1, len(a.Currencies)-1, slots, a.Reporting, books.Config{})
	for c, r := range a.Fixed {
		if r.Bid != 0 {
			d.FX[c] = r
		}
	}
	l, err := ledger.New(d, a.Ledger)
	if err != nil {
		return nil, nil, nil, err
	}
	if kill == nil {
		kill = new(venue.Kill)
	}
	g, err := risk.New(a.Risk, d, kill)
	return d, l, g, err
}
