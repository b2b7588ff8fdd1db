package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/journal"
)

var _ Journal = (*journal.Journal)(nil)

// book is a journal with a bounded room.
type book struct {
	room    int
	intents []venue.Command
	reports []venue.Report
	ruled   []venue.OpKind
	noted   []string
}

func (b *book) Note(name, text string, _ int64, _ uint8, _ venue.Nanos) error {
	b.noted = append(b.noted, name+" "+text)
	return nil
}

func (b *book) Room() bool { return b.room > 0 }

func (b *book) Stepped(*desk.Desk) {}

func (b *book) take() bool {
	if b.room == 0 {
		return false
	}
	b.room--
	return true
}

func (b *book) Intent(c *venue.Command) bool {
	if !b.take() {
		return false
	}
	b.intents = append(b.intents, *c)
	return true
}

func (b *book) Report(r *venue.Report) bool {
	if !b.take() {
		return false
	}
	b.reports = append(b.reports, *r)
	return true
}

func (b *book) Operator(k venue.OpKind, _ venue.ID, _ uint16, _ venue.Nanos) bool {
	b.ruled = append(b.ruled, k)
	return true
}

func newJournalled(t *testing.T) (*rig, *book) {
	j := &book{room: 1 << 20}
	r := newRig(t, func(c *LoopConfig) { c.Journal = j })
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.turn()
	return r, j
}

func TestLoop_intentIsJournalledBeforeItsCommandLeaves(t *testing.T) {
	r, j := newJournalled(t)
	r.gate.before = func() { require.Len(t, j.intents, len(r.gate.got)+1) }
	r.say = append(r.say, desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Role: venue.RoleQuote, Inst: 1, Price: 999, Qty: 5, NotAfter: 1 << 62})
	r.put(words("delta", "a:X", "first", "6", "seq", "6", "bid", "1000@51"))
	r.turn()
	require.Equal(t, r.gate.got, j.intents)
	require.Empty(t, j.reports)
	r.turn()
	require.Len(t, j.reports, 1, "the gateway's answer is journalled with the batch that carries it")

	j.room, r.gate.before = 0, nil
	var e venue.Event
	e.SetOperator(venue.OpKill, 0, 1, r.clock.now)
	require.Equal(t, venue.OK, r.ring.Put([]venue.Event{e}))
	r.turn()
	require.Equal(t, []venue.OpKind{venue.OpKill}, j.ruled)
	require.Equal(t, venue.Cancel, r.gate.got[len(r.gate.got)-1].Op, "a cancel leaves though the journal is full")
}

func TestLoop_fullJournalStopsNewOrders(t *testing.T) {
	r, j := newJournalled(t)
	j.room = 0
	r.want("buy", "1001@5")
	r.put(words("delta", "a:X", "first", "6", "seq", "6", "bid", "1000@51"))
	r.turn()
	require.Empty(t, r.gate.got, "an order that is not journalled does not leave")
	r.want("buy", "1001@4")
	r.put(words("delta", "a:X", "first", "7", "seq", "7", "bid", "1000@52"))
	r.turn()
	require.EqualValues(t, 1, r.e.Counters().Refused[venue.JournalFull], "Step knows by now")
	require.Equal(t, desk.Rejected, r.d.Order(1).State, "the unsent order has ended")
	j.room = 1 << 20
	r.put(words("delta", "a:X", "first", "8", "seq", "8", "bid", "1000@53"))
	for r.turn() {
	}
	r.want("buy", "1001@3")
	r.put(words("delta", "a:X", "first", "9", "seq", "9", "bid", "1000@54"))
	r.turn()
	require.Len(t, r.gate.got, 1)
}
