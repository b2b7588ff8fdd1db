package app

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func (c *cli) watchdog() *cobra.Command {
	o := WatchdogOptions{Edges: Machine()}
	var config string
	cmd := &cobra.Command{
		Use:   "watchdog --config CONFIG",
		Short: "Cancel the orders of an engine that is dead or hangs",
		Long: `watchdog runs beside an engine, on this host or another, with keys of its own (venues.NAME.account.watchdog). It asks the
engine's /healthz; while that is answered it touches nothing. When it has not been for longer than --limit, it cancels by
REST whatever stands on the accounts of the config, on a shared account what has our ids, asks again until what was on its
way can have come no more, says what it did, and ends. It acts only on an engine that it has seen alive, or with --absent.

Exit codes: 0 the engine was alive to the end; 1 the watchdog could not work; 2 the command line or the config is at fault,
nothing was done; 4 it has acted and nothing of the engine's stands; 5 it has acted and something may.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" {
				return &UsageError{errors.New("--config is missing; give the config file of the engine that is watched")}
			}
			if u, err := url.Parse(o.Engine); err != nil || u.Host == "" {
				return &UsageError{fmt.Errorf("--engine %q is not an address such as http://127.0.0.1:9464/healthz", o.Engine)}
			}
			if o.Limit < time.Second || o.Settle < 0 {
				return &UsageError{errors.New("--limit must be a second or more: an engine may be busy for a moment; and --settle not negative")}
			}
			var err error
			if o.Config, err = ReadConfig(config, nil); err != nil {
				return err
			}
			if o.Accounts, err = o.Config.watchdogs(); err != nil {
				return err
			}
			defer closeAccounts(o.Accounts)
			o.Log = c.logger(c.screen())
			r, err := Watchdog(cmd.Context(), o)
			if r == nil {
				return err
			}
			return errors.Join(c.print(r, r.Text), err)
		},
	}
	f := cmd.Flags()
	c.logFlag(cmd)
	f.StringVar(&config, "config", "", "the config file of the engine that is watched")
	f.StringVar(&o.Engine, "engine", "http://127.0.0.1:9464/healthz", "where the engine shows that it lives")
	f.DurationVar(&o.Limit, "limit", 10*time.Second, "how long it may show no life")
	f.DurationVar(&o.Settle, "settle", time.Duration(acceptWithin), "how long requests that were on their way may still be accepted")
	f.BoolVar(&o.Absent, "absent", false, "act also where the engine was never seen alive")
	f.StringToStringVar(&o.REST, "rest", nil, "REST address of a venue instead of its public one: `NAME=http://HOST:PORT`")
	return cmd
}

// Text writes the report for people.
func (r *WatchdogReport) Text(w io.Writer) {
	if !r.Acted {
		fmt.Fprintf(w, "%s: nothing was done\n", r.Engine)
		return
	}
	fmt.Fprintf(w, "%s showed no life for %s: %s\n", r.Engine, r.SilentFor, r.Why)
	for _, v := range r.Venues {
		fmt.Fprintf(w, "%s, account %s: %d orders ended, %d stand, %d of others left alone, in %d passes\n", v.Venue, v.Account, v.Cancelled, v.Left, v.Foreign, v.Passes)
		if v.Error != "" {
			fmt.Fprintf(w, "  %s\n", v.Error)
		}
	}
	if r.Came {
		fmt.Fprintln(w, "the engine shows life again: stop it before it is trusted")
	}
}
