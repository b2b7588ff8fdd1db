package arb

import (
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// judge looks at one cross exactly, once per drain, counts what it sees, and makes a plan when nothing hinders.
func (s *Strategy) judge(d *desk.Desk, k uint32, out *desk.Out) {
	c := &s.crosses[k]
	if c.seen == s.drain {
		return
	}
	c.seen = s.drain
	var p prices
	ok := true
	for i := range c.n {
		l := &c.legs[i]
		t := &s.touches[l.inst]
		v := t.bid
		if l.side == venue.Buy {
			v = t.ask
		}
		p[i] = fixed.Price(v)
		ok = ok && v > 0 && v < nothing
	}
	if !ok {
		s.end(k, c)
		return
	}
	crossed, met := c.crossed(&p, 0), c.meets(&p)
	if !crossed && !met {
		s.end(k, c)
		return
	}
	if crossed {
		s.note(k, c, edgesGross)
		s.counts[ticksGross]++
	}
	if !met {
		c.flags &= 1 << edgesGross
		return
	}
	s.note(k, c, edgesNet)
	s.counts[ticksNet]++
	if c.crossed(&p, c.link.BasisLimit) {
		s.note(k, c, edgesBasis)
		return
	}
	if why := s.hindrance(d, c); why != plans {
		s.note(k, c, why)
		return
	}
	s.plan(d, k, c, out)
}

// note counts a figure once per episode.
func (s *Strategy) note(k uint32, c *cross, figure int) {
	if bit := uint16(1) << figure; c.flags&bit == 0 {
		c.flags |= bit
		s.counts[figure]++
		s.open[k>>1] |= 1 << (k & 1)
	}
}

// end closes the episode of a cross.
func (s *Strategy) end(k uint32, c *cross) {
	if c.flags != 0 {
		c.flags = 0
		s.open[k>>1] &^= 1 << (k & 1)
	}
}

// hindrance says what, other than price and size, forbids the cross now; plans when nothing does.
func (s *Strategy) hindrance(d *desk.Desk, c *cross) int {
	cooling := false
	for i := range c.n {
		l := &c.legs[i]
		b := d.Books[l.inst]
		if b.State() != books.Live || d.Now-b.Recv() > c.link.MaxAge || l.in.Status != venue.Trading {
			return edgesStale
		}
		cooling = cooling || d.Now <= s.busy[l.inst][l.side]
	}
	if c.viaFX {
		for _, l := range [2]*leg{&c.legs[0], &c.legs[1]} {
			if d.Now-d.FX[l.in.Quote].At > s.cfg.MaxFXAge {
				return edgesFX
			}
		}
	}
	if cooling {
		return edgesCooldown
	}
	return plans
}

// plan sizes a cross and says how to take it.
func (s *Strategy) plan(d *desk.Desk, k uint32, c *cross, out *desk.Out) {
	o, ok := s.order(d, c)
	if !ok {
		s.note(k, c, edgesSizedOut)
		return
	}
	p := out.Plan()
	if p == nil {
		s.note(k, c, noRoom)
		return
	}
	l := c.link
	p.Shape, p.Policy, p.OnFail, p.N = l.Shape, l.Policy, l.OnFail, c.n
	p.Allowance, p.MaxLoss, p.Deadline = l.Allowance, l.MaxLoss, d.Now+l.Deadline
	p.Edge, p.Base, p.Link = o.edge, o.base, c.id
	for i := range c.n {
		g, in := &c.legs[i], &p.Legs[i]
		in.Op, in.Type, in.TIF, in.Side, in.Role, in.Leg = venue.New, venue.Limit, venue.IOC, g.side, venue.RoleLeg, i
		in.Inst, in.Price, in.Qty, in.Edge = g.inst, o.limit[i], o.qty[i], o.edge
		in.BookSeq, in.NotAfter = d.Books[g.inst].Seq(), d.Now+l.NotAfter
		if l.Policy == desk.InTurn && i > 0 {
			in.NotAfter = p.Deadline // it leaves when the leg before it is through
		}
		s.busy[g.inst][g.side] = d.Now + l.Cooldown
	}
	s.counts[plans]++
}
