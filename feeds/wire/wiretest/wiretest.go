// Package wiretest is what the tests of market-data decoders share: recorded lines, instruments for a table of listings,
// records as text, and the rules that every receiver of records relies on. Only tests import it.
//
// Ownership: functions over what they are given; a recording is read once per process and must not be changed.
//
// Decisions
//   - 2026-11-25: a package beside feeds/wire, since a venue's tests may import nothing of another venue and copies of the
//     same checks would drift apart.
package wiretest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Venue is the venue id of the instruments that Instruments makes.
const Venue venue.ID = 7

// Line is one recorded line. Msg has Slack behind it.
type Line struct {
	Recv venue.Nanos     `json:"recv_ns"`
	Kind string          `json:"kind"`
	URL  string          `json:"url"`
	Msg  json.RawMessage `json:"msg"`
}

var (
	mu   sync.Mutex
	read = map[string][]Line{}
)

// Lines is a recording, plain or gzip, under ../shared/data beside the repository. The test is skipped where there is none.
func Lines(t testing.TB, name string) []Line {
	mu.Lock()
	defer mu.Unlock()
	if ls := read[name]; ls != nil {
		return ls
	}
	in := bufio.NewScanner(bytes.NewReader(File(t, name)))
	in.Buffer(nil, 64<<20)
	var out []Line
	for in.Scan() {
		var l Line
		require.NoError(t, json.Unmarshal(in.Bytes(), &l))
		l.Msg = Slacked(string(l.Msg))
		out = append(out, l)
	}
	require.NoError(t, in.Err())
	read[name] = out
	return out
}

// Path is where a file of ../shared/data would be.
func Path(t testing.TB, name string) string { return filepath.Join(root(t), "../shared/data", name) }

// File is a file, plain or gzip, under ../shared/data. The test is skipped where there is none.
func File(t testing.TB, name string) []byte {
	b, err := os.ReadFile(Path(t, name))
	if os.IsNotExist(err) {
		t.Skip("no recordings at ../shared/data")
	}
	require.NoError(t, err)
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	b, err = io.ReadAll(z)
	require.NoError(t, err)
	return b
}

// WS is the websocket messages among lines.
func WS(ls []Line) []Line {
	var out []Line
	for _, l := range ls {
		if l.Kind == "ws" {
			out = append(out, l)
		}
	}
	return out
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
}

// Slacked is a message with Slack behind it: bytes that look as if the message went on.
func Slacked(msg string) []byte {
	b := append([]byte(msg), strings.Repeat(`1","p":9`, wire.Slack/8)...)
	return b[:len(msg):len(b)]
}

// Instruments makes the table of listings, Inst 1 and up, at scales that are finer than tick and lot by so many decimals.
func Instruments(t testing.TB, ls []wire.Listing, price, qty uint8) []*venue.Instrument {
	var out []*venue.Instrument
	for i, l := range ls {
		in := &venue.Instrument{
			Inst: venue.Inst(i + 1), Venue: Venue, Symbol: l.Symbol, Status: l.Status, Depth: l.Depth, Chain: l.Chain,
			PriceScale: wire.Decimals([]byte(l.Tick)) + price, QtyScale: wire.Decimals([]byte(l.Lot)) + qty,
			PriceText: l.PriceText, QtyText: l.QtyText, Checksum: l.Checksum, ChecksumDepth: l.ChecksumDepth,
		}
		in.Tick = fixed.Price(parse(t, l.Tick, in.PriceScale))
		in.Lot = fixed.Qty(parse(t, l.Lot, in.QtyScale))
		for _, s := range []string{l.MinQty, l.MaxQty} {
			parse(t, s, in.QtyScale)
		}
		parse(t, l.MinNotional, fixed.CashScale)
		out = append(out, in)
	}
	return out
}

func parse(t testing.TB, s string, scale uint8) int64 {
	if s == "" {
		return 0
	}
	v, why := fixed.Parse([]byte(s), scale)
	require.Equal(t, fixed.OK, why, s)
	return v
}

// Render writes records as text, one a line: kind, flags, instrument, id, then the levels or the six words.
func Render(evs []venue.Event) string {
	var b strings.Builder
	for i := range evs {
		e := &evs[i]
		b.WriteString(kinds[e.Kind])
		for bit, name := range flags {
			if e.Flags&(1<<bit) != 0 {
				b.WriteString(" " + name)
			}
		}
		fmt.Fprintf(&b, " inst=%d seq=%d", e.Inst, e.Seq)
		if e.Kind == venue.Levels {
			for n := range e.N {
				fmt.Fprintf(&b, " %d×%d", e.Level(n).Price, e.Level(n).Qty)
			}
		} else {
			fmt.Fprintf(&b, " %v", e.W)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

var (
	kinds = map[venue.EventKind]string{venue.Head: "head", venue.Levels: "levels", venue.Touch: "touch", venue.Trade: "trade",
		venue.StatusChange: "status", venue.TickChange: "tick", venue.Gap: "gap", venue.Alive: "alive"}
	flags = [...]string{"last", "bids", "asks", "snapshot", "part", "venuewide"}
)

// Same fails the test, with both as text, unless the records are equal in every bit.
func Same(t testing.TB, want, got []venue.Event) {
	same := len(want) == len(got)
	for i := 0; same && i < len(want); i++ {
		same = want[i] == got[i]
	}
	if !same {
		require.Equal(t, Render(want), Render(got))
		require.Equal(t, want, got)
	}
}

// WellFormed fails the test when records break a rule that every receiver relies on. What Decode returned with OK may
// not be empty.
func WellFormed(t testing.TB, evs []venue.Event) {
	if why := fault(evs); why != "" {
		t.Fatalf("unexpected records: %s\n%s", why, Render(evs))
	}
}

func fault(evs []venue.Event) string {
	if len(evs) == 0 || evs[len(evs)-1].Flags&venue.Last == 0 {
		return "the last record must end the Put"
	}
	for i := 0; i < len(evs); i++ {
		e := &evs[i]
		if e.Venue != Venue {
			return "another venue"
		}
		if e.Kind == venue.Levels {
			return "levels outside a frame"
		}
		if e.Kind != venue.Head {
			continue
		}
		n := e.Count()
		if n >= wire.PartRecords && e.Flags&venue.Snapshot != 0 || i+n >= len(evs) {
			return "a count beyond the part or the Put"
		}
		for k := range n {
			if why := levelsFault(e, &evs[i+1+k], k == n-1); why != "" {
				return why
			}
		}
		if e.Flags&venue.Part != 0 && (evs[i+n].Flags&venue.Last == 0 || i+n+1 >= len(evs) || evs[i+n+1].First() != e.First()+1) {
			return "a part must end its Put and be followed by the next"
		}
		i += n
	}
	return ""
}

// levelsFault looks at one Levels record of a frame.
func levelsFault(head, e *venue.Event, final bool) string {
	side := e.Flags &^ venue.Last
	switch {
	case e.Kind != venue.Levels || e.Inst != head.Inst || e.Seq != head.Seq:
		return "not a Levels record of its frame"
	case side != venue.Bids && side != venue.Asks:
		return "not of one side"
	case e.Flags&venue.Last != 0 && !final:
		return "Last inside a frame"
	case e.N < 1 || e.N > 3:
		return "no or too many levels"
	}
	for k := int(e.N) * 2; k < 6; k++ {
		if e.W[k] != 0 {
			return "something of an older message shows"
		}
	}
	return ""
}
