package market

import (
	"strconv"

	"oneprice/books/venue"
)

// Restock lets a while pass, long enough that the quotes do not take fright of their fills, and gives fills of one lot for the quotes
// of the first market in turn, n of them. A quote has room for many more.
func (r *Rig) Restock(dst []venue.Report, n int) []venue.Report {
	r.Answer()
	r.skew += 400 * venue.Millisecond
	r.Tick(r.Depths[0].Next())
	r.Answer()
	live := r.Engine.Desk().Live[1]
	if len(live) == 0 {
		panic("market: no quote stands that could be filled")
	}
	for k := range n {
		o := r.Engine.Desk().Order(live[k%len(live)])
		f := venue.Report{Kind: venue.Fill, Flags: venue.Maker, Venue: o.Venue, Inst: o.Inst, Slot: o.Slot, Client: o.Client, Recv: r.now(), At: r.now(), Fill: 1, Price: o.Price,
			Open: o.Qty, FeeCcy: USDT, Fee: 1}
		f.Cum = o.Filled + 1
		for i := range dst {
			if dst[i].Slot == f.Slot {
				f.Cum++
			}
		}
		r.trades++
		if !f.SetRef(strconv.AppendUint(nil, r.trades, 10)) {
			panic("market: the id of a trade is too long")
		}
		dst = append(dst, f)
	}
	return dst
}

// Book takes one report all the way: ledger, orders, risk, strategies, audit, and what they send.
func (r *Rig) Book(reports []venue.Report) {
	r.batch.Now, r.batch.Events, r.batch.Reports = r.now(), nil, reports
	r.step()
}

// Booked is the signed sum of what the first instrument has been filled, in lots, as the ledger has it.
func (r *Rig) Booked() int64 { return int64(r.Engine.Desk().Positions[1].Qty) }
