package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"oneprice/feeds"
	"oneprice/feeds/wire"
)

// listWithin bounds what all venues may take to list their instruments.
const listWithin = 10 * time.Second

// venueListings asks every venue of a config for its instruments of today, and keeps those that the config names: ticks,
// lots, least sizes and statuses are then the venue's own, not those of the table in the binary. The error says, a line for
// each, which venue did not answer and what it does not list; the facts hold what is known all the same.
func venueListings(ctx context.Context, c *Config, e Edges) (*Facts, error) {
	ctx, stop := context.WithTimeout(ctx, listWithin)
	defer stop()
	var wg sync.WaitGroup
	found := make([]Found, len(c.Venues))
	errs := make([]error, len(c.Venues))
	for i := range c.Venues {
		v := &c.Venues[i]
		wg.Go(func() { found[i], errs[i] = c.listings(ctx, v.Name, string(v.Value.Adapter), e) })
	}
	wg.Wait()
	f := &Facts{}
	for _, x := range found {
		if at := f.of(x.Adapter); at == nil {
			f.Found = append(f.Found, x)
		} else {
			at.Listings = append(at.Listings, x.Listings...)
		}
	}
	return f, errors.Join(errs...)
}

// listed is venueListings for a session: where it may, it goes on with the table of this build for what no venue lists.
func listed(ctx context.Context, c *Config, e Edges, must bool, log *slog.Logger) (*Facts, error) {
	f, err := venueListings(ctx, c, e)
	if err == nil || must {
		return f, err
	}
	for line := range strings.Lines(err.Error()) {
		log.Warn(strings.TrimSpace(line) + "; the table of this build stands for it")
	}
	return f, nil
}

// listings asks one venue for the instruments that the config names of it.
func (c *Config) listings(ctx context.Context, name, adapter string, e Edges) (Found, error) {
	out := Found{Adapter: adapter}
	a, err := feeds.ByName(adapter)
	if err != nil || a.Load == nil || !c.trades(name) {
		return out, err
	}
	all, err := a.Load(ctx, wire.FeedConfig{Net: e.Net, Clock: e.Clock, TLS: e.TLS, REST: e.REST[name], Limits: e.Limits[adapter]})
	if err != nil {
		return out, fmt.Errorf("%s does not list its instruments: %w", name, err)
	}
	at := map[string]*wire.Listing{}
	for i := range all {
		at[all[i].Symbol] = &all[i]
	}
	var errs []error
	for _, in := range c.instruments() {
		symbol, ok := strings.CutPrefix(in, name+":")
		l := at[symbol]
		switch {
		case !ok:
		case l == nil:
			errs = append(errs, fmt.Errorf("%s lists no %s; take %s out of the config", name, symbol, in))
		default:
			out.Listings = append(out.Listings, FoundListing{*l, l.Checksum != nil})
		}
	}
	return out, errors.Join(errs...)
}
