package quoting

import (
	"errors"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting/model"
)

// trouble says why there must be no quotes now, as far as the books that they lean on tell.
func (q *quote) trouble(d *desk.Desk) int {
	if !q.heed() {
		return pullTerms
	}
	if why := unfit(d, q.in, q.cfg.Pull.MaxAge); why != noPull {
		return why
	}
	if q.hedge != nil {
		return unfit(d, q.hedge, q.cfg.Pull.MaxAge)
	}
	return noPull
}

func unfit(d *desk.Desk, in *venue.Instrument, maxAge venue.Nanos) int {
	b := d.Books[in.Inst]
	switch {
	case b.State() != books.Live:
		if b.Why() == venue.TouchMismatch {
			return pullMismatch
		}
		return pullStale
	case in.Status != venue.Trading && in.Status != venue.PostOnlyMode && in.Status != venue.LimitOnly:
		return pullStale
	case d.Now-b.Recv() > maxAge:
		return pullAge
	}
	return noPull
}

// fair is the fair value; false when there is none.
func (q *quote) fair(d *desk.Desk) (model.Fair, bool) {
	switch q.cfg.Fair.Source {
	case Own:
		return micro(d.Books[q.in.Inst])
	case External:
		r := d.Instruments[q.cfg.Fair.Refs[0].Inst]
		if unfit(d, r, q.cfg.Pull.MaxAge) != noPull {
			return 0, false
		}
		return micro(d.Books[r.Inst])
	}
	return q.weighted(d)
}

// weighted is the mean over the fresh Refs, as the first of them plus the weighted distances of the others.
func (q *quote) weighted(d *desk.Desk) (model.Fair, bool) {
	weight := fixed.Rate(0)
	for i := range q.cfg.Fair.Refs {
		if r := &q.cfg.Fair.Refs[i]; q.usable(d, r.Inst) {
			weight += r.Weight
		}
	}
	if weight < q.cfg.Fair.MinWeight {
		return 0, false
	}
	from, sum := model.Fair(0), model.Fair(0)
	for i := range q.cfg.Fair.Refs {
		r := &q.cfg.Fair.Refs[i]
		if !q.usable(d, r.Inst) {
			continue
		}
		m, _ := micro(d.Books[r.Inst])
		if from == 0 {
			from, sum = m, m
			continue
		}
		part, ok := fixed.MulDiv(int64(m-from), int64(r.Weight), int64(weight), fixed.HalfEven)
		if !ok {
			return 0, false
		}
		sum += model.Fair(part)
	}
	return sum, sum > 0
}

func (q *quote) usable(d *desk.Desk, i venue.Inst) bool {
	if unfit(d, d.Instruments[i], q.cfg.Pull.MaxAge) != noPull {
		return false
	}
	_, ok := micro(d.Books[i])
	return ok
}

// micro is the microprice: the touch weighted by the quantity of the other side, so that it leans to the thinner one.
func micro(b *books.Book) (model.Fair, bool) {
	bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
	if bid.Qty <= 0 || ask.Qty <= 0 || bid.Price <= 0 || ask.Price <= bid.Price {
		return 0, false
	}
	lean, ok := fixed.MulDiv(int64(ask.Price-bid.Price)<<model.FairBits, int64(bid.Qty), int64(bid.Qty+ask.Qty), fixed.HalfEven)
	return model.Fair(bid.Price)<<model.FairBits + model.Fair(lean), ok && ask.Price-bid.Price < fixed.Limit>>model.FairBits
}

// terms are what the venues may change of what a quote was made for.
type terms struct {
	rules        venue.Rules
	maker, taker fixed.Rate
}

func (q *quote) terms() terms {
	t := terms{rules: q.in.Rules(), maker: q.in.Fees.Maker}
	if q.hedge != nil {
		t.taker = q.hedge.Fees.Taker
	}
	return t
}

// heed takes terms that have changed, and reports whether orders of this quote can be placed on them.
func (q *quote) heed() bool {
	t := q.terms()
	if t == q.made {
		return !q.misfit
	}
	b, err := newBounds(t, q.cfg.MinEdge)
	q.made, q.bounds = t, b
	q.misfit = err != nil || t.rules.Tick <= 0 || t.rules.Lot <= 0 || q.cfg.Qty%max(t.rules.Lot, 1) != 0 || q.cfg.Qty < t.rules.MinQty ||
		t.rules.MaxQty > 0 && q.cfg.Qty > t.rules.MaxQty
	return !q.misfit
}

// bounds are the offsets that no price may pass, whatever the skew; see the package comment.
type bounds struct {
	fair, hedge [3]fixed.Rate // by own side
}

func newBounds(by terms, e fixed.Rate) (b bounds, err error) {
	one, m, t := fixed.One, by.maker, by.taker
	if m <= -one/2 || m >= one/2 || t <= -one/2 || t >= one/2 {
		return b, errors.New("a fee of half the price or more is not believed")
	}
	b.fair[venue.Buy] = quotient(one, one-e, one, one+m, fixed.Down) - one
	b.fair[venue.Sell] = quotient(one, one+e, one, one-m, fixed.Up) - one
	b.hedge[venue.Buy] = quotient(one, one-t, one+m, one+e, fixed.Down) - one
	b.hedge[venue.Sell] = quotient(one+t, one+e, one, one-m, fixed.Up) - one
	return b, nil
}

// quotient is a·b ÷ (c·d).
func quotient(a, b, c, d fixed.Rate, r fixed.Rounding) fixed.Rate {
	v, _ := fixed.MulDiv3(int64(a), int64(b), int64(fixed.One), int64(c), int64(d), r)
	return fixed.Rate(v)
}

// bound is the best price that the promise allows on a side: highest for a bid, lowest for an ask. False when there is
// none, as when the hedge's book is empty.
func (q *quote) bound(d *desk.Desk, fair model.Fair, side venue.Side) (fixed.Price, bool) {
	p, ok := model.Quote(fair, q.bounds.fair[side], side, q.in.Tick)
	if q.hedge == nil || !ok {
		return p, ok
	}
	base, ok := q.in.BaseQty(price(fair), q.cfg.Qty, fixed.Up)
	if !ok {
		return 0, false
	}
	// A bought quote is hedged by a sale, which walks the bids.
	need, ok := q.hedge.FromBase(price(fair), base, fixed.Up)
	w := d.Books[q.hedge.Inst].Take(side.Other(), need)
	if !ok || w.Filled < need {
		return 0, false
	}
	h, ok := model.Quote(model.Fair(w.Worst)<<model.FairBits, q.bounds.hedge[side], side, q.in.Tick)
	if side == venue.Buy {
		return min(p, h), ok
	}
	return max(p, h), ok
}

// price is a fair value as a whole number of price units, rounded down.
func price(f model.Fair) fixed.Price { return fixed.Price(f >> model.FairBits) }
