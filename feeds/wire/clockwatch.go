package wire

import (
	"context"
	"errors"
	"net/http"

	"oneprice/books/venue"
)

// ClockSource is where a venue tells its time by REST, without a key.
type ClockSource struct {
	// Path below the base address; Read takes the time from an answer, cut to a whole multiple of Grain.
	REST, Path string
	Grain      venue.Nanos
	Read       func(body []byte) (venue.Nanos, error)
	Weight     int64
}

// ClockWatch measures a venue's clock again and again: the quickest of a few answers over a connection that is kept. Run owns
// the asking goroutine.
type ClockWatch struct {
	cfg    FeedConfig
	name   string
	source *ClockSource
	every  venue.Nanos
	client *http.Client
}

// NewClockWatch makes one. Of cfg, what Adapter.Load takes is used, and Clocked and Report. Nil where the venue's feed
// measures by itself.
func NewClockWatch(a *Adapter, cfg FeedConfig, every venue.Nanos) *ClockWatch {
	if a.Clock == nil {
		return nil
	}
	if cfg.REST == "" {
		cfg.REST = a.Clock.REST
	}
	return &ClockWatch{cfg, a.Name, a.Clock, every, cfg.client()}
}

// Run measures at once and at each interval until ctx ends, and tells Clocked. A venue that does not answer tells nothing.
func (w *ClockWatch) Run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	for ctx.Err() == nil {
		var a Account
		var e *Error
		err := a.Time(ctx, w.cfg.Clock, w.source.Grain, func(ctx context.Context) (venue.Nanos, error) {
			body, err := fetch(ctx, w.client, &w.cfg, w.name, w.cfg.REST+w.source.Path, w.source.Weight)
			if err != nil {
				return 0, err
			}
			at, err := w.source.Read(body)
			if err != nil {
				return 0, &Error{w.name, "read the time", Protocol, err}
			}
			return at, nil
		})
		switch {
		case err == nil:
			w.cfg.Clocked(a.Offset, a.Within)
		case errors.As(err, &e) && ctx.Err() == nil && w.cfg.Report != nil:
			w.cfg.Report(e)
		}
		if w.cfg.Clock.Sleep(ctx, w.every) != nil {
			return
		}
	}
}
