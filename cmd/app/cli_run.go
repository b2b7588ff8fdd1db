package app

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func (c *cli) backtest() *cobra.Command {
	var o BacktestOptions
	var seed uint64
	var seconds int
	cmd := &cobra.Command{
		Use:   "backtest --config CONFIG RECORDING...",
		Short: "Run recordings through the whole engine, with paper fills",
		Long: `backtest merges recordings on receive time and runs them through books, strategies, risk and paper venues, as live feeds
would be. Every decision goes to the audit, every input to the tape, both below --out; oneprice replay runs the tape again.
The config is a file or the name of an example (` + exampleList() + `).

` + exitHelp,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			synthetic := cmd.Flags().Changed("synthetic")
			if synthetic == (len(args) > 0) {
				return &UsageError{errors.New("give recordings, or --synthetic SEED for a generated one, and not both")}
			}
			o.Paths = args
			if synthetic {
				dir, err := os.MkdirTemp("", "oneprice-synthetic-")
				if err != nil {
					return fmt.Errorf("a generated recording has no place to go: %w", err)
				}
				defer os.RemoveAll(dir)
				if o.Paths, err = WriteSynthetic(dir, SyntheticOptions{Seed: seed, Seconds: seconds}); err != nil {
					return err
				}
			}
			bar := c.progress("backtest", o.Paths)
			o.Progress = bar.tell
			r, err := Backtest(cmd.Context(), o)
			bar.end()
			if r == nil {
				return err
			}
			return errors.Join(c.print(r, r.Text), err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Config, "config", "backtest", "a config file, or the name of an example")
	f.StringVar(&o.Venue, "venue", "", "the venue of every file, where the lines do not tell")
	f.StringVar(&o.Out, "out", "out/backtest", "the folder below which audit and tape are written")
	f.StringVar(&o.Wait, "wait", "", "how the engine waits, instead of the config's: spin, park or inline")
	f.Uint64Var(&seed, "synthetic", 0, "run a generated recording made from this `SEED` instead of files")
	f.IntVar(&seconds, "seconds", 60, "the length of a generated recording")
	return cmd
}

func (c *cli) replay() *cobra.Command {
	var o ReplayOptions
	cmd := &cobra.Command{
		Use:   "replay TAPE --audit DIR",
		Short: "Run a session's tape again and compare every decision with its audit",
		Long: `replay feeds a tape to a fresh engine, made from the config and the instrument table on the tape, and compares each record
with the audit, byte for byte.

` + exitHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Audit == "" {
				return &UsageError{errors.New("--audit is missing; give the audit folder of the session")}
			}
			o.Tape = args[0]
			r, err := Replay(cmd.Context(), o)
			if r == nil {
				return err
			}
			return errors.Join(c.print(r, r.Text), err)
		},
	}
	cmd.Flags().StringVar(&o.Audit, "audit", "", "the audit folder of the session")
	return cmd
}
