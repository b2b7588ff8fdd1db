package conform

import (
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// touch is the venue's best price of a side, in our scale, and its size.
func (t *T) touch(s venue.Side) (fixed.Price, fixed.Qty) {
	l := t.sim.Touch(s)
	return l.Price * finer, l.Qty
}

// lots is a quantity that is a hundredth of a coin times n, on every venue's grid.
func (t *T) lots(n int64) fixed.Qty { return fixed.Qty(n * fixed.Pow10(t.in.QtyScale) / 100) }

// away is a price on the tick that is n ticks from the touch, on the side that rests.
func (t *T) away(s venue.Side, n int64) fixed.Price {
	p, _ := t.touch(s)
	return p - fixed.Price(n*s.Sign())*t.in.Tick
}

// order is an order of the first instrument that was not sent yet, in a slot of its own.
func (t *T) order(side venue.Side, typ venue.OrderType, tif venue.TIF, price fixed.Price, qty fixed.Qty) *venue.Command {
	t.next++
	slot := uint32(len(t.slots) + 1)
	t.slots[t.next], t.sides[t.next] = slot, side
	now := t.cfg.Clock.Now()
	return &venue.Command{Op: venue.New, Type: typ, TIF: tif, Side: side, Venue: ours, Inst: 1, Slot: slot, Client: t.next, Price: price, Qty: qty, Decided: now,
		NotAfter: now + 5*venue.Second}
}

// resting is an order that stays: below the market, where nothing sells.
func (t *T) resting() *venue.Command {
	return t.order(venue.Buy, venue.Limit, venue.GTC, t.away(venue.Buy, 2000), t.lots(1))
}

// about is a cancel or amend of an order.
func (t *T) about(op venue.Op, c *venue.Command, price fixed.Price, qty fixed.Qty) *venue.Command {
	t.next++
	if op == venue.Amend {
		t.alias[t.next] = c.Client
	}
	now := t.cfg.Clock.Now()
	return &venue.Command{Op: op, Side: c.Side, Type: c.Type, TIF: c.TIF, Venue: ours, Inst: c.Inst, Slot: c.Slot, Client: t.next, Target: c.Client, Price: price, Qty: qty,
		Decided: now, NotAfter: now + 5*venue.Second}
}

// send submits a command that must leave: at once, or where the card is patient as soon as the gateway can.
func (t *T) send(c *venue.Command) *venue.Command {
	t.Helper()
	if t.patient {
		t.until("a way out", func() bool { return t.gw.Submit(c) != venue.NotSent })
		return c
	}
	require.Equal(t, venue.Out, t.gw.Submit(c), "%s", c.Op)
	return c
}

// placed sends an order and waits until the venue has it.
func (t *T) placed(c *venue.Command) *venue.Command {
	t.Helper()
	t.send(c)
	t.sees(c, venue.Ack)
	return c
}

// sees waits for a report of an order and returns the last of its kind.
func (t *T) sees(c *venue.Command, kind venue.ReportKind) (r venue.Report) {
	t.Helper()
	t.until(kind.String(), func() bool {
		all := t.got.where(func(r *venue.Report) bool { return r.Client == c.Client && r.Kind == kind })
		if len(all) > 0 {
			r = all[len(all)-1]
		}
		return len(all) > 0
	})
	require.Equal(t, c.Slot, r.Slot)
	require.Equal(t, c.Inst, r.Inst)
	require.Equal(t, ours, r.Venue)
	return r
}

// settled waits until nothing more can happen to orders.
func (t *T) settled(cs ...*venue.Command) {
	t.Helper()
	t.until("the end of every order", func() bool {
		for _, c := range cs {
			if f := t.of(c.Client); !f.over() {
				return false
			}
		}
		return true
	})
}

// at are the venue's orders that stand for one of ours, oldest first: an amend may make another of it.
func (t *T) at(c *venue.Command) (out []Order) {
	for _, o := range t.sim.Orders() {
		if o.Client != 0 && t.origin(o.Client) == c.Client {
			o.Price *= finer
			out = append(out, o)
		}
	}
	return out
}

// one is the venue's order that stands for one of ours, which must be there.
func (t *T) one(c *venue.Command) Order {
	t.Helper()
	all := t.at(c)
	require.NotEmpty(t, all, "the venue does not have %x", c.Client)
	return all[len(all)-1]
}

// cancelled cancels an order and waits for its end.
func (t *T) cancelled(c *venue.Command) venue.Report {
	t.Helper()
	t.send(t.about(venue.Cancel, c, 0, 0))
	return t.sees(c, venue.Cancelled)
}

// refused sends an order that must not be placed and returns the reason: of the venue's refusal, or OK where the gateway did
// not let it out.
func (t *T) refused(c *venue.Command) venue.Reason {
	t.Helper()
	why := venue.OK
	if t.gw.Submit(c) != venue.NotSent {
		why = t.sees(c, venue.RejectedReport).Reason
		require.NotEqual(t, venue.OK, why)
	}
	require.Empty(t, t.at(c))
	return why
}

// sweep asks for everything since an instant.
func (t *T) sweep(since venue.Nanos) *book {
	t.Helper()
	b := &book{}
	require.NoError(t, t.gw.Sweep(t.within(), since, b))
	return b
}

// auth requires an error that says, in one sentence and without the secret, that the venue does not take the key.
func (t *T) auth(err error) {
	t.Helper()
	var e *wire.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, wire.Auth, e.Kind, "%v", err)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), string(t.cfg.Secret.Reveal()))
}
