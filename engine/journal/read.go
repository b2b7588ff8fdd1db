package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/orders"
)

const advice = "keep a copy of the folder, move it away, and start reduce-only: the venues' own order and fill lists are then the only truth"

// Damage is a record that was sound once and is no more, or one that no run of this program writes.
type Damage struct {
	// File is the name, Offset the byte at which the record begins.
	File   string
	Offset int64
	What   string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("journal: %s is damaged at byte %d: %s; %s", d.File, d.Offset, d.What, advice)
}

// Read replays a folder into facts. A torn record at the end of a run is counted, not an error: the process was killed
// while it wrote it. A damaged one with sound ones behind it is a *Damage, unless a lost machine explains it: a hole of
// zeros behind what was durable is counted as Lost. A folder without records gives an empty State.
func Read(dir string) (*State, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	s, _, err := read(dir)
	return s, err
}

// read also lists the files.
func read(dir string) (*State, []file, error) {
	f, err := readFence(dir)
	if err != nil {
		return nil, nil, err
	}
	numbers, err := files(dir)
	if err != nil {
		return nil, nil, err
	}
	r := newReplay()
	r.s.Ranges = f.Ranges
	var parts []layout
	for _, n := range numbers { // first only to see where each run ends
		_, l, err := load(dir, n)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, l)
	}
	for i := range parts {
		r.durable(&parts[i])
	}
	old := make([]file, len(parts))
	for i, l := range parts {
		old[i] = l.file
		old[i].records = l.lastRecord + 1
		if l.lastRecord < 0 && l.durable < l.first {
			continue // made ahead, never used; or a run that wrote nothing
		}
		b, l, err := load(dir, l.number)
		if err != nil {
			return nil, nil, err
		}
		if err := r.file(b, l, goesOn(parts[i+1:], l.epoch)); err != nil {
			return nil, nil, err
		}
	}
	return r.done(), old, nil
}

// goesOn reports whether a run has records in later files: the one before must then be full.
func goesOn(later []layout, epoch uint64) bool {
	for _, l := range later {
		if l.epoch == epoch && l.lastRecord >= 0 {
			return true
		}
	}
	return false
}

// load reads a file and finds its last valid record.
func load(dir string, number uint64) ([]byte, layout, error) {
	name := nameOf(number)
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, layout{}, fmt.Errorf("journal: %w", err)
	}
	l, err := parse(b)
	if err == nil && l.number != number {
		err = fmt.Errorf("it says that it is %s", nameOf(l.number))
	}
	if err != nil {
		return nil, l, fmt.Errorf("journal: %s: %w; %s", name, err, advice)
	}
	for i := l.capacity - 1; i >= 0; i-- {
		if r := l.record(b, i); l.valid(&r, i) {
			l.lastRecord = i
			break
		}
	}
	return b, l, nil
}

// record copies record i out of a file's bytes, which need not be aligned.
func (l *layout) record(b []byte, i int) (r record) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordBytes), b[l.head+i*recordBytes:])
	return r
}

func (l *layout) valid(r *record, i int) bool {
	return r.Seq == l.first+uint64(i) && r.Seq != 0 && r.Kind > noKind && r.Kind < kinds && r.Sum == r.sum()
}

// damage names record i.
func (l *layout) damage(i int, what string) error {
	return &Damage{nameOf(l.number), int64(l.head + i*recordBytes), what}
}

// file replays one file. full: the run goes on in another.
func (r *replay) file(b []byte, l layout, full bool) error {
	if l.first <= r.s.last {
		return l.damage(0, fmt.Sprintf("it begins with record %d, but the file before ends with %d", l.first, r.s.last))
	}
	r.begin(&l)
	for i := range l.capacity {
		x := l.record(b, i)
		seq := l.first + uint64(i)
		if l.valid(&x, i) {
			if err := r.apply(&x); err != nil {
				return l.damage(i, err.Error())
			}
			r.s.last = seq
			r.s.Records++
			continue
		}
		zero := x == record{}
		switch {
		case seq <= r.proven[l.epoch]:
			return l.damage(i, fmt.Sprintf("record %d was durable and is no more", seq))
		case i > l.lastRecord && !full:
			if !zero {
				r.s.Torn++
			}
		case zero:
			r.s.Lost++
		default:
			return l.damage(i, fmt.Sprintf("the checksum of record %d is wrong, and sound records follow", seq))
		}
	}
	return nil
}

// replay folds records into a State.
type replay struct {
	s       *State
	l       *layout
	orders  map[uint64]*Order // by client id
	slots   map[uint32]*Order // of the run at hand
	list    []*Order          // as they came
	values  map[string]int
	pending *checkpoint
	cut     bool // the oldest file may begin within a checkpoint, whose place a later one has taken
	closed  bool
	proven  map[uint64]uint64 // by epoch: the last record that was durable
}

// checkpoint is one that has begun and not ended.
type checkpoint struct {
	positions []Position
	balances  []Balance
	orders    []*Order
	n, filled uint64
	at        venue.Nanos
}

func newReplay() *replay {
	return &replay{s: &State{Known: map[Trade]struct{}{}}, orders: map[uint64]*Order{}, values: map[string]int{}, proven: map[uint64]uint64{}}
}

// begin takes over the names of a file.
func (r *replay) begin(l *layout) {
	r.cut = r.cut || r.l == nil && l.first > 1
	if r.l == nil || r.l.epoch != l.epoch {
		r.slots, r.pending = map[uint32]*Order{}, nil
	}
	r.l = l
}

// durable notes how far a file says that its run was synced.
func (r *replay) durable(l *layout) {
	r.proven[l.epoch] = max(r.proven[l.epoch], l.durable)
	r.s.Epoch = max(r.s.Epoch, l.epoch)
	r.s.Durable.Seq = max(r.s.Durable.Seq, l.durable)
	r.s.Durable.At = max(r.s.Durable.At, l.durableAt)
}

var errNames = errors.New("it names an instrument, venue or currency that its run does not have")

// apply folds one valid record. An error says that no run writes such a record.
func (r *replay) apply(x *record) error {
	if r.s.Since == 0 {
		r.s.Since = x.At
	}
	r.closed = x.Kind == closed
	if r.pending != nil && x.Kind != end {
		r.pending.n++
	}
	switch x.Kind {
	case intent:
		return r.intent(as[venue.Command](x))
	case report:
		r.report(as[venue.Report](x))
	case named:
		r.value(as[value](x))
	case missed:
		g := as[gap](x)
		if r.s.Missed.Count == 0 || g.Since < r.s.Missed.Since {
			r.s.Missed.Since = g.Since
		}
		r.s.Missed.Count += g.N
	case begin:
		r.pending, r.cut = &checkpoint{at: x.At, filled: as[span](x).N}, false
	case holding, balance, working, end:
		return r.checkpoint(x)
	}
	return nil
}

func (r *replay) intent(c *venue.Command) error {
	if c.Op == venue.CancelAll {
		return nil // what it leaves of each order, reports say
	}
	if c.Op == venue.New {
		if c.Side != venue.Buy && c.Side != venue.Sell {
			return errors.New("an order without a side")
		}
		o := &Order{Order: orders.Placed(c)}
		if !r.name(o) {
			return errNames
		}
		r.add(o)
		return nil
	}
	o := r.orders[c.Target]
	if c.Op != venue.Cancel && c.Op != venue.Amend {
		return fmt.Errorf("a command of kind %d", c.Op)
	}
	if o == nil {
		r.s.Orphans++
	} else if !o.State.Done() {
		orders.Asked(&o.Order, c)
	}
	return nil
}

func (r *replay) add(o *Order) {
	r.orders[o.Client] = o
	r.slots[o.Slot] = o
	r.list = append(r.list, o)
}

// name fills in what the run called the order's venue and instrument.
func (r *replay) name(o *Order) bool {
	in, ok := r.l.names.instrument(o.Inst)
	v, ok2 := nameAt(r.l.names.Venues, int(o.Venue))
	o.VenueName, o.Instrument, o.PriceScale, o.QtyScale = v, in.Name, in.PriceScale, in.QtyScale
	return ok && ok2
}

// report moves the order that it speaks of. One of somebody else's, or of an order that is no longer kept, is counted.
func (r *replay) report(p *venue.Report) {
	o := r.orders[p.Client]
	if p.Client == 0 {
		o = r.slots[p.Slot]
	}
	in, _ := r.l.names.instrument(p.Inst)
	if o == nil || o.Instrument != in.Name {
		r.s.Orphans++
		return
	}
	switch p.Kind {
	case venue.Fill:
		r.fill(p, o)
		return
	case venue.NotFound:
		o.NotFound++
	}
	orders.Advance(&o.Order, p)
}

// fill books one fill as the engine does: what is known already changes nothing, and what comes in totals counts by what
// they add.
func (r *replay) fill(p *venue.Report, o *Order) {
	f := Fill{Report: *p, Side: o.Side, VenueName: o.VenueName, Instrument: o.Instrument}
	f.Fill = orders.Increment(&o.Order, p)
	f.FeeCurrency, _ = nameAt(r.l.names.Currencies, int(p.FeeCcy)) // none where no fee was charged
	t := f.Trade()
	if _, known := r.s.Known[t]; known || f.Fill <= 0 {
		return
	}
	if t.ID != "" {
		r.s.Known[t] = struct{}{}
	}
	r.s.Fills = append(r.s.Fills, f)
	orders.Advance(&o.Order, p)
}

func (r *replay) value(v *value) {
	x := Value{Name: text(v.Name[:]), Text: text(v.Text[:]), Value: v.Value, Scale: v.Scale, At: v.At}
	if i, ok := r.values[x.Name]; ok {
		r.s.Values[i] = x
		return
	}
	r.values[x.Name] = len(r.s.Values)
	r.s.Values = append(r.s.Values, x)
}

// checkpoint gathers one, and at its end makes it the state.
func (r *replay) checkpoint(x *record) error {
	p := r.pending
	if p == nil && r.cut {
		return nil
	}
	if p == nil {
		return errors.New("a part of a checkpoint that has not begun")
	}
	switch x.Kind {
	case holding:
		h := as[position](x)
		in, ok := r.l.names.instrument(h.Inst)
		if !ok {
			return errNames
		}
		p.positions = append(p.positions, Position{in.Name, in.PriceScale, in.QtyScale, h.Qty, h.Avg, h.Realised, h.Fees})
	case balance:
		b := as[free](x)
		v, ok := nameAt(r.l.names.Venues, int(b.Venue))
		c, ok2 := nameAt(r.l.names.Currencies, int(b.Ccy))
		if !ok || !ok2 {
			return errNames
		}
		p.balances = append(p.balances, Balance{v, c, b.Amount})
	case working:
		o := &Order{Order: *as[desk.Order](x)}
		if !r.name(o) {
			return errNames
		}
		p.orders = append(p.orders, o)
	case end:
		if n := as[span](x).N; n != p.n {
			return fmt.Errorf("a checkpoint of %d records that says it has %d", p.n, n)
		}
		r.commit(p)
	}
	return nil
}

// commit replaces what is known by what a whole checkpoint says. Orders that have ended stay known for late fills.
func (r *replay) commit(p *checkpoint) {
	r.pending = nil
	s := r.s
	s.Filled = p.filled
	s.CheckpointAt, s.Positions, s.Balances, s.Fills = p.at, p.positions, p.balances, nil
	s.Missed = Missed{}
	kept := r.list[:0:0]
	live := map[uint64]bool{}
	for _, o := range p.orders {
		live[o.Client] = true
	}
	for _, o := range r.list {
		if live[o.Client] {
			continue // replaced below
		}
		if !o.State.Done() {
			o.State = desk.Cancelled // the engine held it no more
		}
		kept = append(kept, o)
	}
	r.list = kept
	for _, o := range p.orders {
		r.add(o)
	}
}
