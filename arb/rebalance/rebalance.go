// Package rebalance brings holdings back to target weights: of assets over all venues together, and of an asset's inventory
// between venues, by trades alone (sell here, buy there). It plans at the live books what that costs, and a Trader works a
// confirmed plan off through the gate.
//
// Ownership: Make reads a Desk on whatever goroutine owns it, and allocates; it is for a session that does nothing else. A
// Trader belongs to the engine goroutine.
//
// Decisions
//   - 2026-11-25: everything is valued at the middle of the rates into the reporting currency, before and after alike, so that
//     the cost of a plan is what its trades lose of that value: spread, depth, fees, and the basis between venues. A trade at
//     better than the middle does not count below its fee: to rebalance is not to arbitrage.
//   - 2026-11-25: the search moves up to four trades at once by equal values, from half of everything down to single lots,
//     first toward the bands and then to less cost. Moves of two and four are what networks of assets and venues need: an
//     asset elsewhere, or two exchanged between venues. Rejected: a linear program, whose answer is not in lots, has no
//     minimums and would need floats or fractions; the test against an exhaustive search is the proof.
//   - 2026-11-25: a band that cannot be reached (too small for a lot, too little cash, no market) is left as near as the
//     search comes, and the plan says so.
package rebalance

import (
	"fmt"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Asset is what is held for a reason of its own: a coin, or all that counts as cash.
type Asset struct {
	Name string
	Ccys []venue.Ccy
	// Weight is its share of everything, and must stay within Band of it.
	Weight, Band fixed.Rate
	// Venues are where it should lie, as shares of itself. A venue that is not named may hold any.
	Venues []Share
}

// Share of an asset at a venue.
type Share struct {
	Venue        venue.ID
	Weight, Band fixed.Rate
}

// Config is what to bring holdings to.
type Config struct {
	Assets []Asset
	// Slip is how far beyond the worst price walked the limit of a trade lies.
	Slip fixed.Rate
	// Depth is how many times what the book shows a trade may be: books fill again while it is worked off. What the book does
	// not show counts at its worst price.
	Depth int64
	// Aim is the share of each band that trades must reach, so that a move of the market while they are worked off does not
	// carry an asset out again; 0 takes all of it. Where everything is inside of its whole band, nothing is traded.
	Aim fixed.Rate
	// Currencies are their names, for what Missing says.
	Currencies []string
}

// Trade is one order of a plan.
type Trade struct {
	Inst  venue.Inst
	Side  venue.Side
	Qty   fixed.Qty
	Limit fixed.Price
	// Value is what it moves, Fee its fee at the taker's rate, and Cost all that it loses of the value of everything, fee
	// included, in the reporting currency. A negative cost is a gain.
	Value, Fee, Cost fixed.Cash
}

// Holding is where an asset stands, in all or at one venue (Venue 0: in all).
type Holding struct {
	Asset         int
	Venue         venue.ID
	Weight, Band  fixed.Rate // its target
	Before, After fixed.Rate
	Value         fixed.Cash // after
}

// Plan is what Make found.
type Plan struct {
	Trades   []Trade
	Holdings []Holding
	// Total is the value of everything before, Cost what the trades lose of it.
	Total, Cost fixed.Cash
	// Inside reports whether everything is within its band after the trades.
	Inside bool
}

// Make plans at the books, rates and balances of a desk. The error says what is missing to plan at all: a book that is not
// Live, or a rate.
func Make(cfg *Config, d *desk.Desk) (*Plan, error) { return makePlan(cfg, d, nil) }

// makePlan is Make with the balances given, where they are not the desk's.
func makePlan(cfg *Config, d *desk.Desk, held [][]fixed.Cash) (*Plan, error) {
	s, err := newSearch(cfg, d, held)
	if err != nil {
		return nil, err
	}
	before := s.holdings(nil)
	if s.best.gap > 0 {
		s.run()
	}
	p := &Plan{Total: s.total, Inside: s.best.gap == 0}
	for i := range s.markets {
		m := &s.markets[i]
		if m.at == 0 {
			continue
		}
		t, ok := m.trade(s)
		if !ok {
			return nil, fmt.Errorf("rebalance: a trade of %s cannot be counted", m.in.Name)
		}
		p.Trades = append(p.Trades, t)
		p.Cost += t.Cost
	}
	p.Holdings = s.holdings(before)
	return p, nil
}

// Missing names what Make would lack: books that are not Live and rates that are not there. Nothing is missing when empty.
func Missing(cfg *Config, d *desk.Desk) (why []string) {
	owner := owners(cfg, d)
	for c := range owner {
		if owner[c] >= 0 && d.FX[c].Bid <= 0 {
			why = append(why, fmt.Sprintf("nothing has said yet what %s is worth", cfg.currency(c)))
		}
	}
	for _, in := range d.Instruments[1:] {
		if trades(in, owner) && d.Books[in.Inst].State() != books.Live {
			why = append(why, fmt.Sprintf("the book of %s is %s", in.Name, d.Books[in.Inst].State()))
		}
	}
	return why
}

func (c *Config) currency(i int) string {
	if i < len(c.Currencies) {
		return c.Currencies[i]
	}
	return fmt.Sprintf("currency %d", i)
}

// owners is the asset of each currency, -1 for none.
func owners(cfg *Config, d *desk.Desk) []int {
	owner := make([]int, len(d.FX))
	for c := range owner {
		owner[c] = -1
	}
	for a := range cfg.Assets {
		for _, c := range cfg.Assets[a].Ccys {
			owner[c] = a
		}
	}
	return owner
}

// trades reports whether an instrument exchanges two currencies of the portfolio.
func trades(in *venue.Instrument, owner []int) bool {
	return in.Kind == venue.Spot && in.Contract == venue.Linear && in.Status == venue.Trading && owner[in.Base] >= 0 && owner[in.Quote] >= 0
}
