package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"oneprice/feeds"

	"github.com/spf13/cobra"
)

// cli is one run of the program.
type cli struct {
	in       io.Reader
	out, err io.Writer
	json     bool
	logJSON  bool
}

const exitHelp = `Exit codes: 0 done, and what was checked holds; 1 what was checked does not hold, or the run failed;
2 the command line or the config is at fault and nothing was done; 3 an input file is missing, cut short or
corrupt (what could be read was used and printed).`

// Main runs the program and returns its exit code. Results go to out, faults and progress to errOut: one line for each
// fault, saying what, where and what to do.
func Main(args []string, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cli{in: os.Stdin, out: out, err: errOut}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	c.complain(err)
	return exitCode(err)
}

// complain writes an error to the error stream: one line, or the list of a config's faults.
func (c *cli) complain(err error) {
	var faults *ConfigError
	if errors.As(err, &faults) {
		fmt.Fprintf(c.err, "oneprice: %s\n", err)
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(c.err, "oneprice: %s\n", strings.TrimRight(line, "\n"))
	}
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "oneprice",
		Short:         "A low-latency arbitrage and market-making engine",
		Long:          "oneprice enforces the law of one price across venues.\n\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print the result as JSON")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &UsageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(c.demo(), c.run(), c.record(), c.sim(), c.inspect(), c.backtest(), c.replay(), c.check(), c.watchdog(), c.config(), c.audit(), c.rebalance(), c.ctl(), c.version())
	usage(root)
	return root
}

// usage makes faults of a command's arguments usage errors.
func usage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &UsageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usage(sub)
	}
}

// print writes a result: as JSON where asked, else as text.
func (c *cli) print(v any, text func(io.Writer)) error {
	if !c.json {
		text(c.out)
		return nil
	}
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (c *cli) inspect() *cobra.Command {
	var o InspectOptions
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Rebuild the books of recordings and say how far they can be trusted",
		Long: `inspect reads recordings (.jsonl, plain, gzip or zstd), finds venue and instruments by their lines, rebuilds every
book under the venue's own rules, and reports what was counted, what broke, and what these rules cannot show.

` + exitHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Paths = args
			bar := c.progress("reading", args)
			o.Progress = bar.tell
			r, err := Inspect(cmd.Context(), o)
			bar.end()
			if r == nil {
				return err
			}
			return errors.Join(c.print(r, r.Text), err)
		},
	}
	cmd.Flags().StringVar(&o.Venue, "venue", "", "the venue of every file, where the lines do not tell: "+strings.Join(feeds.Names(), ", "))
	cmd.Flags().Uint64Var(&o.CheckpointEvery, "checkpoint-every", 0, "write down id and touch every `N` applied updates of an instrument")
	return cmd
}

// Version is what the binary says of itself.
type Version struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
}

func version() Version {
	v := Version{Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version, v.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// build is one word for the build, for audit and tape.
func (v Version) build() string {
	b := v.Version
	if v.Revision != "" {
		b = v.Revision
	}
	if v.Modified {
		b += "+modified"
	}
	return b
}

func (c *cli) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := version()
			return c.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "oneprice %s", v.Version)
				if v.Revision != "" {
					fmt.Fprintf(w, " (%s)", v.Revision)
				}
				fmt.Fprintf(w, " %s\n", v.Go)
			})
		},
	}
}
