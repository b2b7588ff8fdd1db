package journal

import (
	"errors"
	"fmt"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/orders"
)

// ErrFull is the answer of Note, Checkpoint and End when there is no room.
var ErrFull = errors.New("journal: no room")

// Intent keeps a command before it is submitted. False for a New or Amend: it must not leave, for its id is not reserved,
// records are short, or the disk has failed. False for a cancel: it is not kept, and may leave. The engine only.
func (j *Journal) Intent(c *venue.Command) bool {
	if c.Op == venue.New || c.Op == venue.Amend {
		if !j.allows(orders.Seq(c.Client)) {
			return false
		}
	}
	r := j.cell()
	if r == nil {
		return false
	}
	*as[venue.Command](r) = *c
	j.seal(r, intent, c.Decided)
	return true
}

// Report keeps what a report proves of an order; one that proves nothing that is not known takes no room. False: there
// was none, which is itself remembered. The engine only.
func (j *Journal) Report(p *venue.Report) bool {
	if !proves(p) {
		return true
	}
	if p.Kind == venue.Fill {
		j.fills++
	}
	r := j.cell()
	if r == nil {
		if j.missed == 0 || p.Recv < j.missedSince {
			j.missedSince = p.Recv
		}
		j.missed++
		j.owing = true
		return false
	}
	*as[venue.Report](r) = *p
	j.seal(r, report, p.Recv)
	return true
}

// proves leaves out what a restart asks the venue for anyway. A command that left, or may have left, is known by its
// intent; one that did not is.
func proves(p *venue.Report) bool {
	switch p.Kind {
	case venue.SentReport:
		return venue.Sent(p.Flags) == venue.NotSent
	case venue.Balance, venue.PositionIs, venue.NoReport:
		return false
	}
	return true
}

// Operator keeps a kill of everything, of a venue or of a strategy, and its lifting; what else an operator does ends with the run. False: no room now; it is written
// when there is. The engine only.
func (j *Journal) Operator(k venue.OpKind, v venue.ID, strategy uint16, now venue.Nanos) bool {
	kills, i := j.kills, int(v)
	if strategy != 0 {
		kills, i = j.stops, int(strategy)
	}
	if k != venue.OpKill && k != venue.OpLift || i >= len(kills) {
		return true
	}
	x := &j.values[kills[i]]
	x.Value, x.At = 0, now
	if k == venue.OpKill {
		x.Value = 1
	}
	return j.put(x)
}

// Note keeps a small named value, the last of its name: a day's order count, a realised loss, a waiver with its text.
// scale is the value's decimals. ErrFull: it is written when there is room; any other error: it is not kept. The first of
// a name allocates. The engine only.
func (j *Journal) Note(name, text string, amount int64, scale uint8, now venue.Nanos) error {
	if len(name) == 0 || len(name) > MaxName || len(text) > MaxText {
		return fmt.Errorf("journal: a name of %d bytes (1..%d) with a text of %d (0..%d)", len(name), MaxName, len(text), MaxText)
	}
	x := &j.values[j.place(name)]
	x.Value, x.Scale, x.At = amount, scale, now
	x.Text = [MaxText + 1]byte{}
	x.Text[0] = uint8(copy(x.Text[1:], text))
	if !j.put(x) {
		return ErrFull
	}
	return nil
}

// place finds or makes the value of a name.
func (j *Journal) place(name string) int {
	for i := range j.values {
		if n := &j.values[i].Name; string(n[1:1+n[0]]) == name {
			return i
		}
	}
	var x value
	x.Name[0] = uint8(copy(x.Name[1:], name))
	j.values = append(j.values, x)
	return len(j.values) - 1
}

// adopt takes over what earlier runs noted, and makes a place for every kill.
func (j *Journal) adopt(before []Value) {
	for _, v := range before {
		x := &j.values[j.place(v.Name)]
		x.Value, x.Scale, x.At = v.Value, v.Scale, v.At
		x.Text[0] = uint8(copy(x.Text[1:], v.Text))
	}
	j.kills = make([]int, len(j.cfg.Venues))
	for v, name := range j.cfg.Venues {
		if v == 0 {
			name = ""
		}
		j.kills[v] = j.place(killName(name))
	}
	j.stops = make([]int, len(j.cfg.Strategies))
	for s, name := range j.cfg.Strategies {
		if s > 0 {
			j.stops[s] = j.place(stopName(name))
		}
	}
}

// killName is the value that says whether a venue, or everything, is killed; stopName whether a strategy is.
func killName(venue string) string    { return "kill:" + venue }
func stopName(strategy string) string { return "kill strategy:" + strategy }

// put writes a value, or owes it.
func (j *Journal) put(x *value) bool {
	x.Owed, j.owing = true, true
	return j.settle()
}

// Room reports whether new orders fit: records and reserved ids. The engine only.
func (j *Journal) Room() bool { return j.allows(j.id) && j.id < j.limit && (!j.owing || j.settle()) }

// allows reports whether an order with this id may be kept.
func (j *Journal) allows(id uint64) bool {
	j.id = max(j.id, id)
	if j.id+j.cfg.Block/2 > j.limit {
		j.used.Store(j.id) // Run reserves more
		j.limit = j.reserved.Load()
	}
	return id <= j.limit && (j.left() > j.kept || j.next.Load() != nil) && !j.broken.Load()
}

// left is the room of the file at work.
func (j *Journal) left() int { return len(j.cells) - j.pos }

// cell is the next record, all zero; nil when there is none. What is owed goes first.
func (j *Journal) cell() *record {
	if j.owing && !j.settle() {
		return nil
	}
	return j.turn()
}

// turn is cell where the file at work may have ended.
func (j *Journal) turn() *record {
	if j.pos == len(j.cells) {
		s := j.next.Swap(nil)
		if s == nil {
			return nil
		}
		j.cells, j.pos = s.cells, 0
	}
	return &j.cells[j.pos]
}

// seal completes the record that cell gave and publishes it.
func (j *Journal) seal(r *record, k kind, at venue.Nanos) {
	j.seq++
	r.Kind, r.Seq, r.At = k, j.seq, at
	r.Sum = r.sum()
	j.pos++
	j.written.Store(j.seq)
}

// settle writes what found no room before. False: there is still not enough.
func (j *Journal) settle() bool {
	if j.missed > 0 {
		r := j.turn()
		if r == nil {
			return false
		}
		*as[gap](r) = gap{j.missed, j.missedSince}
		j.seal(r, missed, j.missedSince)
		j.missed = 0
	}
	for i := range j.values {
		x := &j.values[i]
		if !x.Owed {
			continue
		}
		r := j.turn()
		if r == nil {
			return false
		}
		x.Owed = false
		*as[value](r) = *x
		j.seal(r, named, x.At)
	}
	j.owing = false
	return true
}

// Checkpoint keeps what the engine holds at an instant: positions, balances, live orders, values. Recovery then needs nothing
// older, and Run removes files behind it. Write one when start-up has reconciled, and from time to time. The engine only,
// between Steps.
func (j *Journal) Checkpoint(d *desk.Desk, now venue.Nanos) error {
	if j.owing && !j.settle() {
		return ErrFull
	}
	n := len(j.values)
	for i := range d.Positions {
		n += len(d.Live[i])
		if d.Positions[i] != (desk.Position{}) {
			n++
		}
	}
	for v := range d.Balances {
		n += len(d.Balances[v])
	}
	if j.left() < n+2 && j.next.Load() == nil || n+2 > j.cfg.Capacity {
		return ErrFull
	}
	from := j.seq + 1
	r := j.turn()
	*as[span](r) = span{j.fills}
	j.seal(r, begin, now)
	j.holdings(d, now)
	for i := range j.values {
		j.values[i].Owed, j.owing = true, true
	}
	j.settle() // it has room, as seen above
	r = j.turn()
	*as[span](r) = span{j.seq - from}
	j.seal(r, end, now)
	j.point.end.Store(j.seq)
	j.point.begin.Store(from)
	return nil
}

// Stepped makes a checkpoint once half a file has been written since the last, so that a restart reads little. Without room
// it is made after a later step. The engine only.
func (j *Journal) Stepped(d *desk.Desk) {
	if j.seq-j.point.begin.Load() > uint64(j.cfg.Capacity/2) {
		_ = j.Checkpoint(d, d.Now) // ErrFull alone: tried again after the next step
	}
}

// holdings writes positions, balances and live orders; Checkpoint has seen that they fit.
func (j *Journal) holdings(d *desk.Desk, now venue.Nanos) {
	for i := range d.Positions {
		if p := &d.Positions[i]; *p != (desk.Position{}) {
			r := j.turn()
			*as[position](r) = position{venue.Inst(i), p.Qty, p.Avg, p.Realised, p.Fees}
			j.seal(r, holding, now)
		}
		for _, s := range d.Live[i] {
			r := j.turn()
			*as[desk.Order](r) = d.Orders[s]
			j.seal(r, working, now)
		}
	}
	for v := range d.Balances {
		for c, amount := range d.Balances[v] {
			if amount != 0 {
				r := j.turn()
				*as[free](r) = free{venue.ID(v), venue.Ccy(c), amount}
				j.seal(r, balance, now)
			}
		}
	}
}

// End is the run's last record: it ended in order. The engine only.
func (j *Journal) End(now venue.Nanos) error {
	r := j.cell()
	if r == nil {
		return ErrFull
	}
	j.seal(r, closed, now)
	return nil
}
