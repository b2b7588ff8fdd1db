package venuesim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/feeds/recording"
	"oneprice/feeds/wire"
)

// ReplayConfig describes a venue that says once more what was recorded of it.
type ReplayConfig struct {
	Net     wire.Net
	Clock   *wire.Clock
	Faults  *Faults
	Address string
	// Files are recordings of one venue. Speed is how many times faster than recorded they are played, at least 1.
	Files []string
	Speed int64
	// Adapter is the venue's, Instruments those of the recording.
	Adapter     wire.Adapter
	Instruments []*venue.Instrument
}

// ReplayVenue is what differs between venues.
type ReplayVenue struct {
	// Sockets are the paths of websockets. Asked says that the client must ask before anything is sent.
	Sockets []string
	Asked   bool
	// Wants chooses the messages that a connection is sent, by its request; nil is all.
	Wants func(*http.Request) func(msg []byte) bool
	// Book is the path of the REST book and how the venue prints it, where it has one.
	Book     string
	BookText func(b *books.Book, now venue.Nanos, limit string) []byte
}

// Replay serves recordings over sockets. Every websocket connection is a play of its own, from the first line to the last, at
// the pace of the receive times, and ends with the recording: the recorded messages themselves are sent, so numbers and
// checksums are the venue's. REST answers are the recorded ones, by their path; a book is what the newest connection's
// play has built by then with the adapter, as a backtest builds it.
type Replay struct {
	cfg    ReplayConfig
	venue  ReplayVenue
	server *Server

	mu     sync.Mutex
	serial uint64
	books  map[string]*books.Book // of the newest play, by symbol
	rest   map[string][]byte      // recorded answers by path, as of the newest play
	fault  error
}

// NewReplay listens; Run serves.
func NewReplay(cfg ReplayConfig, v ReplayVenue) (*Replay, error) {
	if cfg.Speed < 1 || len(cfg.Files) == 0 {
		return nil, errors.New("a replay needs a recording and a speed of at least 1")
	}
	r := &Replay{cfg: cfg, venue: v, rest: map[string][]byte{}}
	var err error
	if r.server, err = NewServer(cfg.Net, cfg.Clock, cfg.Faults, cfg.Address); err != nil {
		return nil, err
	}
	for _, path := range v.Sockets {
		r.server.Socket(path, r.session)
	}
	r.server.Rest("/", busy, r.answer)
	return r, nil
}

// Addr is host:port.
func (r *Replay) Addr() string { return r.server.Addr() }

// Run serves until ctx ends. The error is of a recording that could not be read.
func (r *Replay) Run(ctx context.Context) error {
	err := r.server.Serve(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(err, r.fault)
}

// session is one connection.
func (r *Replay) session(c *Conn, q *http.Request) {
	if r.venue.Asked {
		if _, err := c.Read(); err != nil {
			return
		}
	}
	wants := func([]byte) bool { return true }
	if r.venue.Wants != nil {
		wants = r.venue.Wants(q)
	}
	var playing sync.WaitGroup
	playing.Go(func() {
		defer c.Close()
		if err := r.play(c, wants); err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.fault = err
		}
	})
	for {
		if _, err := c.Read(); err != nil { // what else is asked for is in no recording
			break
		}
	}
	c.Close()
	playing.Wait()
}

// play sends the recordings to a connection, line after line.
func (r *Replay) play(c *Conn, wants func([]byte) bool) error {
	lines, err := openAll(r.cfg.Files)
	if err != nil {
		return err
	}
	defer lines.Close()
	p := r.begin()
	clock := r.cfg.Clock.Own()
	start, first := clock.Now(), venue.Nanos(0)
	for l := lines.Next(); l != nil; l = lines.Next() {
		if first == 0 {
			first = l.RecvNs
		}
		if !pause(c, clock, start+(l.RecvNs-first)/venue.Nanos(r.cfg.Speed)-clock.Now()) {
			return nil
		}
		r.take(p, l)
		if l.Kind == recording.WS && wants(l.Msg) {
			c.Send(slices.Clone(l.Msg), nil)
		}
	}
	return lines.Err()
}

func openAll(files []string) (*recording.Merged, error) {
	var rs []*recording.Reader
	for _, f := range files {
		one, err := recording.OpenFile(f)
		if err != nil {
			return nil, errors.Join(err, recording.Merge(rs...).Close())
		}
		rs = append(rs, one)
	}
	return recording.Merge(rs...), nil
}

// pause waits; false when the connection ended.
func pause(c *Conn, clock *wire.Clock, wait venue.Nanos) bool {
	if wait <= 0 {
		select {
		case <-c.Done():
			return false
		default:
			return true
		}
	}
	t := clock.Timer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.Done():
		return false
	}
}

// playing is the state of the market in one play.
type playing struct {
	serial  uint64
	decoder wire.Decoder
	books   []*books.Book // by Inst
}

// begin makes an empty market, which REST speaks of from now on.
func (r *Replay) begin() *playing {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serial++
	p := &playing{serial: r.serial, decoder: r.cfg.Adapter.Decoder(1, r.cfg.Instruments)}
	r.books = map[string]*books.Book{}
	for _, in := range r.cfg.Instruments {
		for int(in.Inst) >= len(p.books) {
			p.books = append(p.books, nil)
		}
		p.books[in.Inst] = books.New(in, books.Config{})
		r.books[in.Symbol] = p.books[in.Inst]
	}
	return p
}

// take lets a line change the market.
func (r *Replay) take(p *playing, l *recording.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var evs []venue.Event
	var why venue.Reason
	switch l.Kind {
	case recording.WS:
		evs, why = p.decoder.Decode(l.RecvNs, l.Msg)
	case recording.Rest:
		evs, why = p.decoder.Rest(l.RecvNs, l.Request, l.Msg)
		if p.serial == r.serial {
			r.rest[pathOf(l.Request)] = slices.Clone(l.Msg)
		}
	default:
		return
	}
	if why != venue.OK {
		return // a gap shows in the chain; what is damaged is the client's to find too
	}
	for i := 0; i < len(evs); i++ {
		switch e := &evs[i]; e.Kind {
		case venue.Head:
			n := e.Count()
			p.books[e.Inst].Apply(evs[i : i+1+n])
			i += n
		case venue.Gap:
			if e.Inst != 0 {
				p.books[e.Inst].Invalidate(venue.Reason(e.W[0]))
			}
		}
	}
}

// pathOf is the path of a recorded address.
func pathOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	return "/" + path
}

// answer serves REST.
func (r *Replay) answer(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if q.URL.Path == r.venue.Book && r.venue.BookText != nil {
		b := r.books[q.URL.Query().Get("symbol")]
		if b == nil || b.State() != books.Live {
			http.Error(w, `{"code":-1000,"msg":"the recording has no book yet"}`, http.StatusServiceUnavailable)
			return
		}
		w.Write(r.venue.BookText(b, r.cfg.Clock.Now(), q.URL.Query().Get("limit")))
		return
	}
	body, ok := r.rest[q.URL.Path]
	if !ok {
		http.Error(w, fmt.Sprintf(`{"msg":"%s is not in the recording"}`, q.URL.Path), http.StatusNotFound)
		return
	}
	w.Write(body)
}

func busy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many requests", http.StatusTooManyRequests)
}
