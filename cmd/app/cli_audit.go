package app

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"time"

	"oneprice/engine/audit"

	"github.com/spf13/cobra"
)

func (c *cli) audit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove and read the audit of a run",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.auditVerify(), c.auditTail(), c.auditShow())
	return cmd
}

func (c *cli) auditVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "Prove that no record is lost, doubled or altered, up to the published head",
		Long:  "verify names the first record that is not as it was written.\n\n" + exitHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := audit.Verify(args[0])
			if err != nil && s.Broken == nil {
				return &InputError{err}
			}
			printed := c.print(s, func(w io.Writer) { summaryText(w, &s) })
			return errors.Join(printed, err)
		},
	}
}

func summaryText(w io.Writer, s *audit.Summary) {
	verdict := "whole and unaltered"
	if !s.OK {
		verdict = "BROKEN"
	}
	fmt.Fprintf(w, "%s: %d records in %d files, %d sessions (%d without an end), %s to %s\n", verdict, s.Records, s.Files, s.Sessions, s.Unended, dash(s.First), dash(s.Last))
	if s.Waiting > 0 {
		fmt.Fprintf(w, "%d records wait in the ring\n", s.Waiting)
	}
	kinds := make([]string, 0, len(s.Kinds))
	for k := range s.Kinds {
		kinds = append(kinds, k)
	}
	sort.Strings(kinds)
	for _, k := range kinds {
		fmt.Fprintf(w, "  %-12s %d\n", k, s.Kinds[k])
	}
}

func (c *cli) auditTail() *cobra.Command {
	var n int
	cmd := &cobra.Command{
		Use:   "tail DIR",
		Short: "Print the last records",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if n < 1 {
				return &UsageError{errors.New("-n must be 1 or more")}
			}
			es, err := audit.Tail(args[0], n)
			if err != nil {
				return auditError(err)
			}
			for _, e := range es {
				if err := c.entry(e); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVarP(&n, "lines", "n", 20, "how many records")
	return cmd
}

func (c *cli) auditShow() *cobra.Command {
	var f audit.Filter
	var since, until string
	cmd := &cobra.Command{
		Use:   "show DIR",
		Short: "Print the records that match",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var err error
			if f.Since, err = instant("since", since); err != nil {
				return err
			}
			if f.Until, err = instant("until", until); err != nil {
				return err
			}
			return auditError(audit.Show(args[0], f, c.entry))
		},
	}
	fl := cmd.Flags()
	fl.Uint64Var(&f.Epoch, "session", 0, "of this session only")
	fl.StringVar(&f.Kind, "kind", "", "of this kind only: intent, plan, order, report, book, breaker, operator, …")
	fl.StringVar(&f.Venue, "venue", "", "of this venue only")
	fl.StringVar(&f.Instrument, "instrument", "", "of this instrument only (venue:symbol)")
	fl.StringVar(&f.Strategy, "strategy", "", "of this strategy only")
	fl.StringVar(&f.Client, "client", "", "of the order with this client id only")
	fl.StringVar(&f.Plan, "plan", "", "of this plan only")
	fl.StringVar(&since, "since", "", "from this time on (2024-08-08T23:54:13Z)")
	fl.StringVar(&until, "until", "", "before this time")
	return cmd
}

// instant reads the time of a flag; the zero time for "".
func instant(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, &UsageError{fmt.Errorf("--%s %q is not a time; write it as 2024-08-08T23:54:13Z", flag, s)}
	}
	return t, nil
}

// auditError makes what cannot be read an input error; a broken record keeps its own code.
func auditError(err error) error {
	var broken *audit.Fault
	if err == nil || errors.As(err, &broken) {
		return err
	}
	return &InputError{err}
}

// entry prints one record: with --json the line itself, byte for byte, else what matters of it.
func (c *cli) entry(e *audit.Entry) error {
	if c.json {
		_, err := fmt.Fprintf(c.out, "%s\n", e.Raw)
		return err
	}
	text := fmt.Sprintf("%d.%d %s %s", e.Epoch, e.Seq, e.Time.Format("2006-01-02T15:04:05.000000000Z"), e.Kind)
	for _, f := range []struct{ name, value string }{
		{"", e.Report}, {"", e.State}, {"", e.Action}, {"", e.Strategy}, {"", e.Instrument}, {"", e.Op}, {"", e.Side}, {"", e.Qty}, {"@ ", e.Price},
		{"fill ", e.Fill}, {"fee ", e.Fee}, {"", e.FeeCcy}, {"edge ", e.Edge}, {"plan ", e.Plan}, {"client ", e.Client}, {"", e.Verdict}, {"", e.Reason},
		{"rule ", e.Rule}, {"value ", e.Value}, {"limit ", e.Limit},
	} {
		if f.value != "" {
			text += " " + f.name + f.value
		}
	}
	_, err := fmt.Fprintln(c.out, text)
	return err
}
