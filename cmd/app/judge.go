package app

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/feeds/venuesim"
)

// DemoReport is what the demo knows beyond the session: the faults that struck, and how the books stood against the
// simulators' own.
type DemoReport struct {
	Seed   uint64            `json:"seed"`
	Faults map[string]uint64 `json:"faults"`
	// TruthCompared Live books were held against the simulator's at the id that they claim; TruthWrong differed.
	TruthCompared uint64 `json:"truth_compared"`
	TruthWrong    uint64 `json:"truth_wrong"`
	FirstWrong    string `json:"first_wrong,omitempty"`
	// DownMaxMs is the longest that a book was not Live. LiveAgainMaxMs leaves out what could not be helped: it counts from
	// the venue's last fault, or from the next attempt that its budget or the backoff allowed, where that was later.
	DownMaxMs      int64 `json:"down_max_ms"`
	LiveAgainMaxMs int64 `json:"live_again_max_ms"`
	// OrdersNotLive left on a book that the audit does not show as Live then.
	OrdersNotLive uint64 `json:"orders_not_live"`
}

func (r *DemoReport) text(w io.Writer) {
	if len(r.Faults) > 0 {
		fmt.Fprint(w, "faults:")
		for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
			fmt.Fprintf(w, " %s %d", name, r.Faults[name])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "books compared with the venues' own: %d, wrong %d; orders on a book that was not live: %d\n", r.TruthCompared, r.TruthWrong, r.OrdersNotLive)
	fmt.Fprintf(w, "longest without a live book: %d ms, %d ms of it after the last fault and within the venue's budget\n", r.DownMaxMs, r.LiveAgainMaxMs)
}

// judge is a tap that holds the engine's books against the simulators' own. It sees the books as the step before left
// them and decides nothing.
type judge struct {
	l     *Live
	venue []*simVenue            // by instrument
	pairs []*venuesim.PairConfig // by instrument
	down  []venue.Nanos          // by instrument: since when it is not Live, 0 while it is
	now   venue.Nanos
	turn  int
	bids  []venue.Level
	asks  []venue.Level
	count DemoReport
}

func newJudge(l *Live, s *Simulators) *judge {
	n := len(l.Instruments)
	j := &judge{l: l, venue: make([]*simVenue, n), pairs: make([]*venuesim.PairConfig, n), down: make([]venue.Nanos, n)}
	for _, in := range l.Instruments[1:] {
		for k := range s.Venues {
			v := &s.Venues[k]
			for i := range v.pairs {
				if v.name == l.Venues[in.Venue].Name && v.pairs[i].Symbol == in.Symbol {
					j.venue[in.Inst], j.pairs[in.Inst] = v, &v.pairs[i]
				}
			}
		}
	}
	return j
}

// judgeOneIn is how many batches pass between two comparisons of one book.
const judgeOneIn = 16

// Frame looks at how every book stands, and into one of them in turn.
func (j *judge) Frame(b *engine.Batch) {
	j.turn++
	j.now = b.Now
	for _, in := range j.l.Instruments[1:] {
		j.liveness(in)
	}
	if j.turn%judgeOneIn == 0 {
		j.compare(j.l.Instruments[1+(j.turn/judgeOneIn)%(len(j.l.Instruments)-1)])
	}
}

// compare holds one Live book against the simulator's.
func (j *judge) compare(in *venue.Instrument) {
	book, v := j.l.Engine.Desk().Book(in.Inst), j.venue[in.Inst]
	if book.State() != books.Live || v == nil {
		return
	}
	j.bids, j.asks = j.top(j.bids[:0], book, in, venue.Buy), j.top(j.asks[:0], book, in, venue.Sell)
	same, known := v.sim.Matches(in.Symbol, book.Seq(), j.bids, j.asks)
	if !known {
		return
	}
	j.count.TruthCompared++
	if !same {
		j.count.TruthWrong++
		if j.count.FirstWrong == "" {
			j.count.FirstWrong = fmt.Sprintf("%s at %d: bids %v, asks %v", in.Name, book.Seq(), j.bids, j.asks)
		}
	}
}

// liveness measures how long a book is not Live, from its first time on.
func (j *judge) liveness(in *venue.Instrument) {
	book := j.l.Engine.Desk().Book(in.Inst)
	switch {
	case book.State() == books.Live:
		if j.down[in.Inst] > 0 {
			j.downtime(in)
		}
		j.down[in.Inst] = 0
	case j.down[in.Inst] == 0 && book.Counters().Snapshots > 0:
		j.down[in.Inst] = j.now
	}
}

// downtime counts what a book was not Live until now.
func (j *judge) downtime(in *venue.Instrument) {
	from := j.down[in.Inst]
	j.count.DownMaxMs = max(j.count.DownMaxMs, int64((j.now-from)/venue.Millisecond))
	if v := j.venue[in.Inst]; v != nil {
		from = max(from, v.faults.Last(), j.l.Feeders[in.Venue].Until())
	}
	j.count.LiveAgainMaxMs = max(j.count.LiveAgainMaxMs, int64((j.now-from)/venue.Millisecond))
}

// top is the best levels of a side in the simulator's units, which are never finer than the product's.
func (j *judge) top(dst []venue.Level, b *books.Book, in *venue.Instrument, side venue.Side) []venue.Level {
	p, q := fixed.Pow10(in.PriceScale-j.pairs[in.Inst].PriceScale), fixed.Pow10(in.QtyScale-j.pairs[in.Inst].QtyScale)
	for c := b.Rows(side); len(dst) < 10 && c.Next(); {
		dst = append(dst, venue.Level{Price: c.Price / fixed.Price(p), Qty: c.Qty / fixed.Qty(q)})
	}
	return dst
}

// report is what was found; a book that is not Live at the end counts until then. The session has ended.
func (j *judge) report() *DemoReport {
	for _, in := range j.l.Instruments[1:] {
		if j.down[in.Inst] > 0 {
			j.downtime(in)
		}
	}
	r := j.count
	return &r
}

// notLive counts the orders and amends that an audit shows to have left while the book of their instrument was not Live.
// It reads nothing but the lines.
func notLive(dir string, epoch uint64) (n uint64, err error) {
	live := map[string]bool{}
	err = audit.Show(dir, audit.Filter{Epoch: epoch}, func(e *audit.Entry) error {
		switch {
		case e.Kind == audit.Book.String():
			live[e.Instrument] = e.State == books.Live.String()
		case e.Kind == audit.Order.String() && e.Op != venue.Cancel.String() && e.Op != venue.CancelAll.String() && !live[e.Instrument]:
			n++
		}
		return nil
	})
	return n, err
}
