package app

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/stats"
)

// screen shows a running session on a terminal, drawn over itself; elsewhere it writes a line every few seconds. The log
// goes through it too, so that its lines appear above the drawing. put and Write from any goroutine.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	tty   bool
	drawn []byte // the last drawing

	last   time.Time
	events uint64
	at     time.Time
	rate   uint64
}

// screen is where a session's status goes.
func (c *cli) screen() *screen {
	f, ok := c.err.(*os.File)
	return &screen{w: c.err, tty: ok && term.IsTerminal(int(f.Fd()))}
}

// logger is where faults of a running session are told: the error stream, as text or JSON.
func (c *cli) logger(s *screen) *slog.Logger {
	if c.logJSON {
		return slog.New(slog.NewJSONHandler(s, nil))
	}
	return slog.New(slog.NewTextHandler(s, nil))
}

// logFlag is for commands that run for long.
func (c *cli) logFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.logJSON, "log-json", false, "write the log on the error stream as JSON lines")
}

// quietEvery is how often a status line is written where there is no terminal.
const quietEvery = 5 * time.Second

// show draws the newest status.
func (s *screen) show(l *Live) {
	now := time.Now()
	if d := now.Sub(s.at); d >= time.Second {
		s.rate = uint64(float64(l.Newest.Counters.Events-s.events) / d.Seconds())
		s.events, s.at = l.Newest.Counters.Events, now
	}
	if !s.tty {
		if now.Sub(s.last) >= quietEvery {
			s.last = now
			fmt.Fprintln(s, s.headline(l))
		}
		return
	}
	var b bytes.Buffer
	s.draw(&b, l)
	s.put(b.Bytes())
}

// put draws whole lines over the last drawing.
func (s *screen) put(lines []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.Write(append(s.erase(), lines...))
	s.drawn = append(s.drawn[:0], lines...)
}

// Write writes whole lines above the drawing.
func (s *screen) Write(lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.Write(append(append(s.erase(), lines...), s.drawn...)); err != nil {
		return 0, err
	}
	return len(lines), nil
}

// erase is what takes the last drawing away.
func (s *screen) erase() []byte {
	if len(s.drawn) == 0 {
		return nil
	}
	return fmt.Appendf(nil, "\x1b[%dA\x1b[J", bytes.Count(s.drawn, []byte{'\n'}))
}

func (s *screen) headline(l *Live) string {
	st := &l.Newest
	live := 0
	for i := 1; i < len(st.Books); i++ {
		if st.Books[i].State == books.Live && !st.Books[i].Silent {
			live++
		}
	}
	return fmt.Sprintf("%s  books %d/%d live  %d events (%d/s)  orders %d  fills %d  open %d  P&L %s %s", time.Since(l.Began).Round(time.Second), live, len(l.Instruments)-1,
		st.Counters.Events, s.rate, st.Counters.Orders, st.Orders.Fills, openOrders(l), fixed.Decimal(st.Worth.PnL, fixed.CashScale).StringFixed(2), l.Currencies[l.Reporting])
}

func openOrders(l *Live) (n int32) {
	for i := range l.Newest.Working {
		n += l.Newest.Working[i].Buys + l.Newest.Working[i].Sells
	}
	return n
}

func (s *screen) draw(w io.Writer, l *Live) {
	st := &l.Newest
	fmt.Fprintln(w, s.headline(l))
	if l.Address != "" {
		fmt.Fprintf(w, "metrics http://%s/metrics\n", l.Address)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INSTRUMENT\tBOOK\tBID\tASK\tAGE\tPOSITION\tBUYS\tSELLS\tGAPS")
	for i, in := range l.Instruments {
		if in == nil || i >= len(st.Books) {
			continue
		}
		b := &st.Books[i]
		state := b.State.String()
		if b.State != books.Live {
			state += " " + b.Why.String()
		} else if b.Silent {
			state = "silent"
		}
		age := "never"
		if b.Age >= 0 {
			age = time.Duration(b.Age).Round(time.Millisecond).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\n", in.Name, state, price(in, b.Bid), price(in, b.Ask), age,
			fixed.Decimal(st.Positions[i].Qty, in.QtyScale), st.Working[i].Buys, st.Working[i].Sells, b.Gaps)
	}
	t.Flush()
	snap := l.Latency.Snapshot()
	h := &snap[stats.Whole]
	fmt.Fprintf(w, "step p50 %v  p99 %v  plans %d (%d at work)  refused:", time.Duration(h.Quantile(fixed.One/2)), time.Duration(h.Quantile(fixed.One/100*99)), st.Counters.PlansApproved, st.Active)
	for why, n := range st.Counters.Refused {
		if n > 0 {
			fmt.Fprintf(w, " %s %d", venue.Reason(why), n)
		}
	}
	fmt.Fprintln(w)
}

func price(in *venue.Instrument, p fixed.Price) string {
	return textAt(int64(p), in.PriceScale, min(in.PriceText, in.PriceScale))
}
