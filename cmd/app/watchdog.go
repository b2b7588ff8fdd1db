package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"oneprice/books/venue"
	"oneprice/engine/ring"
	"oneprice/feeds/wire"
)

// The watchdog is a process of its own, with keys of its own, that cancels what an engine has left that is dead or hangs. Its
// sign of life is the engine's /healthz: it is answered by the process and says by itself when the engine has not stepped, so
// that a killed process, a stopped one and one whose engine hangs look the same, from this host or from another. A file's time
// says nothing of that from another host, and a socket that is merely open stays open when its process is stopped.

// WatchdogOptions are what a watchdog needs.
type WatchdogOptions struct {
	Edges
	Config *Config
	// Accounts are its own, by venue name.
	Accounts map[string]Account
	// Engine is the address of /healthz. Limit is how long it may be without a good answer; Settle how long orders that were
	// on their way may still come to stand, so that a venue is asked again.
	Engine        string
	Limit, Settle time.Duration
	// Absent acts also where the engine has never been seen: else an address that is wrong would end a healthy engine's orders.
	Absent bool
	Log    *slog.Logger
}

// WatchdogReport is what a watchdog has seen and done.
type WatchdogReport struct {
	Engine string `json:"engine"`
	// Seen says that the engine was alive once; Acted that orders were ended, since it had not been for SilentFor.
	Seen      bool           `json:"seen"`
	Acted     bool           `json:"acted"`
	SilentFor string         `json:"silent_for,omitempty"`
	Why       string         `json:"why,omitempty"`
	Came      bool           `json:"came_back"` // before the venues were done
	Venues    []WatchedVenue `json:"venues,omitempty"`
}

// WatchedVenue is what became of a venue's orders: Cancelled are gone, Left stand still as far as is known, Foreign were left
// alone.
type WatchedVenue struct {
	Venue     string `json:"venue"`
	Account   string `json:"account"`
	Shared    bool   `json:"shared"`
	Cancelled int    `json:"cancelled"`
	Left      int    `json:"left"`
	Foreign   int    `json:"foreign"`
	Passes    int    `json:"passes"`
	Error     string `json:"error,omitempty"`
}

// ActedError says that the watchdog has ended orders: the engine needs a person. Undone says that not all of them are known to
// be gone.
type ActedError struct {
	Undone bool
	text   string
}

func (e *ActedError) Error() string { return e.text }

// pollsALimit is how often within a limit the engine is asked, and how long an answer may take as a part of it.
const (
	pollsALimit = 8
	passPause   = time.Second
)

// Watchdog watches until ctx ends, or until it has acted.
func Watchdog(ctx context.Context, o WatchdogOptions) (*WatchdogReport, error) {
	o.share()
	s, err := o.stand(ctx)
	if err != nil {
		return nil, err
	}
	defer s.cancel()
	r := &WatchdogReport{Engine: o.Engine}
	pulse := newPulse(o.Engine, o.Limit)
	if !pulse.wait(ctx, o, r) {
		return r, nil
	}
	r.Acted = true
	o.Log.Error(fmt.Sprintf("the engine has shown no life for %s (%s): its orders are ended", r.SilentFor, r.Why))
	s.end(ctx, o, pulse, r)
	return r, r.verdict()
}

// verdict is the error of a report that has acted.
func (r *WatchdogReport) verdict() error {
	n, left := 0, false
	for _, v := range r.Venues {
		n += v.Cancelled
		left = left || v.Left > 0 || v.Error != ""
	}
	text := fmt.Sprintf("the engine showed no life for %s; %d of its orders were ended", r.SilentFor, n)
	if left {
		text += ", and some may stand still: look at the venues"
	}
	return &ActedError{left, text}
}

// pulse asks for an engine's sign of life.
type pulse struct {
	client http.Client
	url    string
	every  time.Duration
}

func newPulse(url string, limit time.Duration) *pulse {
	every := limit / pollsALimit
	return &pulse{http.Client{Timeout: 2 * every, Transport: &http.Transport{DisableKeepAlives: true}}, url, every}
}

// beat reports why the engine shows no life, nil when it does.
func (p *pulse) beat(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// wait returns true when the engine has shown no life for longer than the limit, and false when ctx ends. The limit counts
// from when an answer was asked for, so that a slow one is not life.
func (p *pulse) wait(ctx context.Context, o WatchdogOptions, r *WatchdogReport) bool {
	last := time.Now()
	t := time.NewTicker(p.every)
	defer t.Stop()
	for ctx.Err() == nil {
		asked := time.Now()
		why := p.beat(ctx)
		switch silent := time.Since(last); {
		case ctx.Err() != nil:
			return false
		case why == nil:
			if last = asked; !r.Seen {
				o.Log.Info("the engine is alive; it is watched from now on")
			}
			r.Seen = true
		case silent > o.Limit && (r.Seen || o.Absent):
			r.SilentFor, r.Why = silent.Round(time.Millisecond).String(), why.Error()
			return true
		}
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return false
}

// stand makes the gateways that stand in for the engine's; they are not run.
func (o *WatchdogOptions) stand(ctx context.Context) (*orderSide, error) {
	facts, err := listed(ctx, o.Config, o.Edges, false, o.Log)
	if err != nil {
		return nil, err
	}
	a, err := Assemble(o.Config, &Facts{Found: facts.Found})
	if err != nil {
		return nil, err
	}
	s, err := newOrderSide(&Trading{Assembly: a, Bell: ring.NewBell()}, &OrderOptions{Edges: o.Edges, Accounts: o.Accounts})
	if err != nil {
		return nil, err
	}
	for id, g := range s.gateways {
		if _, can := g.(wire.Ender); g != nil && !can {
			return nil, &UsageError{fmt.Errorf("%s: the adapter cannot end orders by REST alone, so that no watchdog stands for it", s.names[id])}
		}
	}
	return s, nil
}

// end ends what stands at every venue, all at once, again and again until what was on its way can have come no more.
func (s *orderSide) end(ctx context.Context, o WatchdogOptions, p *pulse, r *WatchdogReport) {
	var work sync.WaitGroup
	var mu sync.Mutex
	until := time.Now().Add(o.Settle)
	for id, g := range s.gateways {
		if g == nil {
			continue
		}
		a := o.Accounts[s.names[id]]
		v := WatchedVenue{Venue: s.names[id], Account: a.Name, Shared: a.Shared}
		work.Go(func() {
			v.passes(ctx, g.(wire.Ender), until, p, o)
			mu.Lock()
			defer mu.Unlock()
			r.Venues = append(r.Venues, v)
		})
	}
	work.Wait()
	slices.SortFunc(r.Venues, func(a, b WatchedVenue) int { return strings.Compare(a.Venue, b.Venue) })
	r.Came = p.beat(ctx) == nil
}

// passes are the passes at one venue: until one after the last instant finds nothing, or no pass has for as long again, or
// the engine shows life again, or ctx ends.
func (v *WatchedVenue) passes(ctx context.Context, g wire.Ender, until time.Time, p *pulse, o WatchdogOptions) {
	for {
		done, err := g.End(ctx)
		v.Passes++
		v.Cancelled += done.Found - done.Left
		v.Left, v.Foreign, v.Error = done.Left, done.Foreign, ""
		if err != nil {
			v.Error = err.Error()
			o.Log.Error(v.Venue + ": " + v.Error)
		} else if done.Found > 0 {
			o.Log.Warn(fmt.Sprintf("%s: %d orders ended, %d stand, %d of others left alone", v.Venue, done.Found-done.Left, done.Left, done.Foreign))
		}
		clean := err == nil && done.Found == 0
		if now := time.Now(); clean && now.After(until) || now.After(until.Add(o.Settle)) {
			return
		}
		if o.Clock.Sleep(ctx, venue.Nanos(passPause)) != nil || p.beat(ctx) == nil {
			return
		}
	}
}
