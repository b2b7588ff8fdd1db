package app

import (
	"testing"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"

	"github.com/stretchr/testify/require"
)

// spotListing is a linear instrument with the given grid.
func spotListing(symbol, tick, lot, most string) wire.Listing {
	return wire.Listing{Symbol: symbol, Base: "A", Quote: "B", Settle: "B", Kind: venue.Spot, Tick: tick, Lot: lot, MaxQty: most, Multiplier: "1", PriceText: 8, QtyText: 8}
}

func members(t *Table, ls ...wire.Listing) []member {
	id := t.Venue("v", nil)
	var ms []member
	for _, l := range ls {
		ms = append(ms, member{venue: id, listing: l})
	}
	return ms
}

func TestTable_choosesTheFinestGridWithRoom(t *testing.T) {
	f := func(price, qty uint8, ls ...wire.Listing) {
		t.Helper()
		table := NewTable()
		require.NoError(t, table.AddProduct("p", members(table, ls...), nil, nil))
		require.Equal(t, price, table.Products[1].PriceScale, "price scale")
		require.Equal(t, qty, table.Products[1].QtyScale, "quantity scale")
	}
	f(3, 7, spotListing("A", "0.01000000", "0.00001000", "9000"), spotListing("B", "0.10", "0.001", "1000"))
	f(1, 2, spotListing("A", "5", "1", "1000"))
	f(8, 8, spotListing("A", "0.00000001", "0.00000001", ""))
	f(9, 8, spotListing("A", "0.000000001", "0.0000001", ""))
	f(1, 1, spotListing("A", "1", "1", "97044307660000"))        // two digits would leave no room for several orders
	f(0, 0, spotListing("A", "1000000", "1", "970443076600000")) // a tick so coarse leaves none for a finer one
	f(1, 2, wire.Listing{Symbol: "A", Base: "A", Quote: "B", Multiplier: "1"})
	f(3, 5, wire.Listing{Symbol: "A", Base: "A", Quote: "B", Multiplier: "1", PriceText: 2, QtyText: 3})
}

func TestTable_refusesByNameWhatDoesNotFit(t *testing.T) {
	scale := func(n uint8) *uint8 { return &n }
	f := func(want string, price, qty *uint8, l wire.Listing) {
		t.Helper()
		table := NewTable()
		require.ErrorContains(t, table.AddProduct("p", members(table, l), price, qty), want)
		require.Len(t, table.Instruments, 1, "nothing was added")
		require.Len(t, table.Products, 1)
	}
	f("v:A: its tick 0.01 needs more than the 1 decimals", scale(1), nil, spotListing("A", "0.01", "1", ""))
	f("v:A: its lot 0.001 needs more than the 2 decimals", nil, scale(2), spotListing("A", "1", "0.001", ""))
	f("v:A: its largest values do not fit at qty_scale 12", nil, scale(12), spotListing("A", "1", "1", "1000000"))
	f("v:A: its largest values do not fit at price_scale 10", scale(10), nil, spotListing("A", "1", "1", ""))
	f("v:A: its tick \"x\" is not a step", nil, nil, spotListing("A", "x", "1", ""))
	f("v:A: its lot \"0\" is not a step", nil, nil, spotListing("A", "1", "0", ""))
	inverse := spotListing("A", "0.1", "1", "")
	inverse.Contract = venue.Inverse
	f("an inverse contract without a contract value", nil, nil, inverse)
	bad := spotListing("A", "0.1", "1", "")
	bad.Multiplier = "0.0000000001"
	f("its multiplier", nil, nil, bad)
}

func TestTable_instrumentsKeepTheirListing(t *testing.T) {
	table := NewTable()
	l := wire.Listing{Symbol: "BTCUSD_PERP", Base: "BTC", Quote: "USD", Settle: "BTC", Kind: venue.Perpetual, Contract: venue.Inverse, Tick: "0.1", Lot: "1",
		MinQty: "1", MaxQty: "1000000", Face: "100", PriceText: 1, Chain: venue.ChainPrev, Status: venue.Trading}
	fine := spotListing("FINE", "0.01", "0.001", "3.99999")
	fine.MinQty, fine.MinNotional = "0.00051", "5"
	require.NoError(t, table.AddProduct("BTC", members(table, l, fine), nil, nil))
	in := table.Find("v:BTCUSD_PERP")
	require.EqualValues(t, 1, in.Inst)
	require.EqualValues(t, 1, in.Product)
	require.Equal(t, "BTC", table.Currencies[in.Settle])
	require.Equal(t, in.Base, in.Settle)
	require.EqualValues(t, 100*100_000_000, in.Face)
	require.Equal(t, fixed.One, in.Multiplier)
	require.EqualValues(t, 100, in.Tick)
	require.Equal(t, venue.ChainPrev, in.Chain)
	second := table.Find("v:FINE")
	require.Equal(t, second.Lot, second.MinQty, "a least size finer than the grid is one lot")
	require.Equal(t, 3999*second.Lot, second.MaxQty, "a greatest size is cut to the grid")
	require.EqualValues(t, 5*100_000_000, second.MinNotional)
	require.Nil(t, table.Find("v:NONE"))
	require.Len(t, table.Of(1), 2)
}

func TestTextAt_printsAsTheVenueDoes(t *testing.T) {
	f := func(want string, v int64, scale, decimals uint8) {
		t.Helper()
		require.Equal(t, want, textAt(v, scale, decimals))
	}
	f("61602.01000000", 61602010, 3, 8)
	f("61602.0", 61602000, 3, 1)
	f("61602.01", 61602010, 3, 1) // more than the venue should print is kept
	f("27", 270000000, 7, 0)
	f("5.000", 5, 0, 3)
	f("5", 5, 0, 0)
	f("0.10", 100, 3, 2)
	f("0.00000001", 1, 8, 8)
}

func TestOffsets_keepExactEndsAndASampledMedian(t *testing.T) {
	var o Offsets
	for i := range venue.Nanos(100_001) {
		o.Add(50_000 - i)
	}
	require.EqualValues(t, 100_001, o.N)
	require.EqualValues(t, -50_000, o.Min)
	require.EqualValues(t, 50_000, o.Max)
	require.InDelta(t, 0, float64(o.Median()), 100)
	require.LessOrEqual(t, len(o.sample), samplesMax)
}
