// Package orders is the order state machine: what we asked, what the venue answered, and what may still fill.
//
// States: Pending → Sent → Open → PartlyFilled → Filled | Cancelled | Rejected | Expired, with PendingCancel, PendingAmend
// and Unknown. Only venue evidence ends Unknown; nothing of unknown fate is ever resent. A cancel acknowledgement closes
// an order only when cumulative fills agree. Fills after a terminal state are legal and are booked.
//
// Ownership: the engine goroutine. The table writes Desk.Orders, Desk.Live and Desk.Working and nothing else does.
//
// Decisions
//   - 2026-11-25: slots are reused first-in first-out, so that a late report finds its own order in its slot for as long
//     as the table allows; a report whose client id is not the slot's is an orphan and is reported, never applied.
//   - 2026-11-25: Working is recomputed from an instrument's live orders on each change. They are few, and a sum that is
//     rebuilt cannot drift.
//   - 2026-11-25: client ids are epoch << 32 | sequence: four billion starts of four billion orders. An epoch can so be the second
//     of its start, and ids differ between runs that share no folder: an account outlives its folders, and a venue that
//     knows an id answers with the order that had it.
package orders

import (
	"slices"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/planted"
	"oneprice/books/venue"
)

// seqBits is the width of the sequence inside a client id.
const seqBits = 32

// Seq is the sequence inside a client id, Epoch the run that gave it.
func Seq(client uint64) uint64   { return client & (1<<seqBits - 1) }
func Epoch(client uint64) uint64 { return client >> seqBits }

// ID is the client id of a run's epoch and a sequence, of which LastSequence is the highest.
func ID(epoch, sequence uint64) uint64 { return epoch<<seqBits | sequence }

// LastSequence is the highest sequence of a client id.
const LastSequence = 1<<seqBits - 1

// Table holds every order of the engine.
type Table struct {
	d     *desk.Desk
	epoch uint64
	next  uint64
	limit uint64
	free  []uint32 // FIFO of free slots: head..head+n
	head  int
	n     int
	taken []uint64 // ids of earlier runs whose orders were adopted
	ended []end    // by sequence: what the newest orders that have ended came to
	stats Counters
}

// end is what is left of an order once its slot has made room for another.
type end struct {
	client uint64
	filled fixed.Qty
}

// endsPerSlot is how many ended orders are remembered for each slot.
const endsPerSlot = 16

// Counters are exact tallies since New.
type Counters struct {
	Opened, Fills, Cancelled, Rejected, Expired, Filled, Unknown, Orphans, LateFills uint64
}

// Effect is what one report did to its order.
type Effect struct {
	// Order is the order concerned; nil for an orphan.
	Order *desk.Order
	// Fill is the newly booked quantity, 0 for none.
	Fill fixed.Qty
	// Was is the state before.
	Was desk.OrderState
	// Closed: the order ended with this report. Failure is why it counts against the venue, OK otherwise.
	Closed bool
}

// New makes a table over the order slots of d. epoch distinguishes this run from all others of the same account; ids up
// to limit may be used until Reserve raises it. It panics on an epoch beyond 24 bits, whose ids would repeat earlier ones.
func New(d *desk.Desk, epoch, limit uint64) *Table {
	if epoch >= 1<<(64-seqBits) {
		panic("orders: the epoch does not fit in a client id")
	}
	t := &Table{d: d, epoch: epoch << seqBits, next: 1, limit: min(limit, 1<<seqBits-1), free: make([]uint32, len(d.Orders)), n: len(d.Orders) - 1,
		ended: make([]end, endsPerSlot*len(d.Orders))}
	for i := 1; i < len(d.Orders); i++ { // slot 0 is no order
		t.free[i-1] = uint32(i)
	}
	return t
}

// Reserve allows ids up to and including limit, after the range has been made durable.
func (t *Table) Reserve(limit uint64) { t.limit = max(t.limit, min(limit, 1<<seqBits-1)) }

// Room is the number of orders that can still be opened now.
func (t *Table) Room() int { return min(t.n, int(t.limit-t.next+1)) }

// Stats returns the tallies.
func (t *Table) Stats() Counters { return t.stats }

// Open gives an approved new order its slot and client id and records it as Pending. False when the table or the id range
// is full: the command must then not be sent.
func (t *Table) Open(c *venue.Command) bool {
	if t.n == 0 || t.next > t.limit {
		return false
	}
	slot := t.free[t.head]
	t.head = (t.head + 1) % len(t.free)
	t.n--
	c.Slot, c.Client = slot, t.epoch|t.next
	t.next++
	t.d.Orders[slot] = Placed(c)
	t.d.Live[c.Inst] = append(t.d.Live[c.Inst], slot)
	t.stats.Opened++
	count(&t.d.Working[c.Inst], &t.d.Orders[slot])
	return true
}

// Ask records an approved cancel or amend of a live order and completes the command with its slot. False when the target
// is unknown or already done, or when an amend meets a pending request: the command must then not be sent.
func (t *Table) Ask(c *venue.Command) bool {
	o := t.find(c.Inst, c.Target)
	if o == nil || t.next > t.limit {
		return false
	}
	if c.Op == venue.Amend {
		if o.State != desk.Open && o.State != desk.PartlyFilled || o.Ending != desk.NoOrder {
			return false
		}
	}
	c.Slot, c.Client = o.Slot, t.epoch|t.next
	t.next++
	Asked(o, c)
	t.recount(o.Inst)
	return true
}

// Placed is the order that a New with its slot and client id makes.
func Placed(c *venue.Command) desk.Order {
	return desk.Order{State: desk.Pending, Side: c.Side, Type: c.Type, TIF: c.TIF, Role: c.Role, Leg: c.Leg, Venue: c.Venue,
		Flags: c.Flags, Strategy: c.Strategy, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Plan: c.Plan, Price: c.Price, Qty: c.Qty,
		SentAt: c.Decided, NotAfter: c.NotAfter}
}

// Asked notes on an order that a Cancel or Amend of it leaves.
func Asked(o *desk.Order, c *venue.Command) {
	o.AskedAt = c.Decided
	if c.Op == venue.Amend {
		o.NextPrice, o.NextQty, o.NextClient = c.Price, c.Qty, c.Client
		o.State = desk.PendingAmend
	} else if o.State != desk.Unknown { // an Unknown order may be cancelled by id, and stays Unknown until the venue speaks
		o.State = desk.PendingCancel
	}
}

// Overdue reports whether an order, or what was asked of it, has been without an answer for longer than within: a sending,
// a cancel or amend, the end of an order that does not rest, or the fills that its end has stated.
func Overdue(o *desk.Order, now, within venue.Nanos) bool {
	switch o.State {
	case desk.Pending, desk.Sent:
		return now-o.SentAt > within
	case desk.PendingCancel, desk.PendingAmend:
		return now-max(o.AskedAt, o.AckAt) > within // a sweep that finds it standing says so by an Ack
	case desk.Open, desk.PartlyFilled:
		return (o.TIF != venue.GTC || o.Ending != desk.NoOrder) && now-max(o.SentAt, o.AskedAt, o.AckAt) > within
	}
	return false
}

// find returns the live order of an instrument with that client id.
func (t *Table) find(i venue.Inst, client uint64) *desk.Order {
	for _, s := range t.d.Live[i] {
		if o := &t.d.Orders[s]; o.Client == client {
			return o
		}
	}
	return nil
}

// Adopt takes over an order that stands at its venue from an earlier run, in the slot that its gateway knows it by. Before
// the first Open. False when there is no such slot, or it is taken.
func (t *Table) Adopt(o *desk.Order) bool {
	i := slices.Index(t.free[:t.n], o.Slot) // before the first Open the free slots begin at 0
	if i < 0 || t.head != 0 {
		return false
	}
	copy(t.free[i:], t.free[i+1:t.n])
	t.n--
	t.taken = append(t.taken, o.Client)
	if o.NextClient != 0 {
		t.taken = append(t.taken, o.NextClient)
	}
	t.d.Orders[o.Slot] = *o
	t.d.Live[o.Inst] = append(t.d.Live[o.Inst], o.Slot)
	t.recount(o.Inst)
	return true
}

// Gave reports whether this run has given a client id, to an order or to what was asked of one, or has adopted its order:
// the order is here, or was here and has ended. No other id of our space belongs to an order that this run knows.
func (t *Table) Gave(client uint64) bool {
	seq := Seq(client)
	return Epoch(client) == t.epoch>>seqBits && seq > 0 && seq < t.next || slices.Contains(t.taken, client)
}

// Told reports whether a fill that states its order's total, of an order that has ended and perhaps made room for another, says
// nothing new: a venue that is asked for the last minutes repeats them. The newest orders are remembered, endsPerSlot times
// as many as there are slots.
func (t *Table) Told(r *venue.Report) bool {
	e := &t.ended[Seq(r.Client)%uint64(len(t.ended))]
	return r.Kind == venue.Fill && e.client == r.Client && e.client != 0 && totals(r) && r.Cum <= e.filled
}

// Take gives a client id to a command on an order that is in no slot. False when the range is used up.
func (t *Table) Take() (client uint64, ok bool) {
	if t.next > t.limit {
		return 0, false
	}
	t.next++
	return t.epoch | (t.next - 1), true
}

// Lookup returns the order that a report speaks of, or nil: slot and client id must agree.
func (t *Table) Lookup(r *venue.Report) *desk.Order {
	if int(r.Slot) >= len(t.d.Orders) || r.Slot == 0 {
		return nil
	}
	o := &t.d.Orders[r.Slot]
	if o.State == desk.NoOrder || o.Inst != r.Inst || (o.Client != r.Client && r.Client != 0) {
		return nil
	}
	return o
}

// Apply advances the order that r speaks of. Duplicate fills must have been dropped before.
func (t *Table) Apply(r *venue.Report, now venue.Nanos) Effect {
	o := t.Lookup(r)
	if o == nil {
		t.stats.Orphans++
		return Effect{}
	}
	e := Effect{Order: o, Was: o.State}
	e.Fill = Advance(o, r)
	if e.Fill > 0 {
		t.stats.Fills++
		if e.Was.Done() {
			t.stats.LateFills++
		}
	}
	if o.State == desk.Unknown && e.Was != desk.Unknown {
		t.stats.Unknown++
	}
	if o.State.Done() && !e.Was.Done() {
		e.Closed = true
		o.EndAt = now
		t.close(o)
	}
	if o.State.Done() {
		t.ended[Seq(o.Client)%uint64(len(t.ended))] = end{o.Client, o.Filled}
	}
	t.recount(o.Inst)
	return e
}

// TimeOut turns a live order whose answer is overdue into Unknown. It reports whether the state changed.
func (t *Table) TimeOut(o *desk.Order) bool {
	switch o.State {
	case desk.NoOrder, desk.Unknown, desk.Filled, desk.Cancelled, desk.Rejected, desk.Expired:
		return false
	}
	if planted.On(planted.TimeoutIsRejected) {
		o.State = desk.Rejected
		t.close(o)
		t.recount(o.Inst)
		return true
	}
	o.State = desk.Unknown
	t.stats.Unknown++
	t.recount(o.Inst)
	return true
}

// close takes a done order off the live list and frees its slot, last in line.
func (t *Table) close(o *desk.Order) {
	live := t.d.Live[o.Inst]
	for i, s := range live {
		if s == o.Slot {
			copy(live[i:], live[i+1:]) // keeps the order of age
			t.d.Live[o.Inst] = live[:len(live)-1]
			break
		}
	}
	t.free[(t.head+t.n)%len(t.free)] = o.Slot
	t.n++
	switch o.State {
	case desk.Filled:
		t.stats.Filled++
	case desk.Cancelled:
		t.stats.Cancelled++
	case desk.Rejected:
		t.stats.Rejected++
	case desk.Expired:
		t.stats.Expired++
	}
}

// recount rebuilds what may still fill in an instrument.
func (t *Table) recount(i venue.Inst) {
	var w desk.Working
	for _, s := range t.d.Live[i] {
		count(&w, &t.d.Orders[s])
	}
	t.d.Working[i] = w
}

// count adds what may still fill of one live order.
func count(w *desk.Working, o *desk.Order) {
	q := o.Remaining()
	if o.Side == venue.Buy {
		w.Buys++
		w.BuyQty += q
		w.BuyWorst = max(w.BuyWorst, o.Price, o.NextPrice)
		return
	}
	p := o.Price
	if o.NextPrice != 0 {
		p = min(p, o.NextPrice)
	}
	w.Sells++
	w.SellQty += q
	if w.SellWorst == 0 || p < w.SellWorst {
		w.SellWorst = p
	}
}
