package app

import (
	"fmt"
	"io"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/risk/stops"
)

// StopConfig is one stop that the engine holds; see stops.Stop. It guards an instrument or every instrument of a product,
// and fires at a loss, at a level, or behind the best price.
type StopConfig struct {
	Instrument Text `yaml:"instrument,optional"`
	Product    Text `yaml:"product,optional"`
	// Loss is the unrealised loss that closes, of a product its sum.
	Loss Money `yaml:"loss,optional"`
	// Level is a price, and Closes the side of the position that it guards. Limit makes it a stop-limit.
	Level  *Amount `yaml:"level,optional"`
	Limit  *Amount `yaml:"limit,optional"`
	Closes Holding `yaml:"closes,optional"`
	Trail  Bps     `yaml:"trail,optional"`
}

// Holding is a long or a short position.
type Holding venue.Side

func (h *Holding) read(s string) string {
	i, what := choose(s, "long", "short")
	*h = Holding(venue.Buy + venue.Side(i))
	return what
}

// stops checks what stops say by themselves.
func (c *Config) stops(w *walker) {
	for _, s := range c.Stops {
		path, v := "stops."+s.Name, &s.Value
		switch {
		case (v.Instrument == "") == (v.Product == ""):
			w.fault(s.Line, path, "write either the instrument or the product that it guards")
		case v.Instrument != "":
			c.instrumentKnown(w, v.Instrument, path+".instrument")
		case c.Products.Find(string(v.Product)) == nil:
			w.fault(w.line(path+".product"), path+".product", "there is no product %s%s", quoted(string(v.Product)), nearest(string(v.Product), c.Products.Names()))
		}
		if strings.ContainsAny(s.Name, " :") || s.Name == "operator" {
			w.fault(s.Line, path, "a stop's name has no colon or space and is not operator")
		}
		n := 0
		for _, has := range []bool{v.Loss != 0, v.Level != nil, v.Trail != 0} {
			if has {
				n++
			}
		}
		switch {
		case n != 1:
			w.fault(s.Line, path, "write when it fires: one of loss, level and trail")
		case v.Level != nil && v.Closes == 0:
			w.fault(s.Line, path+".closes", "is missing; write which position the level guards: long or short")
		case v.Level == nil && (v.Limit != nil || v.Closes != 0):
			w.fault(s.Line, path, "limit and closes belong to a level; take them out")
		}
	}
}

// stops makes the stops of a run. Their orders keep within the limits of their instruments, which the gate holds them to.
func (a *assembler) stops() {
	terms := make([]stops.Terms, len(a.Instruments))
	for i, l := range a.Risk.Instruments {
		if l.Allowed {
			cut := a.Risk.Currencies[a.Instruments[i].Quote].Haircut // at which the gate will value an order
			most, _ := fixed.MulDiv(int64(l.MaxNotional), int64(fixed.One), int64(fixed.One+cut), fixed.Down)
			terms[i] = stops.Terms{Slip: l.Guard, MaxQty: l.MaxQty, MaxNotional: fixed.Cash(most), MaxAge: l.MaxAge}
		}
	}
	var all []stops.Stop
	for _, s := range a.Config.Stops {
		all = append(all, a.stop(s.Name, &s.Value))
	}
	var err error
	if a.Stops, err = stops.New(all, terms, a.Instruments); err != nil {
		a.joined("stops", err)
	}
}

func (a *assembler) stop(name string, c *StopConfig) stops.Stop {
	s := stops.Stop{Name: name, Kind: stops.Loss, MaxLoss: fixed.Cash(c.Loss), Closes: venue.Side(c.Closes), Trail: fixed.Rate(c.Trail)}
	if in := a.Find(string(c.Instrument)); in != nil {
		s.Insts = []venue.Inst{in.Inst}
	}
	for i := range a.Products {
		if p := &a.Products[i]; c.Product != "" && p.Name == string(c.Product) {
			s.Insts = p.Members
		}
	}
	if c.Trail != 0 {
		s.Kind = stops.Trail
	}
	if c.Level != nil && len(s.Insts) > 0 {
		s.Kind = stops.Level
		s.Level, s.Limit = a.level(c.Level, s.Insts[0], "stops."+name+".level"), a.level(c.Limit, s.Insts[0], "stops."+name+".limit")
	}
	return s
}

// level is a price at the scale of an instrument; 0 for none.
func (a *assembler) level(p *Amount, i venue.Inst, path string) fixed.Price {
	if p == nil {
		return 0
	}
	in := a.Instruments[i]
	v, f := fixed.FromDecimal(p.Decimal, in.PriceScale)
	if f != fixed.OK {
		a.w.fault(a.w.line(path), path, "%s is no price of %s, which has %d decimals (%s)", p.String(), in.Name, in.PriceScale, f)
	}
	return fixed.Price(v)
}

// text says what a stop does, for whoever checks the config.
func (c *StopConfig) text(reporting Text) string {
	what := string(c.Instrument)
	if c.Product != "" {
		what = "every instrument of " + string(c.Product)
	}
	switch {
	case c.Loss != 0 && c.Product != "":
		return fmt.Sprintf("closes %s when their unrealised loss together is %s %s", what, amount(c.Loss), reporting)
	case c.Loss != 0:
		return fmt.Sprintf("closes %s when its unrealised loss is %s %s", what, amount(c.Loss), reporting)
	case c.Trail != 0:
		return fmt.Sprintf("closes %s when the touch is %s behind its best since the position was opened", what, inBps(fixed.Rate(c.Trail)))
	case c.Level == nil:
		return ""
	}
	side, how := "long at a bid of %s or less", "at the market"
	if venue.Side(c.Closes) == venue.Sell {
		side = "short at an ask of %s or more"
	}
	if c.Limit != nil {
		how = "by a limit order at " + c.Limit.String()
	}
	return fmt.Sprintf("closes %s, "+side+", %s", what, c.Level.String(), how)
}

// CheckStop is a stop as check and the live plan show it.
type CheckStop struct {
	Name string `json:"name"`
	Does string `json:"does"`
}

func (c *Config) stopList() []CheckStop {
	list := []CheckStop{}
	for _, s := range c.Stops {
		list = append(list, CheckStop{s.Name, s.Value.text(c.Reporting)})
	}
	return list
}

func stopsText(w io.Writer, list []CheckStop) {
	for _, s := range list {
		fmt.Fprintf(w, "stop %s: %s\n", s.Name, s.Does)
	}
}

// kept is what earlier runs kept of stops.
func kept(state *journal.State) []stops.Keep {
	var out []stops.Keep
	for _, v := range state.Values {
		if stops.IsKeep(v.Name) {
			out = append(out, stops.Keep{Name: v.Name, Text: v.Text, Value: v.Value, Scale: v.Scale})
		}
	}
	return out
}

// stopsName is what limits.strategies, audit and reports call the stops.
const stopsName = "stops"

// StopReport is what the stops of a run came to.
type StopReport struct {
	Armed    int    `json:"armed"`
	Fired    uint64 `json:"fired"`
	Closings uint64 `json:"closings"`
	AtWork   int    `json:"at_work"`
	Orders   uint64 `json:"orders_asked"`
	// Left counts closings that left what no order can close.
	Left uint64 `json:"left"`
}

func (t *Trading) stopReport() StopReport {
	c := t.Stops.Counters()
	return StopReport{t.Stops.Armed(), c.Fired, c.Closings, t.Stops.AtWork(), c.Asked, c.Left}
}
