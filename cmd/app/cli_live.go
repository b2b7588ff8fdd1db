package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"oneprice/feeds/venuesim"
)

// lasting bounds a command's context by --for, where it is given.
func lasting(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

func (c *cli) demo() *cobra.Command {
	o := DemoOptions{Config: "demo"}
	var d time.Duration
	var soaks bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch the engine trade against simulated venues on this machine",
		Long: `demo starts three simulated venues on loopback sockets, follows them as it would follow the real ones, and lets arbitrage and
quoting trade on two products with paper fills. No network, no keys. It shows its state on a terminal, serves metrics while
it runs, and prints a summary at the end (after --for, or on interrupt).

With --soak it sends signed orders under every fault for 30 minutes, or for --for, with breakers that never open, and fails
where anonymous memory grows by more than 5 % after the first 5 minutes, goroutines grow, or at the end a balance differs
from the venues', an order is in doubt, open or there twice, a book was wrong, or the audit is.

` + exitHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := c.screen()
			o.Status, o.Log = s.show, c.logger(s)
			var r *LiveResult
			var err error
			if soaks {
				if d <= 0 {
					d = soakFor
				}
				r, err = Soak(cmd.Context(), o, d)
			} else {
				ctx, stop := lasting(cmd.Context(), d)
				defer stop()
				r, err = Demo(ctx, o)
			}
			if r == nil {
				return err
			}
			return errors.Join(c.print(r, r.Text), err)
		},
	}
	f := cmd.Flags()
	c.logFlag(cmd)
	f.DurationVar(&d, "for", 0, "how long to run, such as 20s; 0 until interrupted")
	f.Uint64Var(&o.Seed, "seed", 1, "the seed of the simulated market")
	f.StringVar(&o.Out, "out", "out/demo", "the folder below which audit and tape are written")
	f.StringVar(&o.Wait, "wait", "", "how the engine waits, instead of the config's: spin, park or inline")
	f.StringVar(&o.Metrics, "metrics", "127.0.0.1:9464", "where /metrics, /healthz and /readyz are served; \"\" for nowhere")
	f.BoolVar(&o.Faults, "faults", false, "let every fault of the menu strike")
	f.BoolVar(&o.LiveSim, "live-sim", false, "send signed orders to the simulated venues instead of filling them on paper")
	f.BoolVar(&soaks, "soak", false, "watch memory and every promise for long, under all faults and with signed orders")
	f.BoolVar(&o.Profile, "pprof", false, "serve pprof beside the metrics")
	return cmd
}

func (c *cli) run() *cobra.Command {
	o := LiveOptions{Edges: Machine(), Mode: modePaper, Seed: 1}
	var g goLive
	var d time.Duration
	cmd := &cobra.Command{
		Use:   "run --config CONFIG",
		Short: "Trade on paper against the real venues, or live",
		Long: `run follows the venues of a config at their public addresses and trades on paper: real books, simulated fills. It serves
metrics while it runs and prints a summary at the end.

With --live it sends real orders from the accounts that the config names. It then shows what is about to trade and where,
and wants the confirmation code that oneprice check CONFIG --live prints, typed or by --confirm.

` + exitHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Config == "" {
				return &UsageError{errors.New("--config is missing; give a config file, or the name of an example (" + exampleList() + ")")}
			}
			if err := g.stray(); err != nil {
				return err
			}
			if g.on {
				defer g.close()
				if err := g.start(cmd.Context(), c, &o); err != nil {
					return err
				}
			}
			if o.Out == "" {
				o.Out = "out/" + o.Mode
			}
			ctx, stop := lasting(cmd.Context(), d)
			defer stop()
			s := c.screen()
			o.Status, o.Log = s.show, c.logger(s)
			r, err := RunLive(ctx, o)
			if r == nil {
				return err
			}
			r.Mode = o.Mode
			return errors.Join(c.print(r, r.Text), err)
		},
	}
	f := cmd.Flags()
	c.logFlag(cmd)
	f.StringVar(&o.Config, "config", "", "a config file, or the name of an example")
	f.DurationVar(&d, "for", 0, "how long to run, such as 1h; 0 until interrupted")
	f.StringVar(&o.Out, "out", "", "the folder below which audit and tape are written; out/paper, or out/live, where none is given")
	f.StringVar(&o.Wait, "wait", "", "how the engine waits, instead of the config's: spin, park or inline")
	f.StringVar(&o.Metrics, "metrics", "127.0.0.1:9464", "where /metrics, /healthz and /readyz are served; \"\" for nowhere")
	f.BoolVar(&o.Profile, "pprof", false, "serve pprof beside the metrics")
	f.BoolVar(&g.on, "live", false, "send real orders from the config's accounts, instead of filling them on paper")
	f.StringVar(&g.confirm, "confirm", "", "the confirmation `CODE` of a live start that nobody attends")
	g.flags(cmd, &o.Edges)
	return cmd
}

func (c *cli) record() *cobra.Command {
	o := RecordOptions{Edges: Machine()}
	var d time.Duration
	cmd := &cobra.Command{
		Use:   "record --config CONFIG",
		Short: "Write the raw messages of venues, with receive times",
		Long: `record follows the instruments of a config and writes every raw message with its receive time, one zstd file per venue and
UTC day, in the format that inspect and backtest read. Nothing is traded.

` + exitHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Config == "" {
				return &UsageError{errors.New("--config is missing; give a config file, or the name of an example (" + exampleList() + ")")}
			}
			ctx, stop := lasting(cmd.Context(), d)
			defer stop()
			s := c.screen()
			o.Log = c.logger(s)
			if s.tty {
				o.Status = func(n uint64) { s.put(fmt.Appendf(nil, "%d messages\n", n)) }
			}
			r, err := Record(ctx, o)
			if r == nil {
				return err
			}
			return errors.Join(c.print(r, r.Text), err)
		},
	}
	f := cmd.Flags()
	c.logFlag(cmd)
	f.StringVar(&o.Config, "config", "", "a config file, or the name of an example")
	f.DurationVar(&d, "for", 0, "how long to record, such as 1h; 0 until interrupted")
	f.StringVar(&o.Out, "out", "out/recordings", "the folder of the recordings")
	f.StringToStringVar(&o.WS, "ws", nil, "websocket address of a venue instead of its public one: `NAME=ws://HOST:PORT`")
	f.StringToStringVar(&o.REST, "rest", nil, "REST address of a venue instead of its public one: `NAME=http://HOST:PORT`")
	return cmd
}

// simReport is where the simulators answer.
type simReport struct {
	Venues []simAddress `json:"venues"`
}

type simAddress struct {
	Venue string `json:"venue"`
	WS    string `json:"ws"`
	REST  string `json:"rest"`
	// SBE is where its binary streams are.
	SBE string `json:"sbe,omitempty"`
}

func (c *cli) sim() *cobra.Command {
	o := SimOptions{}
	var d time.Duration
	var all bool
	var recordings []string
	speed := int64(1)
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Serve the simulated venues alone",
		Long: `sim serves the demo's venues until interrupted, on loopback sockets unless told otherwise, and prints where: point
"oneprice run" or "oneprice record" at them with --ws and --rest, or any client of those venues. The venues take the port of
--listen and those after it, in the order printed; with port 0 any that are free.

With --recording the venues say what was recorded of them, at the pace of the receive times: each connection sees the recording
from its first line, and ends with it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all {
				o.Faults = venuesim.AllFaults
			}
			var s *Simulators
			var err error
			if len(recordings) > 0 {
				s, err = NewReplays(Machine(), o, recordings, speed)
			} else {
				s, err = NewSimulators(Machine(), o)
			}
			if err != nil {
				return err
			}
			r := simReport{}
			e := s.Edges()
			for _, v := range s.Venues {
				r.Venues = append(r.Venues, simAddress{v.name, e.WS[v.name], e.REST[v.name], v.binary})
			}
			if err := c.print(r, func(w io.Writer) {
				for _, v := range r.Venues {
					fmt.Fprintf(w, "%s: --ws %s=%s --rest %s=%s\n", v.Venue, v.Venue, v.WS, v.Venue, v.REST)
				}
			}); err != nil {
				return err
			}
			ctx, stop := lasting(cmd.Context(), d)
			defer stop()
			return s.Run(ctx)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.Seed, "seed", 1, "the seed of the simulated market")
	f.BoolVar(&all, "faults", false, "let every fault of the menu strike")
	f.StringVar(&o.Address, "listen", "127.0.0.1:0", "where to serve: `HOST:PORT`")
	f.StringArrayVar(&recordings, "recording", nil, "serve a recording instead of a simulated market: `FILE`, and again for more")
	f.Int64Var(&speed, "speed", 1, "how many times faster than recorded")
	f.DurationVar(&d, "for", 0, "how long to serve; 0 until interrupted")
	return cmd
}
