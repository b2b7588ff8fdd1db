package books

import (
	"runtime"
	"sync/atomic"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// View is the top of a book for readers outside the engine.
type View struct {
	Bid, Ask venue.Level
	Seq      uint64
	Recv     venue.Nanos
	State    State
	Why      venue.Reason
}

// slot publishes a View by a sequence lock: version is odd while the writer is inside. Every word is atomic, so the race
// detector and the memory model both agree; the writer never waits, a reader that meets it tries again. It is one cache
// line of its own (an allocation of 64 bytes is aligned to 64).
type slot struct {
	version atomic.Uint64
	word    [7]atomic.Uint64
}

// Words of a slot.
const (
	bidPrice = iota
	bidQty
	askPrice
	askQty
	viewSeq
	viewRecv
	viewTrust // State in the low 8 bits, Reason above
)

// put stores a word unless it is there already: an atomic store is a full barrier, a load is not.
func (s *slot) put(i int, v uint64) {
	if s.word[i].Load() != v {
		s.word[i].Store(v)
	}
}

// Publish makes the current top visible to View; the engine calls it once per drain. It does nothing when nothing has
// changed since the last call.
func (b *Book) Publish() {
	if !b.dirty {
		return
	}
	b.dirty = false
	s, bid, ask := b.view, b.best[venue.Buy], b.best[venue.Sell]
	s.version.Add(1)
	s.put(bidPrice, uint64(bid.Price))
	s.put(bidQty, uint64(bid.Qty))
	s.put(askPrice, uint64(ask.Price))
	s.put(askQty, uint64(ask.Qty))
	s.put(viewSeq, b.seq)
	s.put(viewRecv, uint64(b.recv))
	s.put(viewTrust, uint64(b.state)|uint64(b.why)<<8)
	s.version.Add(1)
}

// View is a consistent copy of the published top. Any thread, lock-free.
func (b *Book) View() View {
	s := b.view
	for tries := 0; ; tries++ {
		version := s.version.Load()
		if version&1 == 0 {
			v := View{
				Bid:  venue.Level{Price: fixed.Price(s.word[bidPrice].Load()), Qty: fixed.Qty(s.word[bidQty].Load())},
				Ask:  venue.Level{Price: fixed.Price(s.word[askPrice].Load()), Qty: fixed.Qty(s.word[askQty].Load())},
				Seq:  s.word[viewSeq].Load(),
				Recv: venue.Nanos(s.word[viewRecv].Load()),
			}
			trust := s.word[viewTrust].Load()
			v.State, v.Why = State(trust&0xff), venue.Reason(trust>>8)
			if s.version.Load() == version {
				return v
			}
		}
		if tries > 64 {
			// The writer lost its thread inside; let it have one.
			runtime.Gosched()
		}
	}
}
