package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"oneprice/books/venue"
)

// SnapshotsConfig describes how a venue's books are fetched by REST.
type SnapshotsConfig struct {
	Name  string
	Net   Net
	Clock *Clock
	TLS   *tls.Config
	// Request is the URL and weight of one instrument's book.
	Request func(venue.Inst) (url string, weight int64)
	Decoder Decoder
	Sink    venue.Sink
	// Weight is the venue's budget, of which Leave is for others; Used reads the venue's own figure of what is spent from a response, where it has one.
	Weight *Limiter
	Leave  int64
	Used   func(http.Header) (int64, bool)
	// Gap is the least time between two fetches of one instrument. Timeout bounds one, MaxBody its size.
	Gap, Timeout venue.Nanos
	MaxBody      int64
	Raw          func(request string, recv venue.Nanos, body []byte)
	// Report, where not nil, hears why each fetch failed, on the fetching goroutine, so it must not wait.
	Report func(*Error)
	// Insts is the number of instruments of the process, for the table of what was asked.
	Insts int
}

// SnapshotCounters are exact tallies, readable from any thread.
type SnapshotCounters struct{ Asked, Fetched, Failed, Limited atomic.Uint64 }

// Snapshots fetches books when asked: one at a time, each instrument at most once per Gap, within the venue's budget.
// Ask may be called from any goroutine; Run owns the fetching one.
type Snapshots struct {
	cfg    SnapshotsConfig
	client http.Client
	wake   chan struct{}
	buf    []byte
	count  SnapshotCounters

	mu    sync.Mutex
	asked []bool // by instrument
	queue []venue.Inst
	after []venue.Nanos // by instrument: not before
}

// NewSnapshots makes a fetcher that Run brings to life.
func NewSnapshots(cfg SnapshotsConfig) *Snapshots {
	cfg.Clock = cfg.Clock.Own()
	return &Snapshots{cfg: cfg, wake: make(chan struct{}, 1), asked: make([]bool, cfg.Insts), after: make([]venue.Nanos, cfg.Insts),
		client: http.Client{Transport: &http.Transport{DialContext: Apart(cfg.Net, cfg.Clock).DialContext, TLSClientConfig: cfg.TLS, MaxIdleConnsPerHost: 2}}}
}

// Counters are the tallies so far.
func (s *Snapshots) Counters() *SnapshotCounters { return &s.count }

// Until is the latest instant for which the venue's budget has held up a fetch, 0 never. Any goroutine.
func (s *Snapshots) Until() venue.Nanos { return s.cfg.Weight.Until() }

// Ask wants a fresh book of an instrument. It never blocks; what is asked twice is fetched once.
func (s *Snapshots) Ask(i venue.Inst) { s.AskIn(i, 0) }

// AskIn is Ask, for a book that is to be fetched no sooner than after a wait, whoever else asks for it meanwhile.
func (s *Snapshots) AskIn(i venue.Inst, wait venue.Nanos) {
	s.mu.Lock()
	s.after[i] = max(s.after[i], s.cfg.Clock.Now()+wait)
	if !s.asked[i] {
		s.asked[i] = true
		s.queue = append(s.queue, i)
		s.count.Asked.Add(1)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next takes the first instrument whose time has come; wait is how long until one has, when none has.
func (s *Snapshots) next(now venue.Nanos) (i venue.Inst, wait venue.Nanos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, i := range s.queue {
		if w := s.after[i] - now; w > 0 {
			if wait == 0 || w < wait {
				wait = w
			}
			continue
		}
		s.queue = append(s.queue[:n], s.queue[n+1:]...)
		s.asked[i] = false
		s.after[i] = now + s.cfg.Gap
		return i, 0
	}
	return 0, wait
}

// Run fetches until ctx ends.
func (s *Snapshots) Run(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	for ctx.Err() == nil {
		i, wait := s.next(s.cfg.Clock.Now())
		if i == 0 {
			s.pause(ctx, wait)
			continue
		}
		if err := s.fetch(ctx, i); err != nil && ctx.Err() == nil {
			s.failed(i, err)
			s.Ask(i) // the book still needs it; Gap and the budget say when
		}
	}
	return nil
}

// refusedFor is how long an instrument that the venue refuses is left alone: asked at every Gap it would eat the budget of
// all others.
const refusedFor = 30 * venue.Second

// failed notes why a fetch brought no book.
func (s *Snapshots) failed(i venue.Inst, err error) {
	s.count.Failed.Add(1)
	var e *Error
	if !errors.As(err, &e) {
		return // the end of ctx
	}
	switch e.Kind {
	case RateLimited:
		s.count.Limited.Add(1)
	case Refused:
		s.mu.Lock()
		s.after[i] = max(s.after[i], s.cfg.Clock.Now()+refusedFor)
		s.mu.Unlock()
	}
	if s.cfg.Report != nil {
		s.cfg.Report(e)
	}
}

// pause waits for a question, or for the time at which one that waits may be asked.
func (s *Snapshots) pause(ctx context.Context, wait venue.Nanos) {
	if wait == 0 {
		wait = 3600 * venue.Second
	}
	t := s.cfg.Clock.Timer(wait)
	defer t.Stop()
	select {
	case <-s.wake:
		s.cfg.Clock.Turn(ctx) // who asks may ask for more: in virtual time the first is then the same one every time
	case <-t.C:
	case <-ctx.Done():
	}
}

// fetch gets one book and publishes it.
func (s *Snapshots) fetch(ctx context.Context, i venue.Inst) error {
	c := &s.cfg
	url, weight := c.Request(i)
	if err := c.Weight.WaitLeaving(ctx, c.Clock, weight, c.Leave); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Timeout))
	defer cancel()
	body, err := s.get(ctx, url)
	if err != nil {
		return err
	}
	recv := c.Clock.Now()
	if c.Raw != nil {
		c.Raw(url, recv, body)
	}
	ev, why := c.Decoder.Rest(recv, url, body)
	if why != venue.OK {
		return &Error{c.Name, "decode book", Protocol, fmt.Errorf("%s: %s", url, why)}
	}
	if !Publish(ctx, c.Clock, c.Sink, ev) {
		return &Error{c.Name, "book", Transient, fmt.Errorf("%s: no room for it within %v", url, time.Duration(c.Timeout))}
	}
	s.count.Fetched.Add(1)
	return nil
}

// get reads one answer into the fetcher's buffer, with Slack behind it.
func (s *Snapshots) get(ctx context.Context, url string) ([]byte, error) {
	c := &s.cfg
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, &Error{c.Name, "book", Refused, err}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, &Error{c.Name, "book", Transient, err}
	}
	defer resp.Body.Close()
	if c.Used != nil {
		if used, ok := c.Used(resp.Header); ok {
			c.Weight.Stated(used)
		}
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusTooManyRequests, http.StatusTeapot:
		c.Weight.Close(retryAfter(resp.Header))
		return nil, &Error{c.Name, "book", RateLimited, fmt.Errorf("%s: %s", url, resp.Status)}
	case http.StatusBadRequest, http.StatusNotFound:
		return nil, &Error{c.Name, "book", Refused, fmt.Errorf("%s: %s: %s", url, resp.Status, said(resp.Body))}
	default:
		return nil, &Error{c.Name, "book", Transient, fmt.Errorf("%s: %s", url, resp.Status)}
	}
	b := s.buf[:0]
	r := io.LimitReader(resp.Body, c.MaxBody+1)
	for {
		if cap(b)-len(b) < Slack+4096 {
			b = append(b, make([]byte, cap(b)+Slack+4096)...)[:len(b)]
		}
		n, err := r.Read(b[len(b) : cap(b)-Slack])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &Error{c.Name, "book", Transient, err}
		}
	}
	s.buf = b
	if int64(len(b)) > c.MaxBody {
		return nil, &Error{c.Name, "book", Protocol, fmt.Errorf("%s: more than %d bytes", url, c.MaxBody)}
	}
	return b, nil
}

// said is the beginning of the venue's explanation, on one line.
func said(r io.Reader) string {
	b, err := io.ReadAll(io.LimitReader(r, 200))
	if err != nil {
		return "its explanation cannot be read"
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// retryAfter is how long the venue wants to be left alone: its word, else a second.
func retryAfter(h http.Header) venue.Nanos {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 1 {
		return venue.Second
	}
	return venue.Nanos(n) * venue.Second
}
