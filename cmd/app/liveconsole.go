package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"

	"oneprice/books/fixed"
	"oneprice/engine"
	"oneprice/engine/console"
	"oneprice/engine/stats"
)

// listen opens the console. An address that somebody else has is told and no reason not to trade.
func listen(o LiveOptions, log *slog.Logger) (*console.Server, string, error) {
	if o.Metrics == "" {
		return nil, "", nil
	}
	ln, err := net.Listen("tcp", o.Metrics)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		log.Error(fmt.Sprintf("the console cannot listen on %s, which is in use; the engine runs without it; give another address with --metrics", o.Metrics))
		return nil, "", nil
	case err != nil:
		return nil, "", &UsageError{fmt.Errorf("the console cannot listen on %s: %w; give another address with --metrics, or --metrics \"\" for none", o.Metrics, err)}
	}
	return console.New(console.Config{Listener: ln, Profile: o.Profile}), ln.Addr().String(), nil
}

// beside starts what runs beside a session from its first moment to its last, and returns what ends it.
func beside(f *faultLog, con *console.Server) (end func()) {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { f.run(ctx) })
	if con != nil {
		wg.Go(func() {
			if err := con.Run(ctx); err != nil {
				f.log.Error(err.Error())
			}
		})
	}
	return func() {
		stop()
		wg.Wait()
	}
}

// view is the session as the console shows it.
func (l *Live) view() console.View {
	return console.View{Status: l.status, Clock: l.edges.Clock, Latency: []*stats.Latency{l.Latency}, Instruments: l.Instruments,
		Currencies: l.Currencies, Reporting: l.Reporting, Ready: l.ready, More: l.metrics}
}

// refresh takes the engine's newest figures; false when there are no newer ones. It must be called from one goroutine.
func (l *Live) refresh() bool {
	if !l.Loop.Status(&l.Newest) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest.Copy(&l.Newest)
	return true
}

// status copies the figures that refresh took last; false while there are none. Any goroutine.
func (l *Live) status(dst *engine.Status) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	dst.Copy(&l.latest)
	return dst.Now != 0
}

// ready says what keeps the engine from trading beside its books.
func (l *Live) ready() string {
	if l.tape.Broken() {
		return "the tape is broken off"
	}
	return ""
}

// metrics writes what the engine does not know: connections and files.
func (l *Live) metrics(w io.Writer) {
	for id, f := range l.Feeders {
		if f == nil {
			continue
		}
		for n, s := range f.Sessions() {
			c, label := s.Counters(), fmt.Sprintf("{venue=%q,session=\"%d\"}", l.Venues[id].Name, n)
			fmt.Fprintf(w, "oneprice_feed_messages_total%s %d\noneprice_feed_bytes_total%s %d\noneprice_feed_connects_total%s %d\noneprice_feed_losses_total%s %d\noneprice_feed_damaged_total%s %d\noneprice_feed_dropped_total%s %d\n",
				label, c.Messages.Load(), label, c.Bytes.Load(), label, c.Connects.Load(), label, c.Losses.Load(), label, c.Damaged.Load(), label, c.Dropped.Load())
		}
	}
	l.mu.Lock()
	for id, c := range l.latest.Clocks {
		if c.At != 0 {
			label := fmt.Sprintf("{venue=%q}", l.Venues[id].Name)
			fmt.Fprintf(w, "oneprice_clock_offset_seconds%s %s\noneprice_clock_within_seconds%s %s\n", label, fixed.AppendTrim(nil, int64(c.Offset), 9), label, fixed.AppendTrim(nil, int64(c.Within), 9))
		}
	}
	l.mu.Unlock()
	broken := 0
	if l.tape.Broken() {
		broken = 1
	}
	fmt.Fprintf(w, "oneprice_audit_waiting %d\noneprice_tape_broken %d\n", l.ring.Waiting(), broken)
}
