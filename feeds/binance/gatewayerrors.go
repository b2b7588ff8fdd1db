package binance

import (
	"bytes"

	"oneprice/books/venue"
)

// fate is what an error says of its request.
type fate uint8

const (
	// refused: the request changed nothing.
	refused fate = iota
	// unsure: it may have been carried out. Query, never resend.
	unsure
	// limited: it changed nothing, and nothing more may be asked for a while; banned likewise, for much longer.
	limited
	banned
	// offClock and badKey: it changed nothing, and nothing will while our clock or key is wrong.
	offClock
	badKey
	// expired: the venue has forgotten who we are.
	expired
)

// classify reads an error of the WS API or of REST (venues/binance.md, section 5; errors.md).
func classify(status, code int, msg []byte) (fate, venue.Reason) {
	switch {
	case status == 418:
		return banned, venue.RateLimited
	case status == 429, status == 403, code == -1003, code == -1015, code == -1034:
		return limited, venue.RateLimited
	case status >= 500, code == -1006, code == -1007, code == -1000, code == -1001:
		return unsure, venue.Timeout
	}
	switch code {
	case -1021:
		return offClock, venue.AuthFailed
	case -1002, -1022, -2014, -2015:
		return badKey, venue.AuthFailed
	case -1102:
		if bytes.Contains(msg, []byte("apiKey")) { // left out because the session had logged on
			return expired, venue.AuthFailed
		}
	case -1008, -1016:
		return refused, venue.VenueBusy
	case -1013:
		return refused, filter(msg)
	case -1111:
		if bytes.Contains(msg, []byte("rice")) {
			return refused, venue.BadTick
		}
		return refused, venue.BadLot
	case -1121:
		return refused, venue.UnknownSymbol
	case -2011:
		if bytes.Contains(msg, []byte("restrictions")) { // ONLY_NEW, and it had been filled
			return refused, venue.VenueRejected
		}
		return refused, venue.UnknownTarget
	case -2013, -2026:
		return refused, venue.UnknownTarget
	case -1010, -2010, -2038:
		if bytes.HasPrefix(msg, []byte("Duplicate order")) {
			return unsure, venue.Duplicate // ids are never used twice: an order of this one stands
		}
		return refused, engineSays(msg)
	}
	if why, ok := futuresSay[code]; ok {
		return refused, why
	}
	if code == -4116 {
		return unsure, venue.Duplicate // the same at futures
	}
	if code <= -1100 && code > -1200 {
		return refused, venue.BadIntent
	}
	return refused, venue.VenueRejected
}

// futuresSay are the errors of USD-M that have codes of their own.
var futuresSay = map[int]venue.Reason{
	-2018: venue.InsufficientFunds, -2019: venue.InsufficientFunds, -2022: venue.ReduceOnlyMode, -2025: venue.OpenOrderLimit, -2027: venue.MarginLimit,
	-4001: venue.BadTick, -4002: venue.BadTick, -4003: venue.BadLot, -4004: venue.BelowMinQty, -4005: venue.AboveMaxQty, -4013: venue.BadTick,
	-4014: venue.BadTick, -4016: venue.PriceCollar, -4023: venue.BadLot, -4024: venue.PriceCollar, -4061: venue.NotAllowed, -4131: venue.PriceCollar, -4140: venue.InstrumentHalted,
	-4164: venue.BelowMinNotional, -5021: venue.Unfilled, -5022: venue.PostOnlyCross, -5026: venue.OpenOrderLimit, -5027: venue.BadIntent, -5028: venue.Late,
}

// filter reads "Filter failure: NAME" and its kin.
func filter(msg []byte) venue.Reason {
	_, name, _ := bytes.Cut(msg, []byte(": "))
	switch string(name) {
	case "PRICE_FILTER":
		return venue.BadTick
	case "LOT_SIZE", "MARKET_LOT_SIZE":
		return venue.BadLot
	case "MIN_NOTIONAL", "NOTIONAL":
		return venue.BelowMinNotional
	case "PERCENT_PRICE", "PERCENT_PRICE_BY_SIDE":
		return venue.PriceCollar
	case "MAX_POSITION":
		return venue.PositionLimit
	case "MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "EXCHANGE_MAX_NUM_ORDERS", "EXCHANGE_MAX_NUM_ALGO_ORDERS":
		return venue.OpenOrderLimit
	}
	return venue.VenueRejected
}

// engineSays reads the messages of the venue's matching engine.
func engineSays(msg []byte) venue.Reason {
	for _, m := range [...]struct {
		has string
		why venue.Reason
	}{
		{"insufficient balance", venue.InsufficientFunds},
		{"immediately match", venue.PostOnlyCross},
		{"Market is closed", venue.InstrumentHalted},
		{"Unknown order", venue.UnknownTarget},
		{"restricted", venue.Restricted},
		{"not permitted", venue.Restricted},
		{"may not place", venue.NotAllowed},
		{"disabled on this account", venue.NotAllowed},
		{"no state", venue.BadIntent},
		{"quantity increase", venue.BadIntent},
		{"Unsupported order combination", venue.BadIntent},
	} {
		if bytes.Contains(msg, []byte(m.has)) {
			return m.why
		}
	}
	return venue.VenueRejected
}

// rejection reads the r of an executionReport.
func rejection(r string) venue.Reason {
	switch r {
	case "INSUFFICIENT_BALANCES", "INSUFFICIENT_BALANCE":
		return venue.InsufficientFunds
	case "WOULD_MATCH_IMMEDIATELY":
		return venue.PostOnlyCross
	}
	return venue.VenueRejected
}
