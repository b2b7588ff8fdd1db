package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"oneprice/engine/recovery"
)

// Modes of a session, as its audit names them.
const (
	modePaper = "paper"
	modeDemo  = "demo"
	modeLive  = "live"
)

// goLive is the live half of run and check: what the operator gave, and what a live start follows from.
type goLive struct {
	on      bool
	confirm string
	waive   string
	paper   []string

	LivePlan
	config       *Config
	accounts     map[string]Account
	confirmation confirmation
	now          time.Time
}

// flags are those of run and check alike; the edges say where each venue is.
func (g *goLive) flags(cmd *cobra.Command, e *Edges) {
	f := cmd.Flags()
	f.StringSliceVar(&g.paper, "paper", []string{"out/paper", "out/demo"}, "output folders of the sessions that show for how long the config has traded on paper, for --live")
	f.StringVar(&g.waive, "waive", "", "trade live without that, for this `REASON`, which the audit keeps")
	f.StringToStringVar(&e.WS, "ws", nil, "websocket address of a venue instead of its public one: `NAME=ws://HOST:PORT`")
	f.StringToStringVar(&e.REST, "rest", nil, "REST address of a venue instead of its public one: `NAME=http://HOST:PORT`")
	f.StringToStringVar(&e.PrivateWS, "private-ws", nil, "private websocket address of a venue instead of its own one: `NAME=ws://HOST:PORT`")
}

// stray refuses what only a live start takes where none was asked for: whoever confirms one must not get paper.
func (g *goLive) stray() error {
	if !g.on && (g.confirm != "" || g.waive != "") {
		return &UsageError{errors.New("--confirm and --waive belong to a live start; give --live too, or neither")}
	}
	return nil
}

// read makes the plan from what is on this machine: config, keys, binary and audits of paper sessions. Close g after it.
func (g *goLive) read(config string, e *Edges) error {
	c, err := ReadConfig(config, nil)
	if err != nil {
		return err
	}
	if c.Live == nil {
		return &UsageError{fmt.Errorf("%s does not say how to trade live; add to it: %s", config, liveLines)}
	}
	if g.accounts, err = c.accounts(); err != nil {
		return err
	}
	bin, err := ownHash()
	if err != nil {
		return err
	}
	g.config, g.confirmation, g.now = c, newConfirmation(c, g.accounts, e, bin), time.Now()
	g.plan(bin, e)
	g.Paper = proveOnPaper(c, g.paper, g.waive)
	g.Code, g.Day = g.confirmation.code(g.now), g.now.UTC().Format(time.DateOnly)
	return nil
}

func (g *goLive) close() { closeAccounts(g.accounts) }

// start lets a live session begin, or refuses: it shows the plan and takes the code, from the flag, or from the operator
// where one sits at a terminal.
func (g *goLive) start(ctx context.Context, c *cli, o *LiveOptions) error {
	if err := g.read(o.Config, &o.Edges); err != nil {
		return err
	}
	in, ok := c.in.(*os.File)
	ask := g.confirm == "" && ok && term.IsTerminal(int(in.Fd()))
	if !ask {
		if err := g.confirmation.accepts(g.confirm, g.now, o.Config); err != nil {
			return err
		}
	}
	if err := g.Paper.lacks(o.Config); err != nil {
		return &UsageError{err}
	}
	if err := g.askVenues(ctx, o.Edges, false); err != nil {
		return &UsageError{err}
	}
	g.text(c.err)
	if ask {
		fmt.Fprintf(c.err, "To trade live, type %s: ", g.Code)
		given, err := typed(ctx, c.in)
		if err != nil {
			return err
		}
		if err := g.confirmation.accepts(given, time.Now(), o.Config); err != nil {
			return err
		}
	}
	o.Mode, o.Confirmed, o.Accounts, o.Waiver = modeLive, g.config, g.accounts, g.Paper.waived()
	o.Open, o.Believe = recovery.Policy(g.config.Live.OpenOrders), g.config.Live.Balances == AdoptBalances
	return nil
}

// check makes the plan and asks the venues, without starting anything.
func (g *goLive) check(ctx context.Context, c *cli, config string, e Edges) error {
	if err := g.read(config, &e); err != nil {
		return err
	}
	defer g.close()
	why := errors.Join(g.Paper.lacks(config), g.askVenues(ctx, e, true))
	if why != nil {
		g.Refusals, why = strings.Split(why.Error(), "\n"), &UsageError{why}
	}
	return errors.Join(c.print(&g.LivePlan, func(w io.Writer) {
		g.text(w)
		fmt.Fprintf(w, "confirmation code of %s (UTC): %s\n", g.Day, g.Code)
	}), why)
}

// enabled names the strategies that are on.
func (c *Config) enabled() (names []string) {
	for _, s := range c.Strategies.Arb {
		if s.Value.Enabled {
			names = append(names, s.Name)
		}
	}
	for _, s := range c.Strategies.Quoting {
		if s.Value.Enabled {
			names = append(names, s.Name)
		}
	}
	return names
}

// spaced joins names for a person.
func spaced(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
