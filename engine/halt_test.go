package engine

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/audit"
)

// quote puts a post-only buy at work and lets its venue acknowledge it.
func (r *rig) quote() *desk.Order {
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.turn()
	r.sayLine(words("new", "buy", "a:X", "998@5", "post"))
	r.put(words("delta", "a:X", "first", "6", "seq", "6", "bid", "1000@51"))
	for r.turn() {
	}
	require.Len(r.t, r.gate.got, 1)
	return r.d.Order(r.gate.got[0].Slot)
}

func TestLoop_fullBacklogCancelsEverythingAndHalts(t *testing.T) {
	r := newRig(t, func(c *LoopConfig) { c.Backlog = 8 })
	o := r.quote()
	r.audit.room = 0
	for seq := 7; r.loop.Err() == nil; seq++ {
		require.Less(t, seq, 100)
		r.want("buy", "1001@3") // refused, which is a record too
		r.put(words("delta", "a:X", "first", strconv.Itoa(seq), "seq", strconv.Itoa(seq), "bid", "1000@"+strconv.Itoa(seq)))
		r.turn()
	}
	require.ErrorIs(t, r.loop.Err(), ErrHalted)
	last := r.gate.got[len(r.gate.got)-1]
	require.Equal(t, venue.Cancel, last.Op, "the order at work is cancelled")
	require.Equal(t, o.Client, last.Target)
	for _, c := range r.gate.got[1:] {
		require.Equal(t, venue.Cancel, c.Op, "nothing new left while the audit was full")
	}
	r.put(words("delta", "a:X", "first", "200", "seq", "200", "bid", "1000@9"))
	require.False(t, r.turn(), "a halted loop leaves the rings alone")
	require.ErrorIs(t, r.loop.Pulse(), ErrHalted)
	err := r.loop.Settle()
	require.ErrorIs(t, err, ErrHalted)
	require.ErrorIs(t, err, ErrUnwritten)
	r.audit.room = 1 << 20
	require.NoError(t, r.loop.Flush())
	for i := range r.audit.got {
		require.EqualValues(t, i+1, r.audit.got[i].Seq, "every record arrived, in order")
	}
	require.Equal(t, audit.End, r.audit.got[len(r.audit.got)-1].Kind)
}

// asking makes the strategy ask for an order in every drain.
type asking struct{ r *rig }

func (a asking) Frame(*Batch) { a.r.want("buy", "1001@3") }

func TestRun_endsWhenTimeAloneFillsTheBacklog(t *testing.T) {
	for _, p := range []Policy{Spin, Park} {
		ticks := make(chan time.Time, 100)
		for range cap(ticks) {
			ticks <- time.Time{}
		}
		r := newRig(t, func(c *LoopConfig) { c.Policy, c.Backlog, c.Tick = p, 8, ticks })
		r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
		r.turn()
		r.audit.room = 0
		r.loop.Tap(asking{r})
		require.ErrorIs(t, r.loop.Run(t.Context()), ErrHalted)
		require.NotEmpty(t, ticks, "%s stepped on after it had halted", p)
	}
}

// due is a source of one report.
type due struct {
	at venue.Nanos
	r  venue.Report
}

func (d *due) Due(now venue.Nanos, dst []venue.Report) []venue.Report {
	if d.at == 0 || now < d.at {
		return dst
	}
	d.at = 0
	return append(dst, d.r)
}

func (d *due) Next() (venue.Nanos, bool) { return d.at, d.at != 0 }

func TestSettle_booksReportsAndDecidesNothing(t *testing.T) {
	fill := &due{}
	r := newRig(t, func(c *LoopConfig) { c.Sources = []Source{fill} })
	o := r.quote()
	fill.at = r.clock.now + venue.Second
	fill.r = venue.Report{Kind: venue.Fill, Venue: o.Venue, Inst: o.Inst, Slot: o.Slot, Client: o.Client, Fill: 5, Cum: 5, Price: 998, FeeCcy: ccyUSD, Recv: fill.at, At: fill.at}
	fill.r.SetRef([]byte("t1"))
	r.want("buy", "1001@5")
	before := r.e.Counters().Intents
	require.NoError(t, r.loop.Settle())
	require.Equal(t, before, r.e.Counters().Intents, "a strategy was asked after the end")
	require.Len(t, r.say, 1)
	require.Equal(t, desk.Filled, o.State)
	require.EqualValues(t, 5, r.d.Position(1).Qty)
}

func TestPulse_stepsTheAnswersOfWhatItSent(t *testing.T) {
	r := newRig(t, func(c *LoopConfig) { c.Policy = Inline })
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.loop.Offer()
	r.want("buy", "1001@5")
	require.NoError(t, r.loop.Pulse())
	require.Len(t, r.gate.got, 1)
	require.Equal(t, desk.Sent, r.d.Order(r.gate.got[0].Slot).State, "Step has not heard that the order left")
}
