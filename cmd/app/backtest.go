package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/recovery"
	"oneprice/feeds/recording"
)

// BacktestOptions are the options of backtest.
type BacktestOptions struct {
	// Config is a file, or the name of a shipped example.
	Config string
	Paths  []string
	// Venue forces the venue of every file; "" finds it by the lines.
	Venue string
	// Out is the folder for audit and tape.
	Out string
	// Wait overrides the config's policy: spin, park or inline; "" keeps it.
	Wait     string
	Progress func(read int64)
}

// tapeMeta is what a tape holds beside the config, for a replay to assemble the same engine.
type tapeMeta struct {
	Mode   string `json:"mode"`
	Waiver string `json:"waiver,omitempty"`
	// Operator is who started the session.
	Operator string `json:"operator,omitempty"`
	// Epoch is the session's number in the audit.
	Epoch uint64 `json:"epoch"`
	Facts *Facts `json:"facts"`
	// Opening is what recovery found, nil where nothing was recovered.
	Opening *recovery.Opening `json:"opening,omitempty"`
	// Rebalancing is what the session did in place of the config's strategies.
	Rebalancing *Rebalancing `json:"rebalancing,omitempty"`
}

func (m tapeMeta) encode() ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	return b, nil
}

// Backtest runs recordings through the whole engine. An InputError comes with the result of what could be read.
func Backtest(ctx context.Context, o BacktestOptions) (*Result, error) {
	run, err := Prepare(o.Config, o.Paths, o.Venue)
	if err != nil {
		return nil, err
	}
	a, err := run.Assemble()
	if err != nil {
		return nil, err
	}
	policy := engine.Policy(a.Config.Wait)
	if o.Wait != "" {
		if policy, err = engine.ParsePolicy(o.Wait); err != nil {
			return nil, &UsageError{err}
		}
	}
	if policy == engine.Spin && runtime.GOMAXPROCS(0) < 2 {
		return nil, &UsageError{errors.New("wait policy spin needs two processors: one spins, one reads; use park or inline")}
	}
	// The live heap is small and the run short: collecting less often costs memory and saves the budget of each frame.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	t, err := NewTrading(ctx, a, TradingOptions{Out: o.Out, Mode: "backtest", Feeds: 1, Policy: policy, Recorded: true})
	if err != nil {
		return nil, err
	}
	in, err := run.Survey.Open()
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	defer in.Close()
	m := NewMarket(t.Table, run.Survey)
	start := time.Now()
	err = t.play(ctx, m, in, policy, o.Progress)
	wall := time.Since(start)
	r := t.result(m, wall)
	r.Files = fileReports(in, t.Table, run.Survey.Venues(t.Table))
	if err := errors.Join(err, t.Close()); err != nil {
		return r, err
	}
	sum := t.writer.Decisions()
	r.Decisions = hex.EncodeToString(sum[:])
	if err := r.audited(); err != nil {
		return r, err
	}
	r.cpu()
	if err := in.Err(); err != nil {
		r.Fault = err.Error()
		return r, &InputError{err}
	}
	return r, nil
}

// play feeds every message of the recording to the loop and lets the session end.
func (t *Trading) play(ctx context.Context, m *Market, in *recording.Merged, policy engine.Policy, tell func(int64)) error {
	ended := make(chan error, 1)
	stop := func() {}
	if policy != engine.Inline {
		var life context.Context
		life, stop = context.WithCancel(context.Background())
		go func() { ended <- t.Loop.Run(life) }()
	} else {
		ended <- nil
	}
	err := t.produce(ctx, m, in, policy, tell)
	stop()
	if policy != engine.Inline {
		t.Bell.Ring()
	}
	err = errors.Join(err, <-ended)
	if err == nil {
		err = t.Loop.Settle()
	}
	return err
}

// produce decodes lines and puts their messages on the ring, part by part, waiting for room: a recording is in no hurry.
func (t *Trading) produce(ctx context.Context, m *Market, in *recording.Merged, policy engine.Policy, tell func(int64)) error {
	out := t.Events[0]
	n := 0
	for l := in.Next(); l != nil; l = in.Next() {
		ev := m.Decode(l)
		for len(ev) > 0 {
			k := 1
			for ev[k-1].Flags&venue.Last == 0 {
				k++
			}
			for why := out.Put(ev[:k]); why != venue.OK; why = out.Put(ev[:k]) {
				if why != venue.RingFull || policy == engine.Inline {
					return fmt.Errorf("backtest: a message of %d records does not fit in the ring of %d: %s", k, out.Cap(), why)
				}
				if err := t.Loop.Err(); err != nil {
					return err
				}
				runtime.Gosched()
			}
			if policy == engine.Inline {
				t.Loop.Offer()
			}
			ev = ev[k:]
		}
		if n++; n&0x3fff == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.Loop.Err(); err != nil {
				return err
			}
			progress(tell, in)
		}
	}
	progress(tell, in)
	return nil
}

// cpuTime is the processor time of the process so far, user and system, all threads.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
