package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"oneprice/engine/recovery"
)

// rebalanceLines are what a config lacks that says nothing of it.
const rebalanceLines = "rebalance: {slip: 5bps, depth: 5, deadline: 30s, assets: {cash: {currencies: [USDT], weight: 0.5, band: 200bps}, BTC: {currencies: [BTC], weight: 0.5, band: 200bps}}}"

// rebalancing is one run of the command.
type rebalancing struct {
	c       *cli
	g       goLive
	o       LiveOptions
	plan    bool
	held    map[string]map[string]string
	confirm string
}

func (c *cli) rebalance() *cobra.Command {
	r := &rebalancing{c: c, o: LiveOptions{Edges: Machine(), Seed: 1}}
	cmd := &cobra.Command{
		Use:   "rebalance --config CONFIG",
		Short: "Bring holdings back to their target weights, across venues",
		Long: `rebalance compares what is held over all venues with the target weights under rebalance in a config, and plans the trades that
bring every asset back into its band, and the inventory of each to where it should lie (sell here, buy there), at the least
cost by the books of now: spread, depth and fees. Lots, minimums and balances are kept to.

With --plan it prints the trades, their costs and what they do to the weights, and the code that confirms just this plan; it
keeps the plan below --out. With --confirm CODE it trades that plan, at its limit prices and through every limit of the
config; a plan is good for ten minutes. At a terminal, without either, it plans and asks for the code.

It works on paper, with the config's balances, unless --live is given.

` + exitHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) },
	}
	f := cmd.Flags()
	c.logFlag(cmd)
	f.StringVar(&r.o.Config, "config", "", "a config file, or the name of an example")
	f.BoolVar(&r.plan, "plan", false, "print the plan and its confirmation code, and trade nothing")
	f.StringVar(&r.confirm, "confirm", "", "trade the plan made last, which this `CODE` confirms")
	f.StringVar(&r.o.Out, "out", "", "the folder below which plan, audit and tape are written; out/rebalance, or out/live, where none is given")
	f.BoolVar(&r.g.on, "live", false, "for the accounts of the config, instead of on paper")
	r.g.flags(cmd, &r.o.Edges)
	return cmd
}

// run plans, or trades.
func (r *rebalancing) run(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	defer r.g.close()
	in, ok := r.c.in.(*os.File)
	ask := r.confirm == "" && !r.plan && ok && term.IsTerminal(int(in.Fd()))
	switch {
	case r.plan && r.confirm != "":
		return &UsageError{errors.New("--plan trades nothing and --confirm trades a plan; give one of them")}
	case r.confirm != "":
		p, err := keptPlan(r.o.Out, time.Now())
		if err != nil {
			return err
		}
		return r.trade(ctx, p, r.confirm)
	case !r.plan && !ask:
		return &UsageError{errors.New("give --plan for a plan, or --confirm with the code of the plan made last")}
	}
	p, err := PlanRebalance(ctx, r.o, r.held)
	if err != nil {
		return err
	}
	if p.Mode = r.o.Mode; len(p.Trades) > 0 {
		if err := p.save(r.o.Out); err != nil {
			return err
		}
	}
	rep := r.coded(p)
	if !ask || rep.Code == "" {
		return errors.Join(r.c.print(rep, rep.Text), p.verdict(p.Inside))
	}
	rep.Text(r.c.err)
	fmt.Fprintf(r.c.err, "To trade it %s, type the code: ", r.o.Mode)
	given, err := typed(ctx, r.c.in)
	if err != nil {
		return err
	}
	return r.trade(ctx, p, given)
}

// prepare reads the config, and for --live the keys and the balances, as a live start does.
func (r *rebalancing) prepare(ctx context.Context) (err error) {
	if r.o.Config == "" {
		return &UsageError{errors.New("--config is missing; give a config file, or the name of an example (" + exampleList() + ")")}
	}
	s := r.c.screen()
	r.o.Log, r.o.Mode = r.c.logger(s), rebalanceName
	if !r.g.on {
		if r.g.config, err = ReadConfig(r.o.Config, nil); err != nil {
			return err
		}
		bin, err := ownHash()
		if err != nil {
			return err
		}
		r.g.confirmation = newConfirmation(r.g.config, nil, &r.o.Edges, bin)
	} else {
		if err := r.g.read(r.o.Config, &r.o.Edges); err != nil {
			return err
		}
		if err := errors.Join(r.g.Paper.lacks(r.o.Config), r.g.askVenues(ctx, r.o.Edges, true)); err != nil {
			return &UsageError{err}
		}
		r.o.Mode, r.o.Accounts, r.o.Waiver = modeLive, r.g.accounts, r.g.Paper.waived()
		r.o.Open, r.o.Believe = recovery.Policy(r.g.config.Live.OpenOrders), r.g.config.Live.Balances == AdoptBalances
		r.held = map[string]map[string]string{}
		for i := range r.g.Venues {
			r.held[r.g.Venues[i].Venue] = r.g.Venues[i].Said.Balances
		}
	}
	if r.g.config.Rebalance == nil {
		return &UsageError{fmt.Errorf("%s has no targets; add to it: %s", r.o.Config, rebalanceLines)}
	}
	r.o.Confirmed = r.g.config
	if r.o.Out == "" {
		if r.o.Out = "out/rebalance"; r.g.on {
			r.o.Out = "out/live" // with the journal of the account's engine
		}
	}
	return nil
}

// trade works a plan off once its code is given.
func (r *rebalancing) trade(ctx context.Context, p *RebalancePlan, given string) error {
	again := "trading needs a confirmation code; read the plan that oneprice rebalance --plan prints, and give its code"
	if err := r.of(p).confirms(given, time.Now(), again); err != nil {
		return err
	}
	d, err := TradeRebalance(ctx, r.o, p)
	if d == nil {
		return err
	}
	if d.Session != nil {
		d.Session.Mode = r.o.Mode
	}
	rep := &RebalanceReport{RebalancePlan: *p, Done: d}
	if err == nil {
		err = p.verdict(d.Inside)
	}
	return errors.Join(r.c.print(rep, rep.Text), err)
}

// of is the confirmation of one plan.
func (r *rebalancing) of(p *RebalancePlan) confirmation {
	return sha256.Sum256(append(r.g.confirmation[:], p.bytes()...))
}

// coded adds the code of the day.
func (r *rebalancing) coded(p *RebalancePlan) *RebalanceReport {
	rep := &RebalanceReport{RebalancePlan: *p}
	if len(p.Trades) > 0 {
		now := time.Now().UTC()
		rep.Day, rep.Code = now.Format(time.DateOnly), r.of(p).code(now)
	}
	return rep
}

// verdict is the error of a plan that leaves something outside of its band.
func (p *RebalancePlan) verdict(inside bool) error {
	if inside {
		return nil
	}
	return errors.New("not everything comes inside its band: lots, minimums, balances or limits stand in the way")
}

// Text writes the plan, and what became of it, for a person.
func (r *RebalanceReport) Text(w io.Writer) {
	fmt.Fprintf(w, "%s: everything is worth %s %s\n", r.Config, r.Total, r.Reporting)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Trades) > 0 {
		fmt.Fprintf(t, "\nTRADE\tQTY\tINSTRUMENT\tLIMIT\tVALUE %s\tFEE\tCOST\n", r.Reporting)
		for _, x := range r.Trades {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Side, x.Qty, x.Instrument, x.Limit, x.Value, x.Fee, x.Cost)
		}
	}
	weights := func(title string, hs []RebalanceHolding) {
		fmt.Fprintf(t, "\n%s\tVENUE\tTARGET\tBAND\tBEFORE\tAFTER\n", title)
		for _, h := range hs {
			fmt.Fprintf(t, "%s\t%s\t%s\t±%s\t%s\t%s\n", h.Asset, dash(h.Venue), h.Target, h.Band, h.Before, h.After)
		}
	}
	weights("WEIGHT", r.Weights)
	t.Flush()
	if len(r.Trades) == 0 && r.Inside {
		fmt.Fprintln(w, "\neverything is inside its band; there is nothing to trade")
	}
	fmt.Fprintf(w, "\ncost %s %s (%s bps of everything); inside all bands: %t\n", r.Cost, r.Reporting, r.CostBps, r.Inside)
	if r.Code != "" {
		fmt.Fprintf(w, "confirmation code of %s (UTC): %s\n", r.Day, r.Code)
	}
	if r.Done == nil {
		return
	}
	fmt.Fprintf(t, "\nFILLED\tOF\tINSTRUMENT\tSIDE\n")
	for _, x := range r.Done.Filled {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.Qty, x.Of, x.Instrument, x.Side)
	}
	weights("NOW", r.Done.Weights)
	t.Flush()
	fmt.Fprintf(w, "\ninside all bands now: %t\n", r.Done.Inside)
}
