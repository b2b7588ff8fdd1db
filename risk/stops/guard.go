package stops

import (
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Kind is when a stop fires.
type Kind uint8

const (
	// Loss fires when the unrealised loss of its instruments together, at the touch, is MaxLoss or more.
	Loss Kind = iota + 1
	// Level fires when the touch that would close the position is at Level or beyond.
	Level
	// Trail fires when that touch is Trail or more behind its best since the position was opened.
	Trail
)

func (k Kind) String() string { return [...]string{"none", "loss", "level", "trail"}[k] }

// state of a guard.
type state uint8

const (
	armed state = iota
	fired
	dead
)

var stateText = [...]string{"armed", "fired", "dead"}

// guard is one condition at work.
type guard struct {
	cfg   Stop
	insts []venue.Inst
	keep  string // its name in the journal
	state state
	// trip is the price that it fires at, 0 for none; mark the best touch since a Trail's position was opened, negative for a
	// short.
	mark, trip fixed.Price
	// parts are the losses of a Loss by instrument, as its books last said, sum their sum and unknown how many are not known.
	parts   []part
	sum     fixed.Cash
	unknown int
}

// part is what one instrument adds to a loss.
type part struct {
	loss    fixed.Cash
	unknown bool
}

// reset gives a guard a new state and lets it forget its position.
func (g *guard) reset(st state) {
	g.state = st
	if g.cfg.Kind == Trail {
		g.mark, g.trip = 0, 0
	}
}

// look lets a guard judge the newest touch of one of its instruments.
func (s *Stops) look(d *desk.Desk, n int, i venue.Inst) {
	g := &s.guards[n]
	if g.state != armed {
		return
	}
	if g.cfg.Kind == Loss {
		s.loses(d, n, i)
		return
	}
	q := d.Positions[i].Qty
	p, ok := touch(d, i, q)
	if g.cfg.Kind == Trail {
		s.trail(g, q, p, ok)
	}
	if !ok || g.trip == 0 || (q > 0) != (g.cfg.Closes != venue.Sell) && g.cfg.Kind == Level {
		return
	}
	if q > 0 && p <= g.trip || q < 0 && p >= g.trip {
		s.fire(d, n, Said{Touch: p, Level: g.trip})
	}
}

// touch is the price at which a position could be closed at once; false when the book is not Live or has none.
func touch(d *desk.Desk, i venue.Inst, q fixed.Qty) (fixed.Price, bool) {
	b := d.Books[i]
	if q == 0 || b.State() != books.Live {
		return 0, false
	}
	side := venue.Buy
	if q < 0 {
		side = venue.Sell
	}
	l := b.Best(side)
	return l.Price, l.Qty > 0
}

// trail moves the mark of a Trail: with the touch while it improves, and away with its position.
func (s *Stops) trail(g *guard, q fixed.Qty, p fixed.Price, live bool) {
	if g.mark != 0 && (q == 0 || (q > 0) != (g.mark > 0)) {
		g.mark, g.trip = 0, 0
		if !live {
			s.keepGuard(g)
		}
	}
	if !live {
		return
	}
	if q < 0 {
		p = -p
	}
	if g.mark == 0 || p > g.mark { // a lower ask is a greater negative
		g.mark = p
		g.retrip()
		s.keepGuard(g)
	}
}

// retrip computes where a Trail fires: a long at or below its mark less the trail, a short at or above its mark plus it.
// Both round to the price that the exact level reaches first.
func (g *guard) retrip() {
	share, m, how := fixed.One-g.cfg.Trail, g.mark, fixed.Down
	if m < 0 {
		share, m, how = fixed.One+g.cfg.Trail, -m, fixed.Up
	}
	v, ok := fixed.MulDiv(int64(m), int64(share), int64(fixed.One), how)
	if !ok {
		v = 0 // beyond every price
	}
	g.trip = fixed.Price(v)
}

// loses brings one part of a Loss up to date and judges the sum.
func (s *Stops) loses(d *desk.Desk, n int, i venue.Inst) {
	g := &s.guards[n]
	k := 0
	for g.insts[k] != i {
		k++
	}
	g.part(k, d)
	if g.sum < g.cfg.MaxLoss || g.unknown > 0 {
		return
	}
	if len(g.insts) > 1 { // the others may have gone silent, or their rates moved, since they were looked at
		for k, j := range g.insts {
			if d.Positions[j].Qty != 0 && d.Now-d.Books[j].Recv() > s.terms[j].MaxAge {
				return
			}
			g.part(k, d)
		}
		if g.sum < g.cfg.MaxLoss || g.unknown > 0 {
			return
		}
	}
	s.fire(d, n, Said{Loss: g.sum, Limit: g.cfg.MaxLoss})
}

// part brings the k-th part of a loss up to date.
func (g *guard) part(k int, d *desk.Desk) {
	p := &g.parts[k]
	g.sum -= p.loss
	if p.unknown {
		g.unknown--
	}
	loss, ok := lossOf(d, g.insts[k])
	*p = part{loss, !ok}
	g.sum += loss
	if !ok {
		g.unknown++
	}
}

// maxPart bounds one part, so that no sum of parts leaves its range.
const maxPart = fixed.Limit / 1024

// lossOf is the unrealised loss of an instrument in the reporting currency, negative for a gain, rounded against us. False
// when its book is not Live, or a figure cannot be stated.
func lossOf(d *desk.Desk, i venue.Inst) (fixed.Cash, bool) {
	pos, in := &d.Positions[i], d.Instruments[i]
	if pos.Qty == 0 {
		return 0, true
	}
	p, ok := touch(d, i, pos.Qty)
	if !ok || pos.Avg <= 0 && in.Contract == venue.Inverse {
		return 0, false
	}
	worth, ccy := in.Notional, in.Quote
	if in.Contract == venue.Inverse {
		worth, ccy = in.Coin, in.Base
	}
	// What falls with the price for Linear rises with it in coins.
	q, gets := max(pos.Qty, -pos.Qty), (pos.Qty > 0) == (in.Contract == venue.Linear)
	paid, got := pos.Avg, p
	if !gets {
		paid, got = p, pos.Avg
	}
	out, ok1 := worth(paid, q, fixed.Up)
	back, ok2 := worth(got, q, fixed.Down)
	loss := out - back
	rate := d.FX[ccy].Ask
	if loss < 0 {
		rate = d.FX[ccy].Bid
	}
	if !ok1 || !ok2 || rate <= 0 {
		return 0, false
	}
	v, ok := rate.Apply(loss, fixed.Up)
	return v, ok && v <= maxPart && v >= -maxPart
}

// fire closes every position that a guard watches, and ends what else works there.
func (s *Stops) fire(d *desk.Desk, n int, x Said) {
	g := &s.guards[n]
	x.Act, x.Stop = Fired, uint16(n+1)
	for _, i := range g.insts {
		x.Inst, x.Qty = i, d.Positions[i].Qty
		s.close(i, x.Stop, x.Qty, g.cfg.Limit)
		if x.Qty != 0 {
			s.say(x)
		}
	}
	g.state = fired
	s.counts.Fired++
	s.keepGuard(g)
}
