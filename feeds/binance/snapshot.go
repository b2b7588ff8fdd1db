package binance

import (
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// partRecords is the largest number of Levels records in one part of a snapshot.
const partRecords = wire.PartRecords - 1

// snapshot decodes the body of GET depth: lastUpdateId, at the futures E, T and (COIN-M) symbol and pair, bids, asks.
func (d *Decoder) snapshot(recv venue.Nanos, request string, b []byte, n int) ([]venue.Event, venue.Reason) {
	const other = venue.NotMyShape
	seq, i := number(b, wire.Lit(b, 0, `{"lastUpdateId":`), n)
	at := venue.Nanos(0)
	if i > 0 && b[i+2] == 'E' {
		at, i = when(b, wire.Lit(b, i, `,"E":`), n)
		i = past(b, wire.Lit(b, i, `,"T":`), n)
	}
	if i < 0 {
		return nil, other
	}
	e := d.requested(request)
	if j := wire.Lit(b, i, `,"symbol":"`); j > 0 {
		if e, i = d.symbols.at(b, j, n); i < 0 {
			return nil, other
		}
		if j = wire.Lit(b, i, `,"pair":"`); j > 0 {
			i = text(b, j, n)
		}
	}
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	d.reserve(n)
	k := 1
	if i, k = d.levels(b, wire.Lit(b, i, `,"bids":[`), n, k, e, venue.Bids, seq); i < 0 {
		return nil, other
	}
	if i, k = d.levels(b, wire.Lit(b, i, `,"asks":[`), n, k, e, venue.Asks, seq); i < 0 {
		return nil, other
	}
	if !closed(b, i, n, 1) {
		return nil, other
	}
	return d.cut(recv, at, e, seq, k-1), venue.OK
}

// requested is the instrument that a request names in symbol=, or the only one of the connection where it names none.
func (d *Decoder) requested(request string) *listed {
	_, s, named := strings.Cut(request, "symbol=")
	if !named {
		return d.symbols.only
	}
	if j := strings.IndexAny(s, "& \t\""); j >= 0 {
		s = s[:j]
	}
	return d.symbols.find([]byte(s))
}

// cut makes a snapshot of the count Levels records in d.ev[1:]: parts of at most partRecords, each behind a Head of its
// own. It moves the parts to their places from the last to the first, so that nothing is overwritten before it moved.
func (d *Decoder) cut(recv, at venue.Nanos, e *listed, seq uint64, count int) []venue.Event {
	parts := max(1, (count+partRecords-1)/partRecords)
	total := count + parts
	if total > len(d.ev) {
		d.ev = append(d.ev, make([]venue.Event, total-len(d.ev))...)
	}
	for p := parts - 1; p >= 0; p-- {
		head, from, to := p*(partRecords+1), 1+p*partRecords, 1+min(count, (p+1)*partRecords)
		copy(d.ev[head+1:], d.ev[from:to])
		flags := venue.Snapshot | venue.Part
		if p == parts-1 {
			flags = venue.Snapshot
		}
		d.ev[head].SetHead(d.venue, e.inst, flags, recv, at, uint64(p), 0, seq, venue.NoChecksum, to-from)
		d.ev[head+to-from].Flags |= venue.Last
	}
	return d.ev[:total]
}
