package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/engine/audit"
)

// The child of the kill test is this test binary; it finds its orders in the environment.
const (
	childFolder = "ONEPRICE_TEST_CHILD"
	childTask   = "ONEPRICE_TEST_TASK"
	// childMetrics is where a live child shows its figures and its health.
	childMetrics = "ONEPRICE_TEST_METRICS"
)

// TestKilled_child is no test: it is the process that gets killed. It tells its parent the session's epoch, and then the
// sequence number of each record that has been queued.
func TestKilled_child(t *testing.T) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		t.Skip("only the kill test starts it")
	}
	parent := os.NewFile(3, "parent")
	tell := func(n uint64) {
		if _, err := parent.Write(binary.LittleEndian.AppendUint64(nil, n)); err != nil {
			os.Exit(ExitFailed) // nobody listens any more
		}
	}
	if os.Getenv(childTask) == "recover" {
		tell(0)
		_, w, err := audit.Open(audit.Config{Dir: filepath.Join(dir, "audit")})
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return
	}
	if os.Getenv(childTask) == "live" {
		liveChild(t, dir, tell)
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 2*patience)
	defer stop()
	_, err := Demo(ctx, DemoOptions{Config: "demo", Seed: 7, Out: dir, Started: func(l *Live) { tell(l.writer.Epoch()) }, Queued: tell})
	require.NoError(t, err)
}

// child is a process to be killed, and what it has told.
type child struct {
	cmd  *exec.Cmd
	said bytes.Buffer // its output, once it is over
	over chan struct{}

	mu    sync.Mutex
	more  *sync.Cond
	told  []uint64
	ended bool
}

func startChild(t *testing.T, dir, task string, env ...string) *child {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	c := &child{cmd: exec.Command(os.Args[0], "-test.run=^TestKilled_child$"), over: make(chan struct{})}
	c.more = sync.NewCond(&c.mu)
	c.cmd.Env = append(os.Environ(), childFolder+"="+dir, childTask+"="+task)
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.ExtraFiles = []*os.File{w}
	c.cmd.Stdout, c.cmd.Stderr = &c.said, &c.said
	require.NoError(t, c.cmd.Start())
	require.NoError(t, w.Close())
	go c.listen(r)
	return c
}

// listen takes what the child tells until it is dead.
func (c *child) listen(r io.ReadCloser) {
	defer close(c.over)
	defer r.Close()
	var b [8]byte
	for {
		_, err := io.ReadFull(r, b[:])
		c.mu.Lock()
		if err == nil {
			c.told = append(c.told, binary.LittleEndian.Uint64(b[:]))
		}
		c.ended = err != nil
		c.more.Broadcast()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// tells waits until the child has told n numbers. False when it died before.
func (c *child) tells(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.told) < n && !c.ended {
		c.more.Wait()
	}
	return len(c.told) >= n
}

// kill ends the child at once and returns what it had told.
func (c *child) kill(t *testing.T) []uint64 {
	t.Helper()
	require.NoError(t, c.cmd.Process.Kill())
	<-c.over
	c.cmd.Wait() // says that it was killed
	return c.told
}

// killing kills engines on one folder again and again.
type killing struct {
	t    *testing.T
	dir  string
	rnd  *rand.Rand
	told map[uint64]uint64 // by epoch, the last number that a child told
	left int               // records that only a ring held until check recovered them
}

// start kills a demo while it starts.
func (k *killing) start() {
	c := startChild(k.t, k.dir, "demo")
	at := time.NewTimer(time.Duration(k.rnd.Int64N(int64(600 * time.Millisecond))))
	<-at.C
	k.note(c.kill(k.t))
}

// work kills a demo that trades.
func (k *killing) work() {
	c := startChild(k.t, k.dir, "demo")
	n := 2 + k.rnd.IntN(100)
	require.True(k.t, c.tells(n), "the child ended by itself: %s", &c.said)
	k.note(c.kill(k.t))
}

// recovery kills a process that recovers what the one before left.
func (k *killing) recovery() {
	c := startChild(k.t, k.dir, "recover")
	require.True(k.t, c.tells(1), "the child ended by itself: %s", &c.said)
	at := time.NewTimer(time.Duration(k.rnd.Int64N(int64(10 * time.Millisecond))))
	<-at.C
	c.kill(k.t)
}

// note keeps what a child told: its epoch, then rising numbers.
func (k *killing) note(told []uint64) {
	if len(told) > 1 {
		require.IsIncreasing(k.t, told[1:])
		k.told[told[0]] = told[len(told)-1]
	}
}

// check recovers as a start does, and holds the audit against what the children told.
func (k *killing) check() {
	t := k.t
	_, w, err := audit.Open(audit.Config{Dir: filepath.Join(k.dir, "audit")})
	require.NoError(t, err)
	require.Zero(t, w.Recovered().Lost)
	k.left += w.Recovered().Records
	require.NoError(t, w.Close())
	s, err := audit.Verify(filepath.Join(k.dir, "audit"))
	require.NoError(t, err)
	require.True(t, s.OK)
	require.Zero(t, s.Waiting)
	have := map[uint64]uint64{}
	require.NoError(t, audit.Show(filepath.Join(k.dir, "audit"), audit.Filter{}, func(e *audit.Entry) error {
		require.Equal(t, have[e.Epoch]+1, e.Seq, "session %d: each number once, in order", e.Epoch)
		have[e.Epoch] = e.Seq
		return nil
	}))
	for epoch, last := range k.told {
		require.GreaterOrEqual(t, have[epoch], last, "session %d had queued its record %d", epoch, last)
	}
}

// Whatever moment an engine is killed at, the audit holds every record that it had queued, once, in an unbroken chain.
func TestDemo_killedLosesNoRecord(t *testing.T) {
	t.Parallel()
	k := &killing{t: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(7, 9)), told: map[uint64]uint64{}}
	times := 3
	if long() {
		times = 20
	}
	for n := range times {
		k.work()
		if n%2 == 1 {
			k.recovery()
		}
		k.check()
		k.start()
		k.check()
	}
	require.GreaterOrEqual(t, len(k.told), times)
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	r, err := Demo(ctx, DemoOptions{Config: "demo", Seed: 7, Out: k.dir, Status: func(l *Live) {
		if l.Newest.Counters.Orders > 0 {
			stop()
		}
	}})
	require.NoError(t, err)
	require.True(t, r.AuditOK)
	require.Positive(t, r.Orders, "it trades again on the same folder")
	k.check()
	t.Logf("%d sessions told of records; %d of those records were in the ring alone when check came", len(k.told), k.left)
}
