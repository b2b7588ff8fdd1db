package orders

import (
	"slices"

	"oneprice/books/desk"
)

// Snapshot is all that a Table of one slot and the Desk below it hold, in a form that compares: equal snapshots behave
// alike. Counters are left out.
type Snapshot struct {
	Order              desk.Order // of slot 1, the only one
	Live, Free         bool       // slot 1 is on the live list, and among the free ones
	Epoch, Next, Limit uint64
	Taken              [4]uint64
	Working            desk.Working
}

// Save takes the snapshot of a table over instrument 1.
func (t *Table) Save() (s Snapshot) {
	s = Snapshot{Order: t.d.Orders[1], Live: slices.Contains(t.d.Live[1], 1), Free: t.n == 1, Epoch: t.epoch, Next: t.next, Limit: t.limit, Working: t.d.Working[1]}
	if copy(s.Taken[:], t.taken) < len(t.taken) || len(t.d.Orders) != 2 || len(t.d.Live[1]) > 1 {
		panic("orders: more than a snapshot holds")
	}
	return s
}

// Load makes the table what it was.
func (t *Table) Load(s *Snapshot) {
	t.d.Orders[1], t.d.Working[1], t.d.Live[1] = s.Order, s.Working, t.d.Live[1][:0]
	if s.Live {
		t.d.Live[1] = append(t.d.Live[1], 1)
	}
	t.head, t.n, t.free[0] = 0, 0, 1
	if s.Free {
		t.n = 1
	}
	t.epoch, t.next, t.limit, t.taken, t.stats = s.Epoch, s.Next, s.Limit, t.taken[:0], Counters{}
	for _, id := range s.Taken {
		if id != 0 {
			t.taken = append(t.taken, id)
		}
	}
}
