package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"oneprice/engine/console"
)

// dataFolders are where run and demo write when nobody says otherwise.
var dataFolders = []string{"out/live", "out/paper", "out/demo"}

// ctl is the operator's half of the control socket.
type ctl struct {
	*cli
	out     string
	by      string
	request ctlRequest
}

func (c *cli) ctl() *cobra.Command {
	x := &ctl{cli: c}
	cmd := &cobra.Command{
		Use:   "ctl",
		Short: "Look at a running engine and command it",
		Long: `ctl speaks to a running engine through the socket in its data folder, which only the owner of the folder can use. A command is
answered once the engine has carried it out; who gave it and why stands in the audit and on the tape.

kill      no order leaves any more and every order is cancelled; it stands, across restarts, until lift
lift      ends a kill; needs a reason
disarm    cancels every order and lets strategies send nothing new; legs of plans under way go on
arm       ends disarm and reduce-only, and what repeated executions, losses in a row or a stop had stopped
reduce-only  only what reduces a position leaves
breaker   shows the breakers; breaker reset closes them
flatten   disarms, cancels, and closes every position by orders that only reduce it; tells until it is flat
limits    shows every limit and what is in use of it

` + exitHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&x.out, "out", "", "the data folder of the engine; where none is given, the one of "+strings.Join(dataFolders, ", ")+" that has one running")
	f.StringVar(&x.by, "by", operatorName(), "your name, for the audit")
	cmd.AddCommand(x.command(verbStatus, "Show what is killed, armed, open and held", false, (*ctl).status),
		x.command("kill", "Stop everything, a venue or a strategy at once", true, nil), x.command("lift", "End a kill", true, nil),
		x.command("arm", "Let everything, a venue or a strategy trade", true, nil), x.command("disarm", "Cancel, and take nothing new", true, nil),
		x.command("reduce-only", "Let only what reduces a position leave", true, nil), x.command("flatten", "Close every position", true, nil),
		x.command(verbLimits, "Show limits and what is in use of them", false, (*ctl).limits))
	breaker := x.command(verbBreaker, "Show the breakers", false, (*ctl).breakers)
	reset := x.command("breaker-reset", "Close every breaker, or that of a venue", true, nil)
	reset.Use = "reset"
	breaker.AddCommand(reset)
	cmd.AddCommand(breaker)
	return cmd
}

// command makes the cobra command of a verb. show prints the answer of a query; nil prints what a command says.
func (x *ctl) command(verb, short string, commands bool, show func(*ctl, io.Writer, *CtlAnswer)) *cobra.Command {
	cmd := &cobra.Command{Use: verb, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		x.request.Verb, x.request.By = verb, x.by
		if show == nil {
			show = func(_ *ctl, w io.Writer, a *CtlAnswer) { fmt.Fprintln(w, a.Said) }
		}
		return x.ask(cmd.Context(), show)
	}}
	if commands {
		f := cmd.Flags()
		f.StringVar(&x.request.Venue, "venue", "", "the one `VENUE` that it concerns; without it, everything")
		if ctlVerbs[verb].strategy {
			f.StringVar(&x.request.Strategy, "strategy", "", "the one `STRATEGY` that it concerns")
		}
		f.StringVar(&x.request.Why, "why", "", "the `REASON`, for the audit")
	}
	return cmd
}

// ask asks the engine and prints each answer.
func (x *ctl) ask(ctx context.Context, show func(*ctl, io.Writer, *CtlAnswer)) error {
	folders := []string{x.out}
	if x.out == "" {
		folders = nil
		for _, f := range dataFolders {
			if err := console.Reach(f); err == nil {
				folders = append(folders, f)
			}
		}
		switch len(folders) {
		case 0:
			return &UsageError{fmt.Errorf("no engine runs in %s; give its data folder with --out", spaced(dataFolders))}
		case 1:
		default:
			return &UsageError{fmt.Errorf("engines run in %s; say which one with --out", spaced(folders))}
		}
	}
	if _, err := console.SocketPath(folders[0]); err != nil {
		return &UsageError{err}
	}
	var last CtlAnswer
	err := console.Ask(ctx, folders[0], &x.request, func(line []byte) error {
		last = CtlAnswer{}
		if err := json.Unmarshal(line, &last); err != nil {
			return fmt.Errorf("the answer cannot be read: %w", err)
		}
		if last.Error != "" && !x.json {
			return nil
		}
		return x.print(&last, func(w io.Writer) { show(x, w, &last) })
	})
	switch {
	case errors.Is(err, console.ErrNoEngine):
		return &UsageError{fmt.Errorf("%w; give the data folder of a running one with --out", err)}
	case err != nil:
		return err
	case last.Usage:
		return &UsageError{errors.New(last.Error)}
	case last.Error != "":
		return errors.New(last.Error)
	case !last.Done:
		return errors.New("the engine ended before it had said that all is done")
	}
	return nil
}

func yes(b bool, word string) string {
	if b {
		return word
	}
	return ""
}

// text is a word in one cell of a table.
func (w CtlWord) text() string {
	var out []string
	for _, s := range []string{yes(w.Killed, "KILLED"), yes(w.Disarmed, "disarmed"), yes(w.ReduceOnly, "reduce-only")} {
		if s != "" {
			out = append(out, s)
		}
	}
	if out == nil {
		return "armed"
	}
	return strings.Join(out, " ")
}

func (b *CtlBreaker) text() string {
	s := b.State
	if b.Left != "" {
		s += " for " + b.Left
	}
	return fmt.Sprintf("%s (%d of %d openings today)", s, b.Openings, b.Most)
}

// status prints where everything stands.
func (x *ctl) status(w io.Writer, a *CtlAnswer) {
	s := a.Status
	fmt.Fprintf(w, "%s, started by %s, at %s\n%d orders open, %d of unknown fate, %d plans at work; P&L %s, equity %s %s\n\n", s.Mode, s.Operator, s.Time, s.Open, s.Unknown,
		s.Plans, s.PnL, s.Equity, s.Reporting)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "WHAT\tSTATE\tBREAKER\tSTOPPED\neverything\t%s\t%s\t\n", s.CtlWord.text(), s.Breaker.text())
	for i := range s.Venues {
		v := &s.Venues[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", v.Venue, v.CtlWord.text(), v.Breaker.text())
	}
	for i := range s.Strategies {
		v := &s.Strategies[i]
		fmt.Fprintf(t, "%s\t%s\t\t%s\n", v.Strategy, v.CtlWord.text(), strings.Join(v.Stopped, "; "))
	}
	t.Flush()
	if len(s.Closing) > 0 {
		text, _ := s.closingText()
		fmt.Fprintf(w, "\nflattening: %s\n", text)
	}
}

// breakers prints the breakers alone.
func (x *ctl) breakers(w io.Writer, a *CtlAnswer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "WHAT\tBREAKER\neverything\t%s\n", a.Status.Breaker.text())
	for i := range a.Status.Venues {
		fmt.Fprintf(t, "%s\t%s\n", a.Status.Venues[i].Venue, a.Status.Venues[i].Breaker.text())
	}
	t.Flush()
}

// limits prints limits and their use.
func (x *ctl) limits(w io.Writer, a *CtlAnswer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OF\tLIMIT\tUSED\tMOST\tUNIT")
	for _, u := range a.Limits {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", u.Of, u.Limit, u.Used, u.Most, u.Unit)
	}
	t.Flush()
}
