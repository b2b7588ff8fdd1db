package app

import (
	"fmt"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds"
)

// validate finds what fields of good form get wrong together: references to what is not there, twins, and figures that
// contradict each other. What needs the venue's instrument tables is found by Assemble.
func (c *Config) validate(w *walker, facts *Facts) {
	for _, v := range c.Venues {
		path := "venues." + v.Name
		if strings.ContainsAny(v.Name, ": \t") {
			w.fault(v.Line, path, "a venue's name has no colon or space")
		}
		if _, err := feeds.ByName(string(v.Value.Adapter)); err != nil {
			w.fault(w.line(path+".adapter"), path+".adapter", "%s", err)
		}
		v.Value.feed(w, path)
	}
	if len(c.Venues) > 250 {
		w.fault(w.line("venues"), "venues", "there are %d; at most 250", len(c.Venues))
	}
	c.products(w, facts)
	c.fx(w)
	for _, b := range c.Balances {
		c.venueKnown(w, b.Name, "balances."+b.Name)
	}
	c.layers(w)
	c.strategies(w)
	c.stops(w)
	c.rebalance(w)
	if c.Folders.Audit == c.Folders.Tape {
		w.fault(w.line("folders.tape"), "folders.tape", "audit and tape need a folder each; give them different names")
	}
	for _, f := range []struct{ path, name string }{{"folders.audit", string(c.Folders.Audit)}, {"folders.tape", string(c.Folders.Tape)}} {
		if strings.ContainsAny(f.name, `/\`) || strings.HasPrefix(f.name, ".") {
			w.fault(w.line(f.path), f.path, "%s; write a plain folder name, which will lie below the output folder", quoted(f.name))
		}
	}
}

// products checks that every instrument is named once and at a known venue.
func (c *Config) products(w *walker, facts *Facts) {
	first := map[Text]string{}
	for _, p := range c.Products {
		if len(p.Value.Instruments) == 0 {
			w.fault(p.Line, "products."+p.Name, "has no instrument; list at least one")
		}
		for i, name := range p.Value.Instruments {
			path := fmt.Sprintf("products.%s.instruments[%d]", p.Name, i)
			at, _, ok := strings.Cut(string(name), ":")
			if !ok {
				w.fault(w.line(path), path, "%s; write venue:symbol, such as binance:BTCUSDT", quoted(string(name)))
				continue
			}
			c.venueKnown(w, at, path)
			c.listed(w, name, &p.Value, facts, path)
			if other, twice := first[name]; twice {
				w.fault(w.line(path), path, "%s is an instrument of product %s already; an instrument belongs to one product", name, other)
			}
			first[name] = p.Name
		}
	}
}

// listed checks that the venue is known to have the instrument, and that scales that are given can hold its grid.
func (c *Config) listed(w *walker, name Text, p *ProductConfig, facts *Facts, path string) {
	at, symbol, _ := strings.Cut(string(name), ":")
	v := c.Venues.Find(at)
	if v == nil {
		return
	}
	a, err := feeds.ByName(string(v.Adapter))
	if err != nil {
		return
	}
	l := facts.listing(a, symbol)
	if l == nil {
		w.fault(w.line(path), path, "%s has no instrument %s in its table%s", a.Name, quoted(symbol), nearest(symbol, symbols(a)))
		return
	}
	scale := strings.TrimSuffix(path[:strings.LastIndex(path, ".")], ".")
	if n := decimals(l.TickText()); p.PriceScale != nil && uint8(*p.PriceScale) < n {
		w.fault(w.line(scale+".price_scale"), scale+".price_scale", "%d decimals cannot hold the tick %s of %s; write %d or more, or take the line out", *p.PriceScale, l.TickText(), name, n)
	}
	if n := decimals(l.LotText()); p.QtyScale != nil && uint8(*p.QtyScale) < n {
		w.fault(w.line(scale+".qty_scale"), scale+".qty_scale", "%d decimals cannot hold the lot %s of %s; write %d or more, or take the line out", *p.QtyScale, l.LotText(), name, n)
	}
}

func (c *Config) venueKnown(w *walker, name, path string) {
	if len(c.Venues) == 0 {
		return // said already
	}
	if c.Venues.Find(name) == nil {
		w.fault(w.line(path), path, "there is no venue %s under venues%s", quoted(name), nearest(name, c.Venues.Names()))
	}
}

// fx checks that each rate has exactly one source.
func (c *Config) fx(w *walker) {
	for _, f := range c.FX {
		path, v := "fx."+f.Name, f.Value
		switch {
		case Text(f.Name) == c.Reporting:
			w.fault(f.Line, path, "is the reporting currency; it needs no rate, take it out")
		case (v.Instrument == "") == (v.Rate == 0):
			w.fault(f.Line, path, "write either an instrument or a rate")
		case v.Rate != 0 && v.Source == "":
			w.fault(f.Line, path+".source", "is missing; write on whose word the fixed rate stands")
		case v.Instrument != "" && v.MaxAge == 0:
			w.fault(f.Line, path+".max_age", "is missing; write how old the rate may be, such as 5s")
		case v.Instrument != "":
			c.instrumentKnown(w, v.Instrument, path+".instrument")
		}
		if v.Peg != nil && v.Peg.Low > v.Peg.High {
			w.fault(w.line(path+".peg"), path+".peg", "low is above high; exchange them")
		}
	}
}

// instruments lists every instrument that the products name.
func (c *Config) instruments() []string {
	var out []string
	for _, p := range c.Products {
		for _, i := range p.Value.Instruments {
			out = append(out, string(i))
		}
	}
	return out
}

func (c *Config) instrumentKnown(w *walker, name Text, path string) {
	known := c.instruments()
	if name == "" || len(known) == 0 {
		return // said already
	}
	for _, k := range known {
		if k == string(name) {
			return
		}
	}
	w.fault(w.line(path), path, "no product has an instrument %s%s", quoted(string(name)), nearest(string(name), known))
}

// layers checks that overrides name something, and figures of limits that contradict each other.
func (c *Config) layers(w *walker) {
	l := &c.Limits
	for _, e := range l.Venues.By {
		c.venueKnown(w, e.Name, "limits.venues."+e.Name)
	}
	for _, e := range l.Products.By {
		if c.Products.Find(e.Name) == nil {
			w.fault(e.Line, "limits.products."+e.Name, "there is no product %s%s", quoted(e.Name), nearest(e.Name, c.Products.Names()))
		}
	}
	for _, e := range l.Instruments.By {
		c.instrumentKnown(w, Text(e.Name), "limits.instruments."+e.Name)
		c.reference(w, &e.Value.Reference, "limits.instruments."+e.Name+".reference")
	}
	c.reference(w, &l.Instruments.Default.Reference, "limits.instruments.default.reference")
	for i, name := range l.Restricted {
		c.instrumentKnown(w, name, fmt.Sprintf("limits.restricted[%d]", i))
	}
	names := append(append(c.Strategies.Arb.Names(), c.Strategies.Quoting.Names()...), stopsName, rebalanceName)
	if len(names) > venue.Strategies {
		w.fault(w.line("strategies"), "strategies", "holds %d strategies and at most %d can be killed one by one; write fewer", len(names)-1, venue.Strategies-1)
	}
	for _, e := range l.Strategies.By {
		if !contains(names, e.Name) {
			w.fault(e.Line, "limits.strategies."+e.Name, "there is no strategy %s%s", quoted(e.Name), nearest(e.Name, names))
		}
	}
	for path, v := range c.venueLimits() {
		if v.CancelReserve >= v.Messages.Burst {
			w.fault(w.line(path), path+".cancel_reserve", "leaves nothing of messages.burst for orders; write less than %d", v.Messages.Burst)
		}
	}
}

// venueLimits yields the default and each override with its path, in file order.
func (c *Config) venueLimits() func(func(string, *VenueLimits) bool) {
	return func(yield func(string, *VenueLimits) bool) {
		if !yield("limits.venues.default", &c.Limits.Venues.Default) {
			return
		}
		for i := range c.Limits.Venues.By {
			e := &c.Limits.Venues.By[i]
			if !yield("limits.venues."+e.Name, &e.Value) {
				return
			}
		}
	}
}

func (c *Config) reference(w *walker, r *ReferenceConfig, path string) {
	line, given := w.where[path]
	if !given {
		return
	}
	if (len(r.From) == 0) == (r.Smooth == 0) {
		w.fault(line, path, "write either from: [instruments] or smooth: 10s")
	}
	for i, name := range r.From {
		c.instrumentKnown(w, name, fmt.Sprintf("%s.from[%d]", path, i))
	}
}

// strategies checks that names are one strategy's and that every instrument named is there.
func (c *Config) strategies(w *walker) {
	seen := map[string]bool{stopsName: true, rebalanceName: true}
	once := func(name string, line int, path string) {
		if seen[name] {
			w.fault(line, path, "another strategy has that name; choose another")
		}
		seen[name] = true
	}
	for _, s := range c.Strategies.Arb {
		path := "strategies.arb." + s.Name
		once(s.Name, s.Line, path)
		if len(s.Value.Links.Named) == 0 {
			w.fault(s.Line, path+".links", "has no cross; write at least one or take the strategy out")
		}
		for _, l := range s.Value.Links.Named {
			at := path + ".links." + l.Name
			for i, leg := range l.Value.Legs {
				c.instrumentKnown(w, leg, fmt.Sprintf("%s.legs[%d]", at, i))
			}
			if l.Value.MinNotional > l.Value.MaxNotional {
				w.fault(l.Line, at+".min_notional", "is above max_notional; exchange them")
			}
		}
	}
	for _, s := range c.Strategies.Quoting {
		path := "strategies.quoting." + s.Name
		once(s.Name, s.Line, path)
		if len(s.Value.Quotes.Named) == 0 {
			w.fault(s.Line, path+".quotes", "quotes nothing; write at least one or take the strategy out")
		}
		for _, q := range s.Value.Quotes.Named {
			at := path + ".quotes." + q.Name
			c.instrumentKnown(w, q.Value.Instrument, at+".instrument")
			for i, r := range q.Value.Fair.Refs {
				c.instrumentKnown(w, r.Instrument, fmt.Sprintf("%s.fair.refs[%d].instrument", at, i))
			}
			if h := q.Value.Hedge; h != nil {
				c.instrumentKnown(w, h.Instrument, at+".hedge.instrument")
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
