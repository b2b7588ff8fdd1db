package match

import (
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

var gtc = Rules{TIF: venue.GTC}

func TestBook_tradesAtTheMakersPriceInOrderOfArrival(t *testing.T) {
	b := New()
	b.Add(Order{ID: 1, Side: venue.Sell, Price: 101, Qty: 5}, gtc)
	b.Add(Order{ID: 2, Side: venue.Sell, Price: 101, Qty: 5}, gtc)
	b.Add(Order{ID: 3, Side: venue.Sell, Price: 102, Qty: 5}, gtc)
	r := b.Add(Order{ID: 4, Side: venue.Buy, Price: 102, Qty: 12}, gtc)
	require.EqualValues(t, 12, r.Filled)
	require.Len(t, r.Trades, 3)
	require.Equal(t, []uint64{1, 2, 3}, []uint64{r.Trades[0].MakerID, r.Trades[1].MakerID, r.Trades[2].MakerID})
	require.EqualValues(t, 101, r.Trades[1].Price)
	require.Equal(t, []Change{{venue.Sell, 101, 0}, {venue.Sell, 102, 3}}, r.Changes)
	require.Equal(t, venue.Level{Price: 102, Qty: 3}, b.Best(venue.Sell))
	require.EqualValues(t, 0, b.Best(venue.Buy).Qty)
}

func TestBook_rulesOfArrival(t *testing.T) {
	f := func(name string, o Order, r Rules, why venue.Reason, filled, rests fixed.Qty) {
		t.Helper()
		b := New()
		b.Add(Order{ID: 1, Side: venue.Sell, Price: 101, Qty: 5}, gtc)
		b.Add(Order{ID: 2, Side: venue.Buy, Price: 99, Qty: 5}, gtc)
		res := b.Add(o, r)
		require.Equal(t, why, res.Why, name)
		require.Equal(t, filled, res.Filled, name)
		require.Equal(t, rests, res.Rests, name)
	}
	f("post-only that would cross", Order{ID: 3, Side: venue.Buy, Price: 101, Qty: 1}, Rules{TIF: venue.GTC, PostOnly: true}, venue.PostOnlyCross, 0, 0)
	f("post-only sell that would cross", Order{ID: 3, Side: venue.Sell, Price: 99, Qty: 1}, Rules{TIF: venue.GTC, PostOnly: true}, venue.PostOnlyCross, 0, 0)
	f("post-only inside the spread", Order{ID: 3, Side: venue.Buy, Price: 100, Qty: 1}, Rules{TIF: venue.GTC, PostOnly: true}, venue.OK, 0, 1)
	f("IOC forgets its rest", Order{ID: 3, Side: venue.Buy, Price: 101, Qty: 9}, Rules{TIF: venue.IOC}, venue.OK, 5, 0)
	f("FOK is all or nothing", Order{ID: 3, Side: venue.Buy, Price: 200, Qty: 9}, Rules{TIF: venue.FOK}, venue.Unfilled, 0, 0)
	f("FOK that fits", Order{ID: 3, Side: venue.Sell, Price: 99, Qty: 5}, Rules{TIF: venue.FOK}, venue.OK, 5, 0)
	f("known id", Order{ID: 1, Side: venue.Buy, Price: 90, Qty: 1}, gtc, venue.BadIntent, 0, 0)
	f("no price", Order{ID: 3, Side: venue.Buy, Qty: 1}, gtc, venue.BadIntent, 0, 0)
}

func TestBook_reduceKeepsPriority(t *testing.T) {
	b := New()
	b.Add(Order{ID: 1, Side: venue.Buy, Price: 99, Qty: 5}, gtc)
	b.Add(Order{ID: 2, Side: venue.Buy, Price: 99, Qty: 5}, gtc)
	require.Equal(t, []Change{{venue.Buy, 99, 7}}, b.Reduce(1, 2).Changes)
	require.Equal(t, venue.BadIntent, b.Reduce(1, 2).Why)
	r := b.Add(Order{ID: 3, Side: venue.Sell, Price: 99, Qty: 3}, gtc)
	require.EqualValues(t, 1, r.Trades[0].MakerID)
	require.EqualValues(t, 2, r.Trades[1].MakerID)
	require.Equal(t, venue.UnknownTarget, b.Cancel(1).Why)
}

// TestBook_agreesWithAListOfOrders runs random calls beside a plain sorted list.
func TestBook_agreesWithAListOfOrders(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 2))
	b := New()
	var list []Order // in order of arrival
	bought, sold := fixed.Qty(0), fixed.Qty(0)
	for id := uint64(1); id < 20_000; id++ {
		if rnd.IntN(3) == 0 && len(list) > 0 {
			i := rnd.IntN(len(list))
			require.Equal(t, venue.OK, b.Cancel(list[i].ID).Why)
			list = append(list[:i], list[i+1:]...)
		} else {
			o := Order{ID: id, Side: venue.Side(1 + rnd.IntN(2)), Price: fixed.Price(90 + rnd.IntN(20)), Qty: fixed.Qty(1 + rnd.IntN(9))}
			r := b.Add(o, gtc)
			for _, tr := range r.Trades {
				bought, sold = bought+tr.Qty, sold+tr.Qty
			}
			var filled fixed.Qty
			list, filled = naive(list, o)
			require.Equal(t, filled, r.Filled)
			for _, c := range r.Changes {
				require.Equal(t, total(list, c.Side, c.Price), lastChange(r.Changes, c))
			}
		}
		require.Equal(t, bought, sold)
		for _, s := range []venue.Side{venue.Buy, venue.Sell} {
			best := b.Best(s)
			require.Equal(t, total(list, s, best.Price), best.Qty)
		}
		bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
		require.True(t, bid.Qty == 0 || ask.Qty == 0 || bid.Price < ask.Price, "unexpected crossed book")
	}
	require.NotZero(t, bought)
}

func lastChange(cs []Change, c Change) fixed.Qty {
	for _, x := range cs {
		if x.Side == c.Side && x.Price == c.Price {
			c.Qty = x.Qty
		}
	}
	return c.Qty
}

func total(list []Order, s venue.Side, p fixed.Price) fixed.Qty {
	var sum fixed.Qty
	for _, o := range list {
		if o.Side == s && o.Price == p {
			sum += o.Qty
		}
	}
	return sum
}

// naive matches o against a list by sorting candidates afresh.
func naive(list []Order, o Order) ([]Order, fixed.Qty) {
	var idx []int
	for i, x := range list {
		if x.Side != o.Side && (o.Side == venue.Buy && x.Price <= o.Price || o.Side == venue.Sell && x.Price >= o.Price) {
			idx = append(idx, i)
		}
	}
	sort.SliceStable(idx, func(a, b int) bool {
		if o.Side == venue.Buy {
			return list[idx[a]].Price < list[idx[b]].Price
		}
		return list[idx[a]].Price > list[idx[b]].Price
	})
	var filled fixed.Qty
	for _, i := range idx {
		q := min(list[i].Qty, o.Qty)
		list[i].Qty -= q
		o.Qty -= q
		filled += q
	}
	out := list[:0]
	for _, x := range list {
		if x.Qty > 0 {
			out = append(out, x)
		}
	}
	if o.Qty > 0 {
		out = append(out, o)
	}
	return out, filled
}
