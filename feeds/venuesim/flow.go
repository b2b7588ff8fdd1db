package venuesim

import (
	"math/rand/v2"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
)

// PairConfig is one instrument at one simulated venue. Prices and quantities are at PriceScale and QtyScale, which are
// the decimals that the venue prints.
type PairConfig struct {
	Symbol               string
	Fair                 *Fair // shared by the product's instruments; at FairScale
	FairScale            uint8
	PriceScale, QtyScale uint8
	Tick                 fixed.Price
	Lot                  fixed.Qty
	// HalfSpread is the flow's least distance from its fair value, in ticks; Levels how many ticks deep it quotes.
	HalfSpread, Levels int64
	// Size is the typical quantity of an order, in lots.
	Size int64
	// Lag is how late the venue sees the fair value, in milliseconds.
	Lag int
	// Dislocation is how far, in ticks, the venue's value may be off for a while; 0 never. Every is the mean time between
	// two, For how long one lasts.
	Dislocation int64
	Every, For  venue.Nanos
	// Changes are what the venue changes while it trades, in the order of their times.
	Changes []Change
}

// Change is what a venue changes of a pair while it trades. Orders that stand stay where they are.
type Change struct {
	// After the first act of the pair.
	After venue.Nanos
	// Status is the one from then on; Unlisted: the venue lists the pair no more.
	Status venue.Status
	// Tick and Lot are those from then on; 0 keeps them.
	Tick fixed.Price
	Lot  fixed.Qty
}

// FlowOwner marks the orders of the flow; clients have other owners.
const FlowOwner = 0

// Pair is the market of one instrument.
type Pair struct {
	PairConfig
	// Status is what the venue states of the pair now. While it does not trade freely, the flow does nothing.
	Status venue.Status
	began  venue.Nanos
	Book   *match.Book
	rnd    *rand.Rand
	ids    []uint64 // live orders of the flow, in no order
	next   uint64
	// off is the venue's current error against the fair value, in ticks, until an instant.
	off      int64
	offUntil venue.Nanos
	offNext  venue.Nanos
	drift    int64 // a slow error, in ticks
}

// firstFlowID keeps the flow's order ids apart from those that a simulator gives to clients.
const firstFlowID = 1 << 48

// NewPair makes an empty market.
func NewPair(seed uint64, cfg PairConfig) *Pair {
	return &Pair{PairConfig: cfg, Status: venue.Trading, Book: match.New(), rnd: rand.New(rand.NewPCG(seed, 0xf10)), next: firstFlowID}
}

// Changed makes the changes whose time has come, and reports whether there were any.
func (p *Pair) Changed(now venue.Nanos) (any bool) {
	if p.began == 0 {
		p.began = now
	}
	for len(p.Changes) > 0 && now-p.began >= p.Changes[0].After {
		p.Change(p.Changes[0])
		p.Changes, any = p.Changes[1:], true
	}
	return any
}

// Change makes one now, whatever its time.
func (p *Pair) Change(c Change) {
	p.Status = c.Status
	if c.Tick > 0 {
		p.Tick = c.Tick
	}
	if c.Lot > 0 {
		p.Lot = c.Lot
	}
}

// Seen is the venue's own idea of the fair price at an instant, on a tick.
func (p *Pair) Seen(now venue.Nanos) fixed.Price {
	v := p.Fair.Lagged(p.Lag)
	if p.PriceScale < p.FairScale {
		v /= fixed.Pow10(p.FairScale - p.PriceScale)
	} else {
		v *= fixed.Pow10(p.PriceScale - p.FairScale)
	}
	p.dislocate(now)
	ticks := v/fine/int64(p.Tick) + p.off + p.drift
	return fixed.Price(max(ticks, p.HalfSpread+2)) * p.Tick
}

// dislocate starts and ends the times when the venue is off.
func (p *Pair) dislocate(now venue.Nanos) {
	if p.Dislocation == 0 {
		return
	}
	switch {
	case p.offNext == 0:
		p.offNext = now + venue.Nanos(p.rnd.Int64N(int64(p.Every)+1))
	case now >= p.offNext:
		p.off = p.Dislocation/2 + p.rnd.Int64N(p.Dislocation/2+1)
		if p.rnd.IntN(2) == 0 {
			p.off = -p.off
		}
		p.offUntil = now + p.For/2 + venue.Nanos(p.rnd.Int64N(int64(p.For)/2+1))
		p.offNext = p.offUntil + p.Every/2 + venue.Nanos(p.rnd.Int64N(int64(p.Every)+1))
	case now >= p.offUntil:
		p.off = 0
	}
	if p.rnd.IntN(2000) == 0 {
		p.drift = min(max(p.drift+p.rnd.Int64N(3)-1, -1), 1)
	}
}

// Fill makes the first book: the flow's orders on every tick of both sides.
func (p *Pair) Fill(now venue.Nanos, do func(*match.Result)) {
	mid := p.Seen(now)
	for i := p.HalfSpread; i < p.HalfSpread+p.Levels; i++ {
		d := fixed.Price(i) * p.Tick
		for _, s := range []venue.Side{venue.Buy, venue.Sell} {
			price := mid - d*fixed.Price(s.Sign())
			if price > 0 {
				p.add(s, price, p.size(), match.Rules{TIF: venue.GTC}, do)
			}
		}
	}
}

// Act lets the flow do one thing: take or pull what stands on the wrong side of its value, else add, cancel, or trade.
func (p *Pair) Act(now venue.Nanos, do func(*match.Result)) {
	if p.Status != venue.Trading {
		return
	}
	mid := p.Seen(now)
	for _, s := range []venue.Side{venue.Buy, venue.Sell} {
		b := p.Book.Best(s)
		wrong := s == venue.Buy && b.Price > mid-p.Tick || s == venue.Sell && b.Price < mid+p.Tick
		if b.Qty == 0 || !wrong {
			continue
		}
		switch id := p.Book.OldestAt(s, 0); {
		case p.Book.Depth(s) < int(p.Levels)/2 || p.rnd.IntN(4) == 0: // who leaves comes back at the new price
			p.quote(s, mid, do)
		case id >= firstFlowID && p.rnd.IntN(3) > 0:
			p.cancel(id, do)
		default:
			p.add(s.Other(), b.Price, min(b.Qty, p.size()*4), match.Rules{TIF: venue.IOC}, do)
		}
		return
	}
	s := venue.Side(1 + p.rnd.IntN(2))
	switch roll := p.rnd.IntN(100); {
	case roll < 6:
		if b := p.Book.Best(s.Other()); b.Qty > 0 {
			p.add(s, b.Price, min(p.size(), b.Qty), match.Rules{TIF: venue.IOC}, do)
		}
	case roll < 52 && len(p.ids) > int(p.Levels):
		p.cancel(p.ids[p.rnd.IntN(len(p.ids))], do)
	case len(p.ids) < int(p.Levels)*4:
		p.quote(s, mid, do)
	default:
		p.cancel(p.ids[p.rnd.IntN(len(p.ids))], do)
	}
}

// quote adds an order on the right side of the value.
func (p *Pair) quote(s venue.Side, mid fixed.Price, do func(*match.Result)) {
	price := mid - fixed.Price(p.HalfSpread+p.distance())*p.Tick*fixed.Price(s.Sign())
	if price > 0 {
		p.add(s, price, p.size(), match.Rules{TIF: venue.GTC, PostOnly: true}, do)
	}
}

// distance is a number of ticks from the touch: mostly few, at most Levels.
func (p *Pair) distance() int64 {
	d := int64(0)
	for d < p.Levels-1 && p.rnd.IntN(8) > 0 {
		d++
	}
	return d
}

// size is an order's quantity: around Size lots, now and then many times that.
func (p *Pair) size() fixed.Qty {
	n := 1 + p.rnd.Int64N(2*p.Size)
	if p.rnd.IntN(20) == 0 {
		n *= 10
	}
	return fixed.Qty(n) * p.Lot
}

func (p *Pair) add(s venue.Side, price fixed.Price, q fixed.Qty, r match.Rules, do func(*match.Result)) {
	id := p.next
	p.next++
	res := p.Book.Add(match.Order{ID: id, Owner: FlowOwner, Side: s, Price: price, Qty: q}, r)
	if res.Rests > 0 {
		p.ids = append(p.ids, id)
	}
	p.done(res, do)
}

func (p *Pair) cancel(id uint64, do func(*match.Result)) {
	res := p.Book.Cancel(id)
	p.forget(id)
	p.done(res, do)
}

// done forgets the flow's orders that were filled and hands the result on.
func (p *Pair) done(res *match.Result, do func(*match.Result)) {
	for i := range res.Trades {
		if t := &res.Trades[i]; t.MakerOwner == FlowOwner && t.MakerRemains == 0 {
			p.forget(t.MakerID)
		}
	}
	if len(res.Changes) > 0 || len(res.Trades) > 0 {
		do(res)
	}
}

// Client passes a client's order or cancel result through the same bookkeeping as the flow's own.
func (p *Pair) Client(res *match.Result, do func(*match.Result)) { p.done(res, do) }

func (p *Pair) forget(id uint64) {
	for i, x := range p.ids {
		if x == id {
			p.ids[i] = p.ids[len(p.ids)-1]
			p.ids = p.ids[:len(p.ids)-1]
			return
		}
	}
}
