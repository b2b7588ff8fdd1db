package engine

import (
	"sync"
	"sync/atomic"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/legs"
	"oneprice/engine/orders"
	"oneprice/risk/ledger"
	"oneprice/risk/stops"
)

// Status is what the engine tells readers outside of itself: figures of one instant, copied between two Steps.
type Status struct {
	Now       venue.Nanos
	Counters  Counters
	Orders    orders.Counters
	Plans     legs.Counters
	Active    int
	Doubts    int // orders of unknown fate now
	Worth     ledger.Worth
	Stops     StopStatus
	Positions []desk.Position
	Working   []desk.Working
	Books     []BookStatus
	Operator  OperatorStatus
	Clocks    []Clock // by venue
}

// Copy makes s a copy of from that shares nothing with it; the slices of s are reused.
func (s *Status) Copy(from *Status) {
	p, w, k, c, o := s.Positions, s.Working, s.Books, s.Clocks, s.Operator
	*s = *from
	s.Operator = o
	s.Operator.Copy(&from.Operator)
	s.Positions = append(p[:0], from.Positions...)
	s.Working = append(w[:0], from.Working...)
	s.Books = append(k[:0], from.Books...)
	s.Clocks = append(c[:0], from.Clocks...)
}

// StopStatus is how the stops stand.
type StopStatus struct {
	stops.Counters
	// Armed guards watch, and AtWork instruments are being closed.
	Armed, AtWork int
}

// BookStatus is the trust in one book.
type BookStatus struct {
	State  books.State
	Why    venue.Reason
	Silent bool
	// Age is since the last message, negative before the first.
	Age  venue.Nanos
	Lag  venue.Nanos
	Seq  uint64
	Gaps uint64
	Bid  fixed.Price
	Ask  fixed.Price
}

// Who owns the board's copy.
const (
	boardIdle   uint32 = iota // a reader; nothing asked for
	boardWanted               // the engine may fill it
	boardReady                // a reader may take it
)

// board hands a Status over on request: the engine copies it after the Step that finds a request, and pays one load
// otherwise.
type board struct {
	state atomic.Uint32
	s     Status
	mu    sync.Mutex // readers among themselves
}

// offer fills the board if a reader asked. The engine goroutine.
func (b *board) offer(e *Engine) {
	if b.state.Load() == boardWanted {
		e.fill(&b.s)
		b.state.Store(boardReady)
	}
}

// fill copies the engine's figures into s, whose slices are reused.
func (e *Engine) fill(s *Status) {
	d := e.d
	s.Now, s.Counters, s.Orders, s.Plans, s.Active, s.Worth = d.Now, e.counts, e.orders.Stats(), e.legs.Stats(), e.legs.Active(), e.ledger.Worth()
	if x := e.cfg.Stops; x != nil {
		s.Stops = StopStatus{x.Counters(), x.Armed(), x.AtWork()}
	}
	s.Doubts = 0
	for _, live := range d.Live {
		for _, slot := range live {
			if d.Orders[slot].State == desk.Unknown {
				s.Doubts++
			}
		}
	}
	s.Positions = append(s.Positions[:0], d.Positions...)
	s.Working = append(s.Working[:0], d.Working...)
	e.operatorStatus(&s.Operator)
	s.Clocks = append(s.Clocks[:0], e.clocks...)
	s.Books = s.Books[:0]
	for i, b := range d.Books {
		x := BookStatus{}
		if b != nil {
			x = BookStatus{State: b.State(), Why: b.Why(), Silent: e.silent[i], Age: -1, Lag: b.Lag(), Seq: b.Seq(), Gaps: b.Counters().Gaps,
				Bid: b.Best(venue.Buy).Price, Ask: b.Best(venue.Sell).Price}
			if b.Recv() != 0 {
				x.Age = d.Now - b.Recv()
			}
		}
		s.Books = append(s.Books, x)
	}
}

// Status copies the newest figures that the engine handed over into dst and asks for the next ones: they are as old as
// the previous call. Any goroutine; it never makes the engine wait. False while there are none yet.
func (l *Loop) Status(dst *Status) bool {
	b := &l.status
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state.Load() {
	case boardIdle:
		b.state.Store(boardWanted)
		return false
	case boardWanted:
		return false
	}
	dst.Copy(&b.s)
	b.state.Store(boardWanted)
	return true
}
