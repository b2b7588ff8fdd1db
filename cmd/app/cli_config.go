package app

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"oneprice/books/fixed"

	"github.com/spf13/cobra"
)

func (c *cli) config() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the example configs that the binary holds",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "example [NAME]",
		Short: "List the examples, or print one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				names := ExampleNames()
				return c.print(names, func(w io.Writer) { fmt.Fprintln(w, strings.Join(names, "\n")) })
			}
			text, ok := exampleText(args[0])
			if !ok {
				return &UsageError{fmt.Errorf("no example is called %q; there are: %s", args[0], strings.Join(ExampleNames(), ", "))}
			}
			return c.print(map[string]string{"name": args[0], "text": string(text)}, func(w io.Writer) { fmt.Fprint(w, string(text)) })
		},
	})
	return cmd
}

// CheckReport is what check says of a config: its faults, or what it resolves to.
type CheckReport struct {
	Config      string            `json:"config"`
	OK          bool              `json:"ok"`
	Faults      Faults            `json:"faults,omitempty"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	Reporting   string            `json:"reporting,omitempty"`
	Instruments []CheckInstrument `json:"instruments,omitempty"`
	Strategies  []CheckStrategy   `json:"strategies,omitempty"`
	Stops       []CheckStop       `json:"stops,omitempty"`
	// Untraded instruments take no orders with these recordings, which show no price of them.
	Untraded []string `json:"untraded,omitempty"`
}

// CheckInstrument is one instrument as the config resolves it. Limits in lots are "" where no recording gave a price.
type CheckInstrument struct {
	Instrument  string `json:"instrument"`
	Product     string `json:"product"`
	Tick        string `json:"tick"`
	Lot         string `json:"lot"`
	PriceScale  uint8  `json:"price_scale"`
	QtyScale    uint8  `json:"qty_scale"`
	MaxQty      string `json:"max_qty,omitempty"`
	MaxPosition string `json:"max_position,omitempty"`
}

// CheckStrategy is one strategy.
type CheckStrategy struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

// Check reads a config, and recordings where they are given, and resolves everything as a run would.
func Check(config string, paths []string, forced string) (*CheckReport, error) {
	var run *Run
	var err error
	if len(paths) > 0 {
		run, err = Prepare(config, paths, forced)
	} else {
		run = &Run{}
		run.Config, err = ReadConfig(config, nil)
	}
	if err != nil {
		return nil, err
	}
	a, err := run.Assemble()
	if err != nil {
		return nil, err
	}
	r := &CheckReport{Config: config, OK: true, Fingerprint: fmt.Sprintf("%016x", a.Fingerprint), Reporting: string(run.Config.Reporting), Untraded: a.Untraded}
	for _, in := range a.Instruments[1:] {
		l := &a.Risk.Instruments[in.Inst]
		if !l.Allowed {
			continue
		}
		ci := CheckInstrument{Instrument: in.Name, Product: a.Products[in.Product].Name, PriceScale: in.PriceScale, QtyScale: in.QtyScale,
			Tick: string(fixed.AppendTrim(nil, int64(in.Tick), in.PriceScale)), Lot: string(fixed.AppendTrim(nil, int64(in.Lot), in.QtyScale))}
		if !a.Nominal {
			ci.MaxQty = string(fixed.AppendTrim(nil, int64(l.MaxQty), in.QtyScale))
			ci.MaxPosition = string(fixed.AppendTrim(nil, int64(l.MaxPosition), in.QtyScale))
		}
		r.Instruments = append(r.Instruments, ci)
	}
	for i, s := range a.Strategies {
		_, disabled := s.(off)
		r.Strategies = append(r.Strategies, CheckStrategy{a.StrategyNames[i+1], !disabled})
	}
	r.Stops = run.Config.stopList()
	return r, nil
}

// Text writes the report for a person.
func (r *CheckReport) Text(w io.Writer) {
	fmt.Fprintf(w, "%s is sound. Fingerprint %s, limits in %s.\n\n", r.Config, r.Fingerprint, r.Reporting)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INSTRUMENT\tPRODUCT\tTICK\tLOT\tSCALES\tMAX ORDER\tMAX POSITION")
	for _, i := range r.Instruments {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d+%d\t%s\t%s\n", i.Instrument, i.Product, i.Tick, i.Lot, i.PriceScale, i.QtyScale, orStart(i.MaxQty), orStart(i.MaxPosition))
	}
	t.Flush()
	for _, s := range r.Strategies {
		state := "enabled"
		if !s.Enabled {
			state = "off"
		}
		fmt.Fprintf(w, "strategy %s: %s\n", s.Name, state)
	}
	stopsText(w, r.Stops)
	for _, u := range r.Untraded {
		fmt.Fprintf(w, "%s takes no orders: the recordings show no price of it\n", u)
	}
}

func orStart(s string) string {
	if s == "" {
		return "set at start"
	}
	return s
}

func (c *cli) check() *cobra.Command {
	var forced string
	var g goLive
	var controls bool
	e := Machine()
	cmd := &cobra.Command{
		Use:   "check CONFIG [RECORDING...]",
		Short: "Find every fault of a config, and say what it resolves to",
		Long: `check reads a config (a file, or the name of an example) and reports all of its faults at once, each with its line. With
recordings it also turns the limits into lots, as a backtest of them would.

With --live it checks what a live start would: keys, the venues' clocks, permissions, fees and balances, and for how long the
config has traded on paper. It prints the plan and the confirmation code for run --live --confirm. Nothing is traded.

With --controls it prints the checklist of controls: each with its limit, where it is enforced, and the tests that violate it.

` + exitHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.stray(); err != nil {
				return err
			}
			if controls {
				return c.controls(args, g.on)
			}
			if g.on {
				if len(args) > 1 {
					return &UsageError{errors.New("--live asks the venues; give no recordings with it")}
				}
				return g.check(cmd.Context(), c, args[0], e)
			}
			r, err := Check(args[0], args[1:], forced)
			var faults *ConfigError
			if errors.As(err, &faults) && c.json {
				return errors.Join(c.print(&CheckReport{Config: args[0], Faults: faults.Faults}, nil), err)
			}
			if err != nil {
				return err
			}
			return c.print(r, r.Text)
		},
	}
	cmd.Flags().StringVar(&forced, "venue", "", "the venue of every recording, where the lines do not tell")
	cmd.Flags().BoolVar(&g.on, "live", false, "check what a live start needs, and print its plan and confirmation code")
	cmd.Flags().BoolVar(&controls, "controls", false, "print the checklist of controls")
	g.flags(cmd, &e)
	return cmd
}

// controls prints the checklist of a config.
func (c *cli) controls(args []string, live bool) error {
	if len(args) > 1 || live {
		return &UsageError{errors.New("--controls speaks of the config alone; give no recordings and no --live with it")}
	}
	conf, err := ReadConfig(args[0], nil)
	if err != nil {
		return err
	}
	r := &ControlsReport{args[0], conf.Controls()}
	return c.print(r, r.Text)
}
