package sim

import (
	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// levels is one true side-by-side book: the best n of both sides, by price.
type levels [3]map[fixed.Price]fixed.Qty

// market is one instrument's true market and what its feed has delivered of it.
type market struct {
	in    *venue.Instrument
	mid   fixed.Price
	now   levels
	seq   uint64
	quiet venue.Nanos // nothing is delivered until
	// best is the true touch after each sequence number, for books that claim to be Live.
	best map[uint64][3]venue.Level
	// asked is when a snapshot was asked for, 0 when none is.
	asked venue.Nanos
	// heard is when anything of it last reached the engine.
	heard venue.Nanos
}

func newMarket(in *venue.Instrument) *market {
	m := &market{in: in, mid: 500_000, best: map[uint64][3]venue.Level{}, asked: 1, seq: 100}
	return m
}

// move changes the market and returns the frame that says so.
func (m *market) move(w *world) []venue.Event {
	m.mid += fixed.Price(w.r.IntN(61) - 30)
	if w.r.IntN(40) == 0 {
		m.mid += fixed.Price(w.r.IntN(1201) - 600)
	}
	m.mid += (500_000 - m.mid) / 50 // markets of one product do not part for ever
	var next levels
	for s := venue.Buy; s <= venue.Sell; s++ {
		next[s] = map[fixed.Price]fixed.Qty{}
		p := m.mid - fixed.Price(s.Sign())*fixed.Price(1+w.r.IntN(5))
		for range 1 + w.r.IntN(6) {
			next[s][p] = m.in.Lot * fixed.Qty(1+w.r.IntN(1500))
			p -= fixed.Price(s.Sign()) * fixed.Price(1+w.r.IntN(40))
		}
	}
	first := m.seq + 1
	m.seq += uint64(1 + w.r.IntN(3))
	var ls [3][]venue.Level
	for s := venue.Buy; s <= venue.Sell; s++ {
		for p := range m.now[s] {
			if next[s][p] == 0 {
				ls[s] = append(ls[s], venue.Level{Price: p})
			}
		}
		for p, q := range next[s] {
			if m.now[s][p] != q {
				ls[s] = append(ls[s], venue.Level{Price: p, Qty: q})
			}
		}
	}
	m.now = next
	m.best[m.seq] = m.touch()
	return m.frame(w.now, 0, first, first-1, m.seq, &ls)
}

// touch is the true best of both sides.
func (m *market) touch() (t [3]venue.Level) {
	for s := venue.Buy; s <= venue.Sell; s++ {
		for p, q := range m.now[s] {
			if t[s].Qty == 0 || int64(p)*s.Sign() > int64(t[s].Price)*s.Sign() {
				t[s] = venue.Level{Price: p, Qty: q}
			}
		}
	}
	return t
}

// snapshot is the whole market as it is.
func (m *market) snapshot(now venue.Nanos) []venue.Event {
	var ls [3][]venue.Level
	for s := venue.Buy; s <= venue.Sell; s++ {
		for p, q := range m.now[s] {
			ls[s] = append(ls[s], venue.Level{Price: p, Qty: q})
		}
	}
	return m.frame(now, venue.Snapshot, 0, 0, m.seq, &ls)
}

// frame writes levels as records.
func (m *market) frame(now venue.Nanos, flags uint8, first, prev, last uint64, ls *[3][]venue.Level) []venue.Event {
	out := make([]venue.Event, 1, 8)
	for s := venue.Buy; s <= venue.Sell; s++ {
		flag := venue.Bids
		if s == venue.Sell {
			flag = venue.Asks
		}
		for i := 0; i < len(ls[s]); i += 3 {
			e := venue.Event{Kind: venue.Levels, Flags: flag, Venue: m.in.Venue, Inst: m.in.Inst, Seq: last}
			for _, l := range ls[s][i:min(i+3, len(ls[s]))] {
				e.W[2*e.N], e.W[2*e.N+1] = int64(l.Price), int64(l.Qty)
				e.N++
			}
			out = append(out, e)
		}
	}
	out[0].SetHead(m.in.Venue, m.in.Inst, flags, now, now-venue.Millisecond, first, prev, last, venue.NoChecksum, len(out)-1)
	out[len(out)-1].Flags |= venue.Last
	return out
}

// news lets every market move and delivers of it what a bad line would.
func (w *world) news() {
	for _, m := range w.markets[1:] {
		if w.now < m.quiet && !w.tame {
			continue
		}
		f := m.move(w)
		if m.asked != 0 && w.now >= m.asked {
			m.asked = 0
			w.deliver(m, m.snapshot(w.now))
		}
		n := w.r.IntN(300)
		if w.tame {
			n = 300
		}
		switch {
		case n < 4: // lost
			continue
		case n < 6: // silence
			m.quiet = w.now + venue.Nanos(w.r.Int64N(int64(3*venue.Second)))
		case n < 8: // twice
			w.deliver(m, f)
		case n < 10: // crossed
			f = m.crossed(f)
		case n < 12: // nonsense
			e := &f[1+w.r.IntN(len(f)-1)]
			e.W[w.r.IntN(2)] = [2]int64{-1, fixed.Limit + 1}[w.r.IntN(2)] // what no rule can tell is for the venue's checksum
		case n < 14: // the whole connection
			w.gap(m)
		case n < 18:
			w.control(m)
		}
		w.deliver(m, f)
	}
}

// crossed replaces the frame by one that puts a bid above every ask.
func (m *market) crossed(f []venue.Event) []venue.Event {
	var ls [3][]venue.Level
	ls[venue.Buy] = []venue.Level{{Price: m.mid + 5_000, Qty: 1}}
	return m.frame(f[0].Recv(), 0, f[0].First(), f[0].Prev(), f[0].Seq, &ls)
}

// gap loses a message of one market, or of all of its venue.
func (w *world) gap(m *market) {
	e := make([]venue.Event, 1)
	in := m.in.Inst
	if w.r.IntN(2) == 0 {
		in = 0
	}
	e[0].SetGap(m.in.Venue, in, venue.ConnectionLost, 0, 0, w.now)
	w.put(e)
}

// control says something that is no market data: a status, a rate, a room, a touch, a trade.
func (w *world) control(m *market) {
	e := make([]venue.Event, 1)
	switch w.r.IntN(5) {
	case 0:
		e[0].SetStatus(m.in.Venue, m.in.Inst, venue.Status(1+w.r.IntN(6)), venue.OK, w.now)
		w.heal = append(w.heal, m.in.Inst)
	case 1:
		e[0].SetAlive(m.in.Venue, m.in.Inst, w.now, 0)
		m.heard = w.now
	case 2:
		e[0].SetTrade(m.in.Venue, m.in.Inst, venue.Last|venue.Bids, 1, m.mid, 1, w.now, w.now)
		m.heard = w.now
	case 3: // a touch from ahead of the book, worse on both sides
		t := m.touch()
		e[0].SetTouch(m.in.Venue, m.in.Inst, venue.Last, m.seq+1, t[1].Price-9, 1, t[2].Price+9, 1, w.now, w.now)
		m.heard = w.now
	default:
		e[0].SetRoom(venue.RingCommand, w.r.IntN(2) == 0, w.now)
		w.roomless = e[0].W[0] != 0
	}
	w.put(e)
}

func (w *world) deliver(m *market, f []venue.Event) {
	w.put(f)
	m.heard = w.now
}

// trusts holds the claim of every Live book against the truth.
func (w *world) trusts() {
	for i, m := range w.markets[1:] {
		b := w.m.desk.Books[i+1]
		if b.State() != books.Live {
			continue
		}
		best, known := m.best[b.Seq()]
		if !known {
			continue // the first snapshot
		}
		bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
		w.require(bid.Qty == 0 || bid.Price <= best[venue.Buy].Price, "%s is Live at %d and shows a bid of %d; the true one is %d", m.in.Name, b.Seq(), bid.Price, best[venue.Buy].Price)
		w.require(ask.Qty == 0 || ask.Price >= best[venue.Sell].Price, "%s is Live at %d and shows an ask of %d; the true one is %d", m.in.Name, b.Seq(), ask.Price, best[venue.Sell].Price)
	}
}
