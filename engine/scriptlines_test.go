package engine

import (
	"strings"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// frame reads a book or delta line.
func (s *script) frame(f []string) {
	in := s.d.Instrument(s.inst(f[1]))
	var flags uint8
	if f[0] == "book" {
		flags = venue.Snapshot
	}
	var first, seq uint64
	side := uint8(0)
	var levels []venue.Event
	for i := 2; i < len(f); i++ {
		switch f[i] {
		case "seq":
			i++
			seq = uint64(s.number(f[i]))
		case "first":
			i++
			first = uint64(s.number(f[i]))
		case "bid":
			side = venue.Bids
		case "ask":
			side = venue.Asks
		default:
			p, q := s.level(f[i])
			var e venue.Event
			e.Kind, e.Flags, e.N, e.Venue, e.Inst = venue.Levels, side, 1, in.Venue, in.Inst
			e.W[0], e.W[1] = int64(p), int64(q)
			levels = append(levels, e)
		}
	}
	var h venue.Event
	h.SetHead(in.Venue, in.Inst, flags, 0, 0, first, 0, seq, venue.NoChecksum, len(levels))
	frame := append([]venue.Event{h}, levels...)
	frame[len(frame)-1].Flags |= venue.Last
	s.batch.Events = append(s.batch.Events, frame...)
}

func (s *script) sayLine(f []string) {
	if f[0] == "cancel" {
		o := s.order(f[2])
		s.say = append(s.say, desk.Intent{Op: venue.Cancel, Inst: s.inst(f[1]), Target: o.Client, Side: o.Side, NotAfter: 1 << 62})
		return
	}
	in := s.leg(f[1], f[2], f[3])
	in.Role = venue.RoleTake
	switch f[4] {
	case "gtc":
		in.TIF, in.Role = venue.GTC, venue.RoleQuote
	case "post":
		in.TIF, in.Type, in.Role = venue.GTC, venue.PostOnly, venue.RoleQuote
	}
	s.say = append(s.say, in)
}

// leg is one IOC limit order: inst side P@Q, the first two in either order.
func (s *script) leg(a, b, level string) desk.Intent {
	if a == "buy" || a == "sell" {
		a, b = b, a
	}
	side := venue.Buy
	if b == "sell" {
		side = venue.Sell
	}
	p, q := s.level(level)
	i := s.inst(a)
	return desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: side, Inst: i, Price: p, Qty: q, BookSeq: s.d.Book(i).Seq(), NotAfter: 1 << 62}
}

func (s *script) planLine(f []string) {
	p := desk.Plan{Shape: desk.TwoVenue, Allowance: 500 * fixed.Bps, MaxLoss: 1e12, Deadline: 1 << 62, Edge: fixed.Bps, Base: 1}
	for _, part := range strings.Split(strings.Join(f, " "), "/") {
		w := strings.Fields(part)
		in := s.leg(w[0], w[1], w[2])
		in.Role = venue.RoleLeg
		p.Legs[p.N] = in
		p.N++
		for _, o := range w[3:] {
			switch o {
			case "in_turn":
				p.Policy = desk.InTurn
			case "unwind":
				p.OnFail = desk.Unwind
			default:
				s.t.Fatalf("unknown plan option %q", o)
			}
		}
	}
	s.plans = append(s.plans, p)
}

func (s *script) reportLine(f []string) {
	kinds := map[string]venue.ReportKind{}
	for k := venue.Ack; k <= venue.PositionIs; k++ {
		kinds[k.String()] = k
	}
	k, ok := kinds[f[0]]
	require.True(s.t, ok, "unknown report %q", f[0])
	o := s.order(f[1])
	r := venue.Report{Kind: k, Venue: o.Venue, Inst: o.Inst, Slot: o.Slot, Client: o.Client, FeeCcy: s.d.Instrument(o.Inst).Settle}
	for i := 2; i < len(f); i++ {
		switch {
		case f[i] == "cum":
			i++
			r.Cum = fixed.Qty(s.number(f[i]))
		case f[i] == "id":
			i++
			r.SetRef([]byte(f[i]))
		case k == venue.RejectedReport && f[i] != "post_only_cross":
			r.Reason = venue.VenueRejected
		case f[i] == "post_only_cross":
			r.Reason = venue.PostOnlyCross
		default:
			r.Price, r.Fill = s.level(f[i])
			r.Open = r.Fill
		}
	}
	if k == venue.Fill && r.Cum == 0 {
		r.Cum = o.Filled + r.Fill
	}
	s.batch.Reports = append(s.batch.Reports, r)
}

func (s *script) control(f []string) {
	var e venue.Event
	switch f[0] {
	case "kill":
		e.SetOperator(venue.OpKill, 0, 5, 0)
		s.kill.Set()
	case "disarm":
		e.SetOperator(venue.OpDisarm, 0, 5, 0)
	case "lift":
		e.SetOperator(venue.OpLift, 0, 5, 0)
		s.kill.Lift()
	case "arm":
		e.SetOperator(venue.OpArm, 0, 5, 0)
	case "room":
		e.SetRoom(venue.RingAudit, f[2] == "full", 0)
	case "heartbeat":
		e.SetAlive(s.d.Instrument(s.inst(f[1])).Venue, 0, 0, 0)
	case "gap":
		in := s.d.Instrument(s.inst(f[1]))
		e.SetGap(in.Venue, in.Inst, venue.SequenceGap, 1, 3, 0)
	case "status":
		in := s.d.Instrument(s.inst(f[1]))
		st := venue.Unlisted
		for st.String() != f[2] {
			st++
		}
		e.SetStatus(in.Venue, in.Inst, st, venue.OK, 0)
	case "rules":
		in := s.d.Instrument(s.inst(f[1]))
		e.SetRules(in.Venue, in.Inst, venue.Rules{Tick: fixed.Price(s.number(f[2])), Lot: fixed.Qty(s.number(f[3])), MinQty: fixed.Qty(s.number(f[4]))}, 0)
	case "fees":
		in := s.d.Instrument(s.inst(f[1]))
		e.SetFees(in.Venue, in.Inst, venue.Fees{Maker: fixed.Rate(s.number(f[2])), Taker: fixed.Rate(s.number(f[3]))}, 0)
	case "clock":
		e.SetClock(venue.ID(s.number(f[1])), venue.Nanos(s.number(f[2]))*venue.Millisecond, venue.Nanos(s.number(f[3]))*venue.Millisecond, 0)
	case "fx":
		e.SetFX(0, ccyX, ccyUSD, fixed.Rate(s.number(f[1]))*fixed.One, fixed.Rate(s.number(f[1]))*fixed.One, 1<<62)
	}
	s.batch.Events = append(s.batch.Events, e)
}
