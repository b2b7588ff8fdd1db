package paper

import (
	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// pit is one instrument's simulated order entry.
type pit struct {
	in    *venue.Instrument
	book  *books.Book
	sides [2]side // our buys and sells; liquidity consumed from bids and asks
	// dirty: a batch changed the book at since, and it has not been looked at yet.
	dirty bool
	since venue.Nanos
	// shown is the venue's time of the newest frame, 0 when it gives none.
	shown venue.Nanos
}

type side struct {
	// rests are our orders, best price first, then oldest first.
	rests []rest
	taken taken
}

// rest is one order at the venue.
type rest struct {
	client, id uint64
	slot       uint32
	side       venue.Side
	kind       venue.OrderType
	price      fixed.Price
	qty, cum   fixed.Qty
	// ahead is the displayed quantity that trades before us.
	ahead fixed.Qty
	// early is how far ahead fell by looks: prints that were made before the look are in it already.
	early fixed.Qty
	// display is what the level showed at the last look, printed what traded there and has not left it yet. For ProRata.
	display, printed fixed.Qty
}

func (p *pit) of(s venue.Side) *side { return &p.sides[s-venue.Buy] }

// idle: nothing is at stake.
func (p *pit) idle() bool {
	a, b := &p.sides[0], &p.sides[1]
	return len(a.rests)+len(b.rests)+len(a.taken.l)+len(b.taken.l) == 0
}

func (s *side) find(client uint64) int {
	for i := range s.rests {
		if s.rests[i].client == client {
			return i
		}
	}
	return -1
}

// search finds the order that a command aims at; nil when it does not rest here.
func (p *pit) search(c *venue.Command) (*side, int) {
	for k := range p.sides {
		if i := p.sides[k].find(c.Target); i >= 0 {
			return &p.sides[k], i
		}
	}
	return nil, 0
}

// rest puts an order behind all of its price, in the market's queue and in ours.
func (g *Gateway) rest(p *pit, o rest) {
	s := p.of(o.side)
	o.ahead = p.book.QtyAt(o.side, o.price)
	o.display, o.early, o.printed = o.ahead, 0, 0
	i := len(s.rests)
	for i > 0 && beyond(o.side, o.price, s.rests[i-1].price) {
		i--
	}
	s.rests = append(s.rests, rest{})
	copy(s.rests[i+1:], s.rests[i:])
	s.rests[i] = o
	g.open++
}

func (g *Gateway) remove(s *side, i int) {
	s.rests = append(s.rests[:i], s.rests[i+1:]...)
	g.open--
}

// sweep takes the filled orders of a side away.
func (g *Gateway) sweep(s *side) {
	n := 0
	for i := range s.rests {
		if s.rests[i].cum < s.rests[i].qty {
			if n != i {
				s.rests[n] = s.rests[i]
			}
			n++
		}
	}
	g.open -= len(s.rests) - n
	s.rests = s.rests[:n]
}

// print is one public trade. The taker's own price is the trade's, so our orders at better prices stood before it.
func (g *Gateway) print(p *pit, e *venue.Event) {
	var own venue.Side
	switch e.Flags & (venue.Bids | venue.Asks) {
	case venue.Bids: // the taker bought: our sells stood in its way
		own = venue.Sell
	case venue.Asks:
		own = venue.Buy
	default:
		return // a taker without a side proves nothing
	}
	s := p.of(own)
	if len(s.rests) == 0 || p.book.State() != books.Live {
		return
	}
	price, q, at := fixed.Price(e.W[0]), fixed.Qty(e.W[1]), venue.Nanos(e.W[5])
	fresh := p.shown > 0 && at > p.shown // the displayed quantity does not know this print yet
	var used fixed.Qty                   // by own orders that stood before
	for i := range s.rests {
		o := &s.rests[i]
		if beyond(own, price, o.price) {
			break
		}
		reach := q
		if o.price == price {
			reach = o.queue(q, fresh)
		} else {
			o.ahead, o.early = 0, 0
		}
		if fill := min(reach-used, o.qty-o.cum); fill > 0 {
			used += fill
			g.fill(p, o, o.price, fill, venue.Maker, g.now)
		}
	}
	if used > 0 {
		g.sweep(s)
	}
}

// queue lets a print of q at the order's price consume the queue and returns what reaches the order.
func (o *rest) queue(q fixed.Qty, fresh bool) fixed.Qty {
	o.printed += q
	if fresh {
		o.early = 0 // prints come in order: none from before the look is still to come
	}
	known := min(o.early, q)
	o.early -= known
	q -= known
	moved := min(o.ahead, q)
	o.ahead -= moved
	return q - moved
}

// look is what a changed book does to our orders and to the memory of what we took.
func (g *Gateway) look(p *pit, at venue.Nanos) {
	for k := range p.sides {
		s, own := &p.sides[k], venue.Buy+venue.Side(k)
		s.taken.look(p.book, own)
		for i := range s.rests {
			o := &s.rests[i]
			o.moveUp(p.book.QtyAt(own, o.price), g.cfg.Queue)
		}
	}
	g.crossed(p, venue.Buy, at)
	g.crossed(p, venue.Sell, at)
}

// moveUp adjusts the queue to what the level displays now.
func (o *rest) moveUp(display fixed.Qty, how Queue) {
	if o.ahead > 0 {
		next := min(o.ahead, display)
		if gone := o.display - display; how == ProRata && gone > 0 {
			known := min(o.printed, gone) // prints have moved the queue already
			o.printed -= known
			gone -= known
			if share, ok := fixed.MulDiv(int64(o.ahead), int64(gone), int64(o.display), fixed.Down); ok {
				next = min(next, o.ahead-fixed.Qty(share))
			}
		}
		o.early += o.ahead - next
		o.ahead = next
	}
	o.display = display
}

// crossed fills our orders of a side from opposite levels at or through their price.
func (g *Gateway) crossed(p *pit, own venue.Side, at venue.Nanos) {
	s, o := p.of(own), p.of(own.Other())
	if len(s.rests) == 0 {
		return
	}
	if l := p.book.Best(own.Other()); l.Qty == 0 || beyond(own, l.Price, s.rests[0].price) {
		return
	}
	i := 0
	for l := p.book.Levels(own.Other()); l.Next(); {
		left, _ := o.taken.left(l.Level, 0)
		for ; i < len(s.rests) && left > 0; i++ {
			r := &s.rests[i]
			if beyond(own, l.Price, r.price) {
				break
			}
			q := min(left, r.qty-r.cum)
			left -= q
			o.taken.add(l.Price, q)
			r.ahead, r.early = 0, 0
			g.fill(p, r, r.price, q, venue.Maker, at)
			if r.cum < r.qty {
				break
			}
		}
		if i == len(s.rests) || beyond(own, l.Price, s.rests[i].price) {
			break
		}
	}
	g.sweep(s)
}
