package bench

import (
	"fmt"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/arb"
	"oneprice/bench/market"
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/quoting"
)

// applyAll applies what a decoder made of one message, frame by frame.
func applyAll(b *books.Book, ev []venue.Event) {
	for len(ev) > 0 {
		n := slices.IndexFunc(ev, func(e venue.Event) bool { return e.Flags&venue.Last != 0 }) + 1
		b.Apply(ev[:n])
		ev = ev[n:]
	}
}

// wanted is an intent in a form that both sides can be put into.
type wanted struct {
	venue, kind, tif string
	buy              bool
	price, qty       decimal.Decimal
}

func (w *wanted) text() string {
	return fmt.Sprint(w.venue, " ", w.kind, " ", w.tif, " ", w.buy, " ", w.price, " ", w.qty)
}

// said are the intents of a drain, plans first.
func said(out *desk.Out, ins []*venue.Instrument) (list []wanted) {
	add := func(in *desk.Intent) {
		i := ins[in.Inst]
		w := wanted{venueNames[i.Venue], "LIMIT", in.TIF.String(), in.Side == venue.Buy, fixed.Decimal(in.Price, i.PriceScale), fixed.Decimal(in.Qty, i.QtyScale)}
		if in.Type == venue.PostOnly {
			w.kind = "LIMIT_MAKER"
		}
		list = append(list, w)
	}
	for i := range out.Plans() {
		p := &out.Plans()[i]
		for k := range p.N {
			add(&p.Legs[k])
		}
	}
	for i := range out.Intents() {
		add(&out.Intents()[i])
	}
	return list
}

// TestBaseline_seesAndWantsWhatTheProductDoes gives both the same messages: the same books and touches come of them, the
// same two legs of the same cross, and the same quotes. A quote may differ by one tick, since ours takes the fair value to
// 1/256 of a tick.
func TestBaseline_seesAndWantsWhatTheProductDoes(t *testing.T) {
	r := rig(t, market.Config{Levels: 20})
	theirs := bot(t, r, false)
	d := desk.New(r.Instruments, r.Venues, 2, 16, market.USDT, books.Config{})
	d.Now = 1000 * venue.Second
	for v := 1; v <= r.Venues; v++ {
		moved := int64(0)
		if v == 2 {
			moved = market.Above
		}
		dec := binance.Spot.Decoder(venue.ID(v), r.At(v))
		ev, why := dec.Rest(d.Now, "https://api/api/v3/depth?symbol=BTCUSDT&limit=1000", market.NewDepth("BTCUSDT", 20, 1).Snapshot(1000, moved))
		require.Equal(t, venue.OK, why)
		applyAll(d.Book(venue.Inst(v)), ev)
		d.Changed = append(d.Changed, venue.Inst(v))
	}
	arbitrage, err := arb.New(r.Crosses(), r.Instruments)
	require.NoError(t, err)
	quotes, err := quoting.New(r.Quotes(), r.Instruments)
	require.NoError(t, err)
	dec, depth, out := binance.Spot.Decoder(1, r.At(1)), market.NewDepth("BTCUSDT", 20, 1), desk.NewOut(64, 8)
	touches, off := map[string]bool{}, 0
	for i := range 500 {
		m := depth.Next()
		d.Now += 100 * venue.Millisecond
		ev, why := dec.Decode(d.Now, m)
		require.Equal(t, venue.OK, why)
		applyAll(d.Book(1), ev)
		require.NoError(t, theirs.Update("v1", m))
		touches[fmt.Sprint(d.Book(1).Best(venue.Buy), d.Book(1).Best(venue.Sell))] = true
		if i%50 == 0 {
			for _, side := range [2]venue.Side{venue.Buy, venue.Sell} {
				sameSide(t, d.Book(1), side, theirs.Levels("v1", side == venue.Buy))
			}
		}
		out.Reset()
		arbitrage.Decide(d, out)
		quotes.Decide(d, out)
		d.Changed = append(d.Changed[:0], 1)
		ours, want := said(out, r.Instruments), []wanted(nil)
		for _, o := range theirs.Wants("v1") {
			want = append(want, wanted{o.Venue, o.Type, map[string]string{"IOC": "ioc", "GTC": "gtc"}[o.TIF], o.Buy, o.Price, o.Qty})
		}
		if i < 5 {
			continue // our quotes wait for a volatility
		}
		off += sameWants(t, ours, want)
	}
	require.Greater(t, len(touches), 20, "the touch hardly moved")
	require.Less(t, off, 500*4/50, "quotes differ by a tick too often")
}

// sameSide requires equal levels.
func sameSide(t *testing.T, b *books.Book, side venue.Side, theirs [][2]decimal.Decimal) {
	w := b.Levels(side)
	for _, l := range theirs {
		require.True(t, w.Next())
		require.True(t, fixed.Decimal(w.Price, 2).Equal(l[0]) && fixed.Decimal(w.Qty, 5).Equal(l[1]), "%v against %v", l, w)
	}
	require.False(t, w.Next())
}

// sameWants requires equal intents and counts the quotes that are a tick apart.
func sameWants(t *testing.T, ours, theirs []wanted) (off int) {
	order := func(a, b wanted) int {
		if a.kind != b.kind {
			return len(a.kind) - len(b.kind)
		}
		return a.price.Cmp(b.price)
	}
	slices.SortFunc(ours, order)
	slices.SortFunc(theirs, order)
	require.Len(t, ours, 6)
	require.Len(t, theirs, 6)
	for i := range ours {
		a, b := &ours[i], &theirs[i]
		if a.kind == "LIMIT_MAKER" && !a.price.Equal(b.price) {
			require.True(t, a.price.Sub(b.price).Abs().LessThanOrEqual(decimal.New(1, -2)), "%s against %s", a.text(), b.text())
			off++
			a.price = b.price
		}
		require.Equal(t, b.text(), a.text())
	}
	return off
}
