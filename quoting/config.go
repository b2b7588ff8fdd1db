package quoting

import (
	"errors"
	"fmt"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting/model"
)

// Config of one quoting strategy. Nothing has a default: a missing limit is a fault.
type Config struct {
	Name   string
	Quotes []Quote
}

// MaxLayers bounds the orders per side of a Quote.
const MaxLayers = 8

// Quote is one quoted instrument. Only one strategy may quote an instrument.
type Quote struct {
	Inst venue.Inst
	Fair Fair
	// MinHalf is the least half spread, MinEdge what a fill must at least earn against the fair value (and, with a Hedge,
	// against the hedge's price), both after fees.
	MinHalf, MinEdge fixed.Rate
	Model            model.Params
	// Layers is the number of orders per side, Step the distance between them, Qty the size of each in the venue's units.
	Layers int
	Step   fixed.Rate
	Qty    fixed.Qty
	// MaxInventory in base units at the product's scale; with a Hedge it bounds what is not hedged.
	MaxInventory fixed.Qty
	// Hysteresis is how far a wanted price must lie from a working one before the order is moved and its place in the
	// queue given up.
	Hysteresis fixed.Rate
	// PerSecond and Burst are the message budget. Cancels that pull quotes are counted but never wait for it.
	PerSecond, Burst int
	PostOnly         bool
	// Amend says that the venue moves an order in one message; otherwise it is cancelled, and placed anew once gone.
	Amend bool
	// NotAfter is how long an order may wait for its socket.
	NotAfter venue.Nanos
	Pull     Pull
	Hedge    *Hedge
}

// Source is where the fair value comes from.
type Source uint8

const (
	// Own is the microprice of the quoted book.
	Own Source = iota
	// Weighted is the mean of the microprices of Refs, those that are fresh, by weight.
	Weighted
	// External is the microprice of the single instrument in Refs.
	External
)

func (s Source) String() string { return [...]string{"own", "weighted", "external"}[s] }

// Fair says where the fair value comes from. Refs are instruments of the same product and quote currency.
type Fair struct {
	Source Source
	Refs   []Ref
	// MinWeight is how much of the weight must be fresh, for Weighted.
	MinWeight fixed.Rate
}

// Ref is one book of a Weighted or External fair value.
type Ref struct {
	Inst   venue.Inst
	Weight fixed.Rate
}

// Pull says when quotes are taken away.
type Pull struct {
	// MaxAge is how long ago every book that the quote reads may have been heard of.
	MaxAge venue.Nanos
	// MaxVol is the volatility, per square root of a second, above which there are no quotes.
	MaxVol fixed.Rate
	// Fills on one side within Window pull that side for Pause.
	Fills         int
	Window, Pause venue.Nanos
}

// Hedge covers fills at another instrument of the product.
type Hedge struct {
	Inst venue.Inst
	// Slip is how far beyond the worst price walked the limit of a hedge lies.
	Slip fixed.Rate
	// Allowance, MaxLoss (reporting currency) and Deadline are the playbook of the plan.
	Allowance          fixed.Rate
	MaxLoss            fixed.Cash
	Deadline, NotAfter venue.Nanos
	// Retry is the least time between two hedges.
	Retry venue.Nanos
	// MaxCarry, in base units, is what may stay unhedged before the side that would add to it is blocked.
	MaxCarry fixed.Qty
}

const maxRate = fixed.One

// validate returns all faults of the config, joined, each with its field path.
func (c *Config) validate(ins []*venue.Instrument) error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: missing"))
	}
	if len(c.Quotes) == 0 {
		errs = append(errs, errors.New("quotes: none"))
	}
	for i := range c.Quotes {
		q := &c.Quotes[i]
		f := faults{path: fmt.Sprintf("quotes[%d]", i)}
		if in := known(ins, q.Inst); in == nil {
			f.add("inst: unknown instrument %d", q.Inst)
		} else {
			f.path += " " + in.Name
			q.figures(in, &f)
			q.sources(ins, in, &f)
			q.hedging(ins, in, &f)
		}
		for j := range i {
			f.want(c.Quotes[j].Inst != q.Inst, "inst: quoted twice")
		}
		errs = append(errs, f.errs...)
	}
	return errors.Join(errs...)
}

func known(ins []*venue.Instrument, i venue.Inst) *venue.Instrument {
	if int(i) >= len(ins) {
		return nil
	}
	return ins[i]
}

// faults collects what is wrong with one quote.
type faults struct {
	path string
	errs []error
}

func (f *faults) add(format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s: %w", f.path, fmt.Errorf(format, args...)))
}

func (f *faults) want(ok bool, format string, args ...any) {
	if !ok {
		f.add(format, args...)
	}
}

func (f *faults) rate(name string, v, lo fixed.Rate) {
	f.want(v >= lo && v <= maxRate, "%s: unexpected %d; want %d to %d", name, v, lo, maxRate)
}

func (f *faults) span(name string, v, lo venue.Nanos) {
	f.want(v >= lo && v <= 86_400*venue.Second, "%s: unexpected %d ns; want %d ns to a day", name, v, lo)
}

func (q *Quote) figures(in *venue.Instrument, f *faults) {
	f.rate("min_half", q.MinHalf, 0)
	f.rate("min_edge", q.MinEdge, 0)
	f.rate("hysteresis", q.Hysteresis, 0)
	f.rate("step", q.Step, 0)
	f.want(q.Layers >= 1 && q.Layers <= MaxLayers, "layers: unexpected %d; want 1 to %d", q.Layers, MaxLayers)
	f.want(q.Layers == 1 || q.Step > 0, "step: missing, with %d layers", q.Layers)
	f.want(q.Qty > 0 && q.Qty <= fixed.Limit, "qty: unexpected %d; want more than 0", q.Qty)
	f.want(in.Lot > 0 && q.Qty%max(in.Lot, 1) == 0, "qty: %d is not a multiple of the lot %d", q.Qty, in.Lot)
	f.want(q.Qty >= in.MinQty, "qty: %d is below the venue's minimum %d", q.Qty, in.MinQty)
	f.want(q.MaxInventory > 0 && q.MaxInventory <= fixed.Limit, "max_inventory: unexpected %d; want more than 0", q.MaxInventory)
	f.want(in.Tick > 0, "inst: its tick is not known")
	f.want(q.PerSecond >= 1 && q.PerSecond <= 100_000, "per_second: unexpected %d; want 1 to 100000", q.PerSecond)
	f.want(q.Burst >= 1 && q.Burst <= 100_000, "burst: unexpected %d; want 1 to 100000", q.Burst)
	f.span("not_after", q.NotAfter, 1)
	f.span("pull.max_age", q.Pull.MaxAge, 1)
	f.span("pull.window", q.Pull.Window, 1)
	f.span("pull.pause", q.Pull.Pause, 1)
	f.rate("pull.max_vol", q.Pull.MaxVol, 1)
	f.want(q.Pull.Fills >= 1 && q.Pull.Fills <= maxFills, "pull.fills: unexpected %d; want 1 to %d", q.Pull.Fills, maxFills)
	if err := q.Model.Validate(); err != nil {
		f.add("model: %w", err)
	}
}

func (q *Quote) sources(ins []*venue.Instrument, in *venue.Instrument, f *faults) {
	n := len(q.Fair.Refs)
	switch q.Fair.Source {
	case Own:
		f.want(n == 0, "fair.refs: unexpected with source own")
	case Weighted:
		f.want(n >= 1 && n <= 64, "fair.refs: unexpected number; got %d; want 1 to 64", n)
		f.want(q.Fair.MinWeight > 0, "fair.min_weight: unexpected %d; want more than 0", q.Fair.MinWeight)
	case External:
		f.want(n == 1, "fair.refs: unexpected number; got %d; want 1", n)
	default:
		f.add("fair.source: unexpected %d", q.Fair.Source)
	}
	total := fixed.Rate(0)
	for k, r := range q.Fair.Refs {
		if q.Fair.Source == Weighted {
			f.rate(fmt.Sprintf("fair.refs[%d].weight", k), r.Weight, 1)
		}
		total += r.Weight
		other := known(ins, r.Inst)
		if other == nil {
			f.add("fair.refs[%d]: unknown instrument %d", k, r.Inst)
			continue
		}
		f.want(other.Product == in.Product && other.Quote == in.Quote && other.PriceScale == in.PriceScale,
			"fair.refs[%d]: %s is not of the same product and quote currency", k, other.Name)
	}
	f.want(q.Fair.Source != Weighted || total >= q.Fair.MinWeight, "fair.min_weight: more than all weights together")
}

func (q *Quote) hedging(ins []*venue.Instrument, in *venue.Instrument, f *faults) {
	h := q.Hedge
	if h == nil {
		return
	}
	other := known(ins, h.Inst)
	if other == nil || h.Inst == q.Inst {
		f.add("hedge.inst: unexpected instrument %d", h.Inst)
		return
	}
	f.want(other.Product == in.Product && other.Quote == in.Quote && other.PriceScale == in.PriceScale && other.QtyScale == in.QtyScale,
		"hedge.inst: %s is not of the same product and quote currency", other.Name)
	f.want(other.Lot > 0 && other.Tick > 0, "hedge.inst: lot or tick of %s is not known", other.Name)
	f.rate("hedge.slip", h.Slip, 0)
	f.rate("hedge.allowance", h.Allowance, 0)
	f.want(h.MaxLoss > 0 && h.MaxLoss <= fixed.Limit, "hedge.max_loss: unexpected %d; want more than 0", h.MaxLoss)
	f.want(h.MaxCarry > 0 && h.MaxCarry <= fixed.Limit, "hedge.max_carry: unexpected %d; want more than 0", h.MaxCarry)
	f.span("hedge.deadline", h.Deadline, 1)
	f.span("hedge.not_after", h.NotAfter, 1)
	f.span("hedge.retry", h.Retry, 0)
}
