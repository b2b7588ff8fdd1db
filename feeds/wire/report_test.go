package wire

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// refuser is a wordDecoder that takes "no ..." as a refusal.
type refuser struct {
	wordDecoder
	text string
}

func (d *refuser) Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	if text, ok := strings.CutPrefix(string(msg), "no "); ok {
		d.text = text
		return nil, venue.Ignored
	}
	return d.wordDecoder.Decode(recv, msg)
}

func (d *refuser) Refusal() (text string) {
	text, d.text = d.text, ""
	return text
}

func TestSession_reportsEveryFaultWithItsCause(t *testing.T) {
	s := &stage{refuse: func(n int) int { return map[bool]int{true: http.StatusForbidden}[n == 1] }}
	s.serve = func(n int, c *websocket.Conn) {
		if n == 2 {
			return // closes at once
		}
		say(t, c, "alive", "no such pair", "chatter", "bad")
		s.hear(c)
	}
	onStage(t, s, func(t *testing.T) {
		var heard []string
		cfg := s.config(&basin{})
		cfg.Decoder = func() Decoder { return &refuser{} }
		cfg.Report = func(e *Error) { heard = append(heard, e.Error()) }
		x := s.live(t, cfg, 8*time.Second, nil)
		want := []string{
			"stage: connect: auth: ws://" + s.addr + ": websocket: bad handshake: 403 Forbidden",
			"stage: read: transient: ws://" + s.addr + " ended before its first message: ",
			"stage: subscribe: refused: such pair",
			"stage: decode: protocol: malformed",
		}
		require.Len(t, heard, len(want), "%q", heard)
		for i := range want {
			require.Contains(t, heard[i], want[i])
		}
		require.ErrorContains(t, x.Fault(), "such pair")
		require.EqualValues(t, 1, x.Counters().Refused.Load())
	})
}

func TestSnapshots_leaveAloneWhatTheVenueRefuses(t *testing.T) {
	s := &stage{refuse: func(int) int { return http.StatusBadRequest }}
	onStage(t, s, func(t *testing.T) {
		var heard []string
		x := NewSnapshots(SnapshotsConfig{Name: "stage", Net: s.net, Clock: s.clock, Insts: 2, Decoder: &wordDecoder{}, Sink: &basin{},
			Request: func(i venue.Inst) (string, int64) { return fmt.Sprintf("http://%s/%d", s.addr, i), 1 },
			Weight:  NewLimiter(s.clock, 100, venue.Second), Gap: 300 * venue.Millisecond, Timeout: venue.Second, MaxBody: 1 << 20,
			Report: func(e *Error) { heard = append(heard, e.Error()) }})
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		x.Ask(1)
		require.NoError(t, x.Run(ctx))
		require.Len(t, heard, 2, "%q", heard)
		require.Contains(t, heard[0], "stage: book: refused: http://"+s.addr+"/1: 400 Bad Request")
		require.Len(t, s.attempts(), 2)
		require.GreaterOrEqual(t, s.attempts()[1], 30*time.Second)
	})
}
