package journal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/orders"
)

const childDir = "JOURNAL_TEST_CHILD_DIR"

// TestChild is the process that TestRead_killedProcessLosesNoIntent kills; alone it does nothing. It prints o and an id
// when an order is journalled, c before its end is, d when it is.
func TestChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs only as a child")
	}
	cfg := config(dir)
	cfg.Capacity, cfg.Block, cfg.SyncEvery, cfg.Keep = 256, 512, 5*time.Millisecond, 2
	j, _, err := Open(cfg)
	require.NoError(t, err)
	go func() { panic(j.Run(t.Context())) }()
	d := desk.New(instruments(), 2, 2, 64, 1, books.Config{})
	table := orders.New(d, j.Epoch(), orders.LastSequence)
	rnd := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for n := 1; ; n++ {
		d.Now = now + venue.Nanos(n)
		if n%300 == 0 {
			for j.Checkpoint(d, d.Now) == ErrFull {
				runtime.Gosched()
			}
		}
		if table.Room() > 5 && rnd.IntN(2) == 0 {
			for !j.Room() {
				runtime.Gosched()
			}
			c := newOrder(j, 0)
			require.True(t, table.Open(&c))
			require.True(t, j.Intent(&c))
			fmt.Println("o", orders.Seq(c.Client))
			continue
		}
		if live := d.Live[1]; len(live) > 0 {
			o := d.Orders[live[rnd.IntN(len(live))]]
			r := venue.Report{Kind: venue.Cancelled, Venue: o.Venue, Inst: o.Inst, Slot: o.Slot, Client: o.Client}
			fmt.Println("c", orders.Seq(o.Client))
			for !j.Report(&r) {
				runtime.Gosched()
			}
			table.Apply(&r, d.Now)
			fmt.Println("d", orders.Seq(o.Client))
		}
	}
}

// watch starts a child, reads some of its lines, kills it, and returns by id the last that it said of each order.
func watch(t *testing.T, dir string, lines int) map[uint64]byte {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	r := bufio.NewReader(out)
	said := map[uint64]byte{}
	n := 0
	for ; ; n++ {
		if n == lines {
			require.NoError(t, child.Process.Kill())
		}
		line, err := r.ReadString('\n')
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		var what byte
		var id uint64
		_, err = fmt.Sscanf(line, "%c %d\n", &what, &id)
		require.NoError(t, err, line)
		said[id] = what
	}
	require.Error(t, child.Wait())
	require.GreaterOrEqual(t, n, lines, "the child ended by itself")
	return said
}

func TestRead_killedProcessLosesNoIntent(t *testing.T) {
	rounds := 3
	if os.Getenv("ONEPRICE_LONG") != "" {
		rounds = 20
	}
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(5, 6))
	open, torn, recorded := 0, uint64(0), uint64(0)
	for round := range rounds {
		said := watch(t, dir, 1+rnd.IntN(4000))
		s := reread(t, dir)
		require.EqualValues(t, round+1, s.Epoch)
		require.Zero(t, s.Lost)
		require.False(t, s.Clean)
		got := map[uint64]bool{}
		for _, o := range s.Orders {
			if orders.Epoch(o.Client) == s.Epoch {
				got[orders.Seq(o.Client)] = true
				require.LessOrEqual(t, orders.Seq(o.Client), s.Reserved(s.Epoch))
			}
		}
		for id, what := range said {
			switch what {
			case 'o':
				require.True(t, got[id], "order %d of run %d left and is not known", id, s.Epoch)
			case 'd':
				require.False(t, got[id], "order %d of run %d ended", id, s.Epoch)
			}
		}
		open, torn, recorded = open+len(got), torn+s.Torn, recorded+s.Records
	}
	t.Logf("%d rounds: %d records read, %d orders open at a kill, %d torn records", rounds, recorded, open, torn)
	require.NotZero(t, open)
}
