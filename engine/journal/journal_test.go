package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/orders"
)

const now = 1_800_000_000 * venue.Second

type clock struct{ now venue.Nanos }

func (c *clock) Now() venue.Nanos { return c.now }

func instruments() []*venue.Instrument {
	return []*venue.Instrument{nil, {Inst: 1, Venue: 1, Name: "a:X", PriceScale: 2, QtyScale: 4}, {Inst: 2, Venue: 2, Name: "b:X", PriceScale: 2, QtyScale: 4}}
}

func config(dir string) Config {
	return Config{Dir: dir, Fingerprint: 77, Instruments: instruments(), Venues: []string{"", "a", "b"}, Currencies: []string{"", "USD", "X"},
		Capacity: 64, Block: 1 << 20, FreeBytesMin: 1, Clock: &clock{now}}
}

func open(t testing.TB, cfg Config) (*Journal, *State) {
	t.Helper()
	j, s, err := Open(cfg)
	require.NoError(t, err)
	return j, s
}

func reread(t testing.TB, dir string) *State {
	t.Helper()
	s, err := Read(dir)
	require.NoError(t, err)
	return s
}

func newOrder(j *Journal, seq uint64) venue.Command {
	return venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Venue: 1, Inst: 1, Slot: uint32(seq), Client: orders.ID(j.Epoch(), seq),
		Price: 100, Qty: 10, Decided: now + venue.Nanos(seq)}
}

func answer(k venue.ReportKind, c *venue.Command, id string) venue.Report {
	r := venue.Report{Kind: k, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Recv: c.Decided + 5}
	if !r.SetRef([]byte(id)) {
		panic("an id of this length does not fit")
	}
	return r
}

func fill(c *venue.Command, id string, q fixed.Qty) venue.Report {
	r := answer(venue.Fill, c, id)
	r.Fill, r.Price, r.Fee, r.FeeCcy = q, c.Price, 3, 1
	return r
}

func put(t testing.TB, j *Journal, what ...any) {
	t.Helper()
	for _, x := range what {
		switch x := x.(type) {
		case venue.Command:
			require.True(t, j.Intent(&x))
		case venue.Report:
			require.True(t, j.Report(&x))
		}
	}
}

func TestOpen_recoversOrdersFillsAndValuesByName(t *testing.T) {
	dir := t.TempDir()
	j, s := open(t, config(dir))
	require.EqualValues(t, 1, j.Epoch())
	require.Zero(t, s.Records)
	require.False(t, s.Clean, "a folder without records proves nothing")
	a, b, c := newOrder(j, 1), newOrder(j, 2), newOrder(j, 3)
	put(t, j, a, b, answer(venue.Ack, &a, "V1"), fill(&a, "T1", 4), fill(&a, "T1", 4), fill(&b, "T2", 10), c)
	notSent := venue.Report{Kind: venue.SentReport, Flags: uint8(venue.NotSent), Venue: 1, Inst: 1, Slot: 3, Client: c.Client, Seq: uint64(venue.New), Recv: now}
	put(t, j, notSent)
	amend := venue.Command{Op: venue.Amend, Venue: 1, Inst: 1, Slot: 1, Client: orders.ID(1, 4), Target: a.Client, Price: 101, Qty: 12, Decided: now + 9}
	put(t, j, amend)
	require.NoError(t, j.Note("orders_today:a", "", 3, 0, now))
	require.NoError(t, j.Note("orders_today:a", "", 4, 0, now))
	require.NoError(t, j.Note("waiver", "new config, seen by the desk", 0, 0, now))
	require.True(t, j.Operator(venue.OpKill, 2, 0, now))
	require.True(t, j.Operator(venue.OpKill, 0, 0, now))
	require.True(t, j.Operator(venue.OpLift, 0, 0, now))
	require.NoError(t, j.Close())

	cfg := config(dir) // another run has other indices
	cfg.Instruments = []*venue.Instrument{nil, {Inst: 1, Venue: 1, Name: "c:Y"}}
	cfg.Venues = []string{"", "c"}
	j, s = open(t, cfg)
	defer func() { require.NoError(t, j.Close()) }()
	require.EqualValues(t, 2, j.Epoch())
	require.EqualValues(t, 1, s.Epoch)
	require.Equal(t, []Range{{1, 1 << 20}, {2, 1 << 20}}, s.Ranges)
	require.EqualValues(t, 1<<20, s.Reserved(1))
	require.False(t, s.Clean)
	require.Len(t, s.Orders, 1, "b is filled and c never left")
	o := s.Orders[0]
	require.Equal(t, "a:X", o.Instrument)
	require.Equal(t, "a", o.VenueName)
	require.EqualValues(t, 4, o.QtyScale)
	require.Equal(t, desk.PendingAmend, o.State)
	require.EqualValues(t, 4, o.Filled)
	require.EqualValues(t, 12, o.NextQty)
	require.EqualValues(t, 8, o.Remaining())
	require.Equal(t, "V1", string(o.Ref[1:1+o.Ref[0]]))
	require.Len(t, s.Fills, 2)
	require.Equal(t, Trade{"a", "a:X", "T1", false}, s.Fills[0].Trade())
	require.Equal(t, venue.Buy, s.Fills[0].Side)
	require.Equal(t, "USD", s.Fills[0].FeeCurrency)
	require.Contains(t, s.Known, Trade{"a", "a:X", "T2", false})
	require.True(t, s.Killed("b"))
	require.False(t, s.Killed(""))
	v, ok := s.Value("orders_today:a")
	require.True(t, ok)
	require.EqualValues(t, 4, v.Value)
	v, _ = s.Value("waiver")
	require.Equal(t, "new config, seen by the desk", v.Text)
}

func TestOpen_oneEngineAndOneEpoch(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Least = 5
	j, _ := open(t, cfg)
	_, _, err := Open(cfg)
	require.ErrorContains(t, err, "in use by another engine")
	require.EqualValues(t, 5, j.Epoch())
	require.NoError(t, j.Close())
	j, _ = open(t, cfg)
	require.EqualValues(t, 6, j.Epoch(), "above the last, whatever the least")
	put(t, j, newOrder(j, 1))
	require.NoError(t, j.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, fenceName)))
	_, _, err = Open(cfg)
	require.ErrorContains(t, err, "which ids were used is not known")
	cfg.Capacity = 17
	_, _, err = Open(cfg)
	require.ErrorContains(t, err, "multiple of 16")
	cfg = config(t.TempDir())
	cfg.FreeBytesMin = 1 << 62
	_, _, err = Open(cfg)
	require.ErrorContains(t, err, "no space left on device")
}

func TestState_cleanOnlyWhenEndedWithoutOpenOrders(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, config(dir))
	a := newOrder(j, 1)
	put(t, j, a)
	require.NoError(t, j.End(now))
	require.NoError(t, j.Close())
	require.False(t, reread(t, dir).Clean)
	j, _ = open(t, config(dir))
	put(t, j, answer(venue.Cancelled, &a, ""))
	require.False(t, reread(t, dir).Clean)
	require.NoError(t, j.End(now))
	require.NoError(t, j.Close())
	require.True(t, reread(t, dir).Clean)
}

// full puts orders until there is no room.
func full(t *testing.T, j *Journal) (n uint64) {
	for seq := uint64(1); ; seq++ {
		c := newOrder(j, seq)
		if !j.Intent(&c) {
			return seq - 1
		}
		require.Less(t, seq, uint64(10_000))
	}
}

func TestIntent_fullJournalKeepsRoomForCancelsAndConfessesWhatItMissed(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, config(dir))
	require.True(t, j.Room())
	n := full(t, j)
	require.EqualValues(t, 64-8, n, "the last eighth is for cancels and reports")
	require.False(t, j.Room())
	c := newOrder(j, 1)
	for i := range 8 {
		put(t, j, fill(&c, fmt.Sprint("T", i), 1))
	}
	lost := fill(&c, "T9", 1)
	require.False(t, j.Report(&lost))
	require.False(t, j.Operator(venue.OpKill, 1, 0, now))
	require.ErrorIs(t, j.Note("n", "", 1, 0, now), ErrFull)
	cancel := venue.Command{Op: venue.Cancel, Venue: 1, Inst: 1, Slot: 1, Client: orders.ID(1, 99), Target: c.Client}
	require.False(t, j.Intent(&cancel))
	require.ErrorIs(t, j.End(now), ErrFull)

	require.NoError(t, j.Sync()) // makes the next file
	require.True(t, j.Room())
	require.True(t, j.Intent(&cancel))
	s := reread(t, dir)
	require.Equal(t, Missed{1, lost.Recv}, s.Missed)
	require.True(t, s.Killed("a"), "a kill that found no room is written when there is")
	require.Len(t, s.Orders, int(n))
	require.Equal(t, desk.PendingCancel, s.Orders[0].State)
	require.EqualValues(t, 8, s.Orders[0].Filled)
	require.NoError(t, j.Close())
	require.False(t, j.Intent(&c), "a closed journal has no room")
}

func TestIntent_idsAreReservedBeforeUse(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Block = 8
	j, _ := open(t, cfg)
	defer func() { require.NoError(t, j.Close()) }()
	require.EqualValues(t, 8, full(t, j))
	require.False(t, j.Room())
	require.Equal(t, []Range{{1, 8}}, reread(t, dir).Ranges)
	require.NoError(t, j.Sync())
	require.EqualValues(t, 17, j.Reserved(), "behind the ids that were tried")
	require.Equal(t, []Range{{1, 17}}, reread(t, dir).Ranges)
	require.True(t, j.Room())
	put(t, j, newOrder(j, 10))
}

func TestCheckpoint_replacesWhatCameBeforeAndFilesGo(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Keep = 1
	j, _ := open(t, cfg)
	d := desk.New(instruments(), 2, 2, 16, 1, books.Config{})
	d.Now = now + 50
	table := orders.New(d, j.Epoch(), 1<<39)
	gone := newOrder(j, 999)
	put(t, j, gone)
	kept := newOrder(j, 0)
	require.True(t, table.Open(&kept))
	put(t, j, kept, fill(&kept, "T1", 3))
	table.Apply(&venue.Report{Kind: venue.Fill, Inst: 1, Venue: 1, Slot: kept.Slot, Client: kept.Client, Fill: 3}, now)
	d.Positions[1] = desk.Position{Qty: 3, Avg: 100, Fees: 9}
	d.Balances[1][1] = 12345
	require.True(t, j.Operator(venue.OpKill, 1, 0, now))
	for range 5 { // fills files
		for range 50 {
			put(t, j, answer(venue.Ack, &kept, "V"))
		}
		require.NoError(t, j.Sync())
	}
	require.NoError(t, j.Checkpoint(d, d.Now))
	require.Len(t, reread(t, dir).Orders, 1, "an order that the engine holds no more is not open")
	require.NoError(t, j.prune())
	numbers, err := files(dir)
	require.NoError(t, err)
	require.EqualValues(t, 1, numbers[0], "a checkpoint that is not durable lets nothing go")
	put(t, j, fill(&kept, "T2", 2))
	require.NoError(t, j.Sync())
	left, err := files(dir)
	require.NoError(t, err)
	require.Greater(t, left[0], uint64(1), "a durable checkpoint lets older files go")

	s := reread(t, dir)
	require.EqualValues(t, now+50, s.CheckpointAt)
	require.Equal(t, []Position{{Instrument: "a:X", PriceScale: 2, QtyScale: 4, Qty: 3, Avg: 100, Fees: 9}}, s.Positions)
	require.Equal(t, []Balance{{"a", "USD", 12345}}, s.Balances)
	require.Len(t, s.Orders, 1)
	require.Equal(t, kept.Client, s.Orders[0].Client)
	require.EqualValues(t, 5, s.Orders[0].Filled)
	require.Len(t, s.Fills, 1, "only what came after the checkpoint is to be booked again")
	require.True(t, s.Killed("a"), "values are carried by the checkpoint")
	for range 5 { // fills more files than Keep
		for range 50 {
			put(t, j, answer(venue.Ack, &kept, "V"))
		}
		require.NoError(t, j.Sync())
	}
	require.EqualValues(t, now+50, reread(t, dir).CheckpointAt, "what follows the last checkpoint stays")
	seq, at := j.Durable()
	require.Equal(t, j.seq, seq)
	require.EqualValues(t, now, at)
	require.NoError(t, j.Close())
}

func TestCheckpoint_carriesWhatEarlierRunsNoted(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Keep = 1
	j, _ := open(t, cfg)
	require.True(t, j.Operator(venue.OpKill, 1, 0, now))
	require.NoError(t, j.Note("waiver", "by the desk", 5, 2, now+1))
	require.NoError(t, j.Close())
	j, _ = open(t, cfg)
	c := newOrder(j, 1)
	for range 5 {
		for range 50 {
			put(t, j, answer(venue.Ack, &c, "V"))
		}
		require.NoError(t, j.Sync())
	}
	require.NoError(t, j.Checkpoint(desk.New(instruments(), 2, 2, 16, 1, books.Config{}), 1))
	require.NoError(t, j.Close())
	require.NoFileExists(t, filepath.Join(dir, firstFile))
	s := reread(t, dir)
	require.True(t, s.Killed("a"))
	require.False(t, s.Killed("b"))
	v, ok := s.Value("waiver")
	require.True(t, ok)
	require.Equal(t, Value{Name: "waiver", Text: "by the desk", Value: 5, Scale: 2, At: now + 1}, v)
}

func TestCheckpoint_olderOneMayLoseItsBeginningToPruning(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Keep = 1
	j, _ := open(t, cfg)
	d := desk.New(instruments(), 2, 2, 16, 1, books.Config{})
	d.Positions[1].Qty, d.Balances[1][1] = 1, 1
	require.NoError(t, j.Sync())
	c := newOrder(j, 1)
	for j.left() > 2 {
		put(t, j, answer(venue.Ack, &c, "V"))
	}
	require.NoError(t, j.Checkpoint(d, d.Now)) // from the first file into the second
	require.NoError(t, j.Sync())
	for range 64 {
		put(t, j, answer(venue.Ack, &c, "V"))
	}
	d.Positions[1].Qty = 2
	require.NoError(t, j.Checkpoint(d, d.Now))
	require.NoError(t, j.Close())
	require.NoFileExists(t, filepath.Join(dir, firstFile))
	require.EqualValues(t, 2, reread(t, dir).Positions[0].Qty)
}

func TestRun_failingDiskAllowsNoOrder(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Block = 8
	j, _ := open(t, cfg)
	for seq := uint64(1); seq <= 6; seq++ {
		put(t, j, newOrder(j, seq))
	}
	require.NoError(t, os.RemoveAll(dir))
	require.ErrorIs(t, j.Run(t.Context()), os.ErrNotExist)
	require.False(t, j.Room())
	c := newOrder(j, 7)
	require.False(t, j.Intent(&c), "though ids and records are left")
	put(t, j, answer(venue.Ack, &c, "V"))
	require.ErrorContains(t, j.Sync(), "has failed before")
	require.Error(t, j.Close())
}

func TestPut_allocatesNothing(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Capacity = 1 << 16
	j, _ := open(t, cfg)
	defer func() { require.NoError(t, j.Close()) }()
	c := newOrder(j, 1)
	f := fill(&c, "T1", 1)
	d := desk.New(instruments(), 2, 2, 16, 1, books.Config{})
	require.NoError(t, j.Note("x", "", 1, 0, now))
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		require.True(t, j.Intent(&c) && j.Report(&f) && j.Room() && j.Operator(venue.OpKill, 1, 0, now))
		require.True(t, j.Note("x", "text", 1, 0, now) == nil && j.Checkpoint(d, d.Now) == nil)
	}))
}

// BenchmarkIntent compares keeping an order with copying as many bytes, and says what one costs while Run syncs: a put
// every 20 us on average, over many files.
func BenchmarkIntent(b *testing.B) {
	cfg := config(b.TempDir())
	cfg.Capacity, cfg.Keep = 1<<14, 1
	j, _ := open(b, cfg)
	c := newOrder(j, 1)
	b.Run("copy", func(b *testing.B) {
		var from record
		to := make([]record, cfg.Capacity)
		for i := 0; b.Loop(); i++ {
			to[i%len(to)] = from
		}
	})
	b.Run("intent", func(b *testing.B) {
		for b.Loop() {
			if j.left() <= j.kept {
				j.pos = 0 // the same file again
			}
			if !j.Intent(&c) {
				b.Fatal("no room")
			}
		}
	})
	require.NoError(b, errors.Join(j.unmap(), j.lock.Close()))
	b.Run("paced", func(b *testing.B) {
		cfg.Dir = b.TempDir()
		j, _ := open(b, cfg)
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- j.Run(ctx) }()
		var took []time.Duration
		for b.Loop() {
			from := time.Now()
			ok := j.Intent(&c)
			took = append(took, time.Since(from))
			for !ok && !j.Room() { // the disk is slower than this
				runtime.Gosched()
			}
			for time.Since(from) < 20*time.Microsecond {
			}
		}
		cancel()
		require.NoError(b, errors.Join(<-done, j.Close()))
		slices.Sort(took)
		for name, at := range map[string]int{"p50-ns": len(took) / 2, "p99-ns": len(took) * 99 / 100, "p99.9-ns": len(took) * 999 / 1000, "max-ns": len(took) - 1} {
			b.ReportMetric(float64(took[at]), name)
		}
	})
}
