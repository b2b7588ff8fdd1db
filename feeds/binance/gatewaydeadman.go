package binance

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// The dead-man of USD-M (venues/binance.md, section 6): a countdown by symbol after which the venue cancels all of the
// account's orders there, unless it is set again. Spot has none, so that oneprice watchdog stands for it. It knows accounts and
// not programs: on a shared account it is left alone.
const (
	deadManPath   = "/fapi/v1/countdownCancelAll"
	deadManWeight = 10
	// deadMan is the countdown where the options name none; it is set again after a quarter of it.
	deadMan = 120 * venue.Second
	// disarmWithin bounds the end of it: what does not end is cancelled, which is the safe side.
	disarmWithin = 2 * time.Second
)

// countdown sets the countdown of every instrument to a span; 0 ends it. An instrument that the venue refuses it for has no
// orders either.
func (g *Gateway) countdown(ctx context.Context, span venue.Nanos) error {
	for _, in := range g.o.Instruments {
		_, err := g.rest.call(ctx, http.MethodPost, deadManPath, deadManWeight, []sign.Param{{Name: "symbol", Value: in.Symbol},
			{Name: "countdownTime", Value: strconv.FormatInt(int64(span/venue.Millisecond), 10)}})
		if err != nil && !denies(err) {
			return err
		}
	}
	return nil
}

// denies reports whether an error is the venue's no to this very request.
func denies(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Kind == wire.Refused
}

// alive sets the countdown again and again while ctx lasts, and returns nil then. An error says that it could not for so
// long that what stands is about to be cancelled: a session without it does not go on.
func (g *Gateway) alive(ctx context.Context) error {
	set := g.o.Clock.Now()
	for g.o.Clock.Sleep(ctx, g.o.DeadMan/4) == nil {
		now := g.o.Clock.Now()
		err := g.countdown(ctx, g.o.DeadMan)
		switch {
		case err == nil:
			set = now
		case ctx.Err() == nil && g.o.Clock.Now()-set > g.o.DeadMan/2:
			return err
		}
	}
	return nil
}

// disarm ends the countdown, so that what is meant to stay at the venue stays.
func (g *Gateway) disarm() {
	ctx, cancel := context.WithTimeout(context.Background(), disarmWithin)
	defer cancel()
	if err := g.countdown(ctx, 0); err != nil {
		g.count.Armed.Add(1)
	}
}
