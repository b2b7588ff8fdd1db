package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/ring"
	"oneprice/feeds/wire"
)

// LivePlan is what a live start is about to do, and where. It holds no key and no secret.
type LivePlan struct {
	Config       string        `json:"config"`
	Source       string        `json:"source_sha256"`
	Binary       string        `json:"binary_sha256"`
	Build        string        `json:"build"`
	Strategies   []string      `json:"strategies"`
	Stops        []CheckStop   `json:"stops"`
	Products     []PlanProduct `json:"products"`
	Venues       []PlanVenue   `json:"venues"`
	Reporting    string        `json:"reporting"`
	MaxDailyLoss string        `json:"max_daily_loss"`
	MaxDrawdown  string        `json:"max_drawdown"`
	MaxGross     string        `json:"max_gross"`
	OpenOrders   string        `json:"open_orders"`
	Balances     string        `json:"balances"`
	Paper        PaperProof    `json:"paper"`
	// Refusals are why it may not begin.
	Refusals []string `json:"refusals"`
	// Code confirms all of it on Day.
	Day  string `json:"day"`
	Code string `json:"code"`
}

// PlanProduct is a product and the instruments that are it.
type PlanProduct struct {
	Product     string   `json:"product"`
	Instruments []string `json:"instruments"`
}

// PlanVenue is where a venue is, whose orders it takes and what bounds them. Limits are in the reporting currency.
type PlanVenue struct {
	Venue    string   `json:"venue"`
	Adapter  string   `json:"adapter"`
	At       []string `json:"at"`
	Account  string   `json:"account"`
	Mode     string   `json:"mode"`
	Tier     string   `json:"tier,omitempty"`
	Key      string   `json:"key_sha256"`
	MaxGross string   `json:"max_gross"`
	MaxOpen  int64    `json:"max_open_orders"`

	Instruments []PlanInstrument `json:"instruments"`
	// Said is what the venue answered, nil before it was asked.
	Said *VenueSaid `json:"said,omitempty"`
}

// PlanInstrument is an instrument with the limits that matter most, and what the venue lists of it, "" before it was asked.
type PlanInstrument struct {
	Instrument  string `json:"instrument"`
	MaxOrder    string `json:"max_order"`
	MaxPosition string `json:"max_position"`
	Tick        string `json:"tick,omitempty"`
	Lot         string `json:"lot,omitempty"`
	MinQty      string `json:"min_qty,omitempty"`
	MinNotional string `json:"min_notional,omitempty"`
	Status      string `json:"status,omitempty"`
}

// VenueSaid is what a venue says of itself and of the account.
type VenueSaid struct {
	// ClockOffset is its clock less ours, known to within ClockWithin.
	ClockOffset string `json:"clock_offset"`
	ClockWithin string `json:"clock_within"`
	// Balances are the free balances, by currency.
	Balances map[string]string `json:"balances,omitempty"`
	// Warnings are no reason to refuse.
	Warnings []string `json:"warnings,omitempty"`
}

// plan fills in what the config says.
func (g *goLive) plan(binary string, e *Edges) {
	c := g.config
	l := &c.Limits
	g.LivePlan = LivePlan{Config: c.Path, Source: c.hash(), Binary: binary, Build: version().build(), Strategies: c.enabled(), Stops: c.stopList(), Reporting: string(c.Reporting),
		MaxDailyLoss: amount(l.Global.MaxDailyLoss), MaxDrawdown: amount(l.Global.MaxDrawdown), MaxGross: amount(l.Global.MaxGross),
		OpenOrders: c.Live.OpenOrders.String(), Balances: c.Live.Balances.String(), Refusals: []string{}}
	for _, p := range c.Products {
		x := PlanProduct{Product: p.Name}
		for _, in := range p.Value.Instruments {
			x.Instruments = append(x.Instruments, string(in))
		}
		g.Products = append(g.Products, x)
	}
	for _, v := range c.Venues {
		a, ok := g.accounts[v.Name]
		if !ok {
			continue
		}
		lim := l.Venues.For(v.Name)
		x := PlanVenue{Venue: v.Name, Adapter: string(v.Value.Adapter), Account: a.Name, Mode: v.Value.Account.Mode.String(), Tier: a.Tier, Key: keyMark(a.Key),
			MaxGross: amount(lim.MaxGross), MaxOpen: int64(lim.MaxOpen)}
		for _, at := range []string{e.WS[v.Name], e.REST[v.Name], e.PrivateWS[v.Name]} {
			if at != "" {
				x.At = append(x.At, at)
			}
		}
		for _, in := range c.instruments() {
			if strings.HasPrefix(in, v.Name+":") {
				lim := l.Instruments.For(in)
				x.Instruments = append(x.Instruments, PlanInstrument{Instrument: in, MaxOrder: amount(lim.MaxOrder), MaxPosition: amount(lim.MaxPosition)})
			}
		}
		g.Venues = append(g.Venues, x)
	}
}

// listed fills in what the venue lists.
func (p *PlanInstrument) listed(a *Assembly) {
	in := a.Find(p.Instrument)
	p.Tick, p.Lot = string(fixed.AppendTrim(nil, int64(in.Tick), in.PriceScale)), string(fixed.AppendTrim(nil, int64(in.Lot), in.QtyScale))
	p.MinQty, p.MinNotional, p.Status = string(fixed.AppendTrim(nil, int64(in.MinQty), in.QtyScale)), cash(in.MinNotional), in.Status.String()
}

// askWithin bounds what a venue may take to answer all that a live start asks.
const askWithin = 30 * time.Second

// askVenues asks every venue, all at once, for its clock and the account, and for the balances where they are wanted. The
// error says why live trading may not begin, a line for each venue that it concerns.
func (g *goLive) askVenues(ctx context.Context, e Edges, balances bool) error {
	ctx, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	facts, err := venueListings(ctx, g.config, e)
	if err != nil {
		return err
	}
	a, err := Assemble(g.config, &Facts{Found: facts.Found})
	if err != nil {
		return err
	}
	for i := range g.Venues {
		for j := range g.Venues[i].Instruments {
			g.Venues[i].Instruments[j].listed(a)
		}
	}
	s, err := newOrderSide(&Trading{Assembly: a, Bell: ring.NewBell()}, &OrderOptions{Edges: e, Accounts: g.accounts})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	why := make([]error, len(g.Venues))
	for i := range g.Venues {
		v := &g.Venues[i]
		id := a.Venue(v.Venue, nil)
		wg.Go(func() {
			if v.Said, why[i] = g.ask(ctx, v, a, s.gateways[id]); why[i] == nil && balances {
				v.Said.Balances, why[i] = held(ctx, a, s.gateways[id], e.Clock)
			}
		})
	}
	wg.Wait()
	return errors.Join(why...)
}

// ask asks one venue.
func (g *goLive) ask(ctx context.Context, v *PlanVenue, a *Assembly, gw wire.Gateway) (*VenueSaid, error) {
	acc, err := gw.Check(ctx)
	said := &VenueSaid{ClockOffset: time.Duration(acc.Offset).String(), ClockWithin: time.Duration(acc.Within).String()}
	most := g.config.Limits.Venues.For(v.Venue).MaxClockOffset
	switch off := max(acc.Offset, -acc.Offset) - acc.Within; {
	case off > venue.Nanos(most):
		return said, fmt.Errorf("%s: its clock and ours differ by %s, and limits.venues of it allow max_clock_offset %s; set the clock of this machine by NTP",
			v.Venue, said.ClockOffset, time.Duration(most))
	case err != nil:
		return said, fmt.Errorf("%s: account %s cannot trade: %w", v.Venue, v.Account, err)
	case acc.Stated && !acc.Trade:
		return said, fmt.Errorf("%s: the key of account %s may not trade; permit it at the venue, or name another under venues.%s.account", v.Venue, v.Account, v.Venue)
	}
	if acc.Withdraw {
		said.Warnings = append(said.Warnings, "the key may withdraw, which trading does not need; make one that may not")
	}
	for i, in := range a.Of(a.Venue(v.Venue, nil)) {
		if f := acc.Fees[i]; f.Maker > in.Fees.Maker || f.Taker > in.Fees.Taker {
			said.Warnings = append(said.Warnings, fmt.Sprintf("%s: the account pays maker %s, taker %s, which is more than the config's fees; correct venues.%s.fees", in.Name, inBps(f.Maker), inBps(f.Taker), v.Venue))
		}
	}
	return said, nil
}

// held asks for the free balances of an account, by currency.
func held(ctx context.Context, a *Assembly, gw wire.Gateway, c *wire.Clock) (map[string]string, error) {
	var swept gathered
	err := gw.Sweep(ctx, c.Now(), &swept)
	free := map[string]string{}
	for i := range swept.all {
		if r := &swept.all[i]; r.Kind == venue.Balance {
			free[a.Currencies[r.FeeCcy]] = cash(fixed.Cash(r.Cum))
		}
	}
	return free, err
}

// inBps writes a rate in basis points.
func inBps(r fixed.Rate) string { return fixed.Decimal(r, fixed.RateScale-4).String() + "bps" }

func amount(m Money) string { return cash(fixed.Cash(m)) }

// text writes the plan for a person.
func (p *LivePlan) text(w io.Writer) {
	fmt.Fprintf(w, "LIVE: %s (sha256 %.12s), build %s (sha256 %.12s)\n", p.Config, p.Source, p.Build, p.Binary)
	fmt.Fprintf(w, "strategies: %s\n", spaced(p.Strategies))
	stopsText(w, p.Stops)
	for _, x := range p.Products {
		fmt.Fprintf(w, "product %s: %s\n", x.Product, spaced(x.Instruments))
	}
	fmt.Fprintf(w, "at most %s %s lost in a day, %s below the best, %s of exposure in all\n", p.MaxDailyLoss, p.Reporting, p.MaxDrawdown, p.MaxGross)
	fmt.Fprintf(w, "own orders found open: %s; balances that differ: %s\n", p.OpenOrders, p.Balances)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nVENUE\tACCOUNT\tMODE\tKEY sha256\tCLOCK OFFSET\tMAX GROSS %s\tMAX OPEN\tAT\n", p.Reporting)
	for i := range p.Venues {
		v, offset := &p.Venues[i], "not asked"
		if v.Said != nil {
			offset = v.Said.ClockOffset + " ± " + v.Said.ClockWithin
		}
		at := "its own addresses"
		if len(v.At) > 0 {
			at = spaced(v.At)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s…\t%s\t%s\t%d\t%s\n", v.Venue, v.Account, v.Mode, v.Key, offset, v.MaxGross, v.MaxOpen, at)
	}
	fmt.Fprintf(t, "\nINSTRUMENT\tMAX ORDER %s\tMAX POSITION %s\tSTATUS\tTICK\tLOT\tMIN QTY\tMIN NOTIONAL\n", p.Reporting, p.Reporting)
	for i := range p.Venues {
		for _, in := range p.Venues[i].Instruments {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", in.Instrument, in.MaxOrder, in.MaxPosition, dash(in.Status), dash(in.Tick), dash(in.Lot), dash(in.MinQty), dash(in.MinNotional))
		}
	}
	t.Flush()
	fmt.Fprintln(w)
	for i := range p.Venues {
		p.Venues[i].text(w)
	}
	fmt.Fprintln(w, p.Paper.text())
}

// text writes what the venue said, for a person.
func (v *PlanVenue) text(w io.Writer) {
	if v.Said == nil {
		return
	}
	if len(v.Said.Balances) > 0 {
		fmt.Fprintf(w, "%s holds free:", v.Venue)
		for _, ccy := range slices.Sorted(maps.Keys(v.Said.Balances)) {
			fmt.Fprintf(w, " %s %s", v.Said.Balances[ccy], ccy)
		}
		fmt.Fprintln(w)
	}
	for _, x := range v.Said.Warnings {
		fmt.Fprintf(w, "WARNING %s: %s\n", v.Venue, x)
	}
}
