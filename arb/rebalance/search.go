package rebalance

import (
	"fmt"
	"math"
	"strings"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// search looks for the trades.
type search struct {
	cfg     *Config
	d       *desk.Desk
	opening [][]fixed.Cash // by venue and currency
	owner   []int          // by currency
	markets []market
	held    [][]fixed.Cash // by venue and currency, as the trades leave it
	worth   []fixed.Rate   // by currency
	total   fixed.Cash     // before
	best    score
	aim     fixed.Rate   // share of the bands that counts now
	sums    []fixed.Cash // scratch of score: assets, then assets by venue
}

// score of a plan: how much value lies outside its bands or is spent without being there, then what the trades cost.
type score struct{ gap, cost fixed.Cash }

func (a score) less(b score) bool { return a.gap < b.gap || a.gap == b.gap && a.cost < b.cost }

// maxLegs is how many trades one move changes; with many markets two must do.
const (
	maxLegs     = 4
	manyMarkets = 24
)

func newSearch(cfg *Config, d *desk.Desk, held [][]fixed.Cash) (*search, error) {
	if held == nil {
		held = d.Balances
	}
	if why := Missing(cfg, d); len(why) > 0 {
		return nil, fmt.Errorf("rebalance: %s", strings.Join(why, "; "))
	}
	s := &search{cfg: cfg, d: d, opening: held, owner: owners(cfg, d), held: make([][]fixed.Cash, len(d.Balances)), worth: make([]fixed.Rate, len(d.FX)),
		sums: make([]fixed.Cash, len(cfg.Assets)*(1+len(d.Balances)))}
	for c := range s.worth {
		if s.owner[c] >= 0 {
			s.worth[c] = middle(&d.FX[c])
		}
	}
	for v := range s.held {
		s.held[v] = append([]fixed.Cash(nil), held[v]...)
		for c, n := range s.held[v] {
			if s.owner[c] < 0 {
				continue
			}
			x, ok := s.worth[c].Apply(n, fixed.Down)
			sum, fits := fixed.Add(s.total, x)
			if !ok || !fits {
				return nil, fmt.Errorf("rebalance: the balance of %s at venue %d cannot be counted", cfg.currency(c), v)
			}
			s.total = sum
		}
	}
	for _, in := range d.Instruments[1:] {
		if !trades(in, s.owner) {
			continue
		}
		if m, ok := newMarket(in, d, max(cfg.Depth, 1)); ok {
			s.markets = append(s.markets, m)
		}
	}
	s.aim = fixed.One
	s.best = s.score()
	return s, nil
}

// run searches from large steps down to single lots.
func (s *search) run() {
	if s.cfg.Aim > 0 {
		s.aim = s.cfg.Aim
		s.best = s.score()
		defer func() {
			s.aim = fixed.One
			s.best = s.score()
		}()
	}
	for before := (score{gap: math.MaxInt64}); s.best.less(before); {
		before = s.best
		for step := s.total / 2; step > 0; step /= 2 {
			for s.improve(step) {
			}
		}
		s.polish()
	}
}

// polish tries every combination of a few lots around the trades found, where they can be counted: lots so coarse that
// every one matters leave a search by moves short of the best.
func (s *search) polish() {
	n := len(s.markets)
	reach := int64(0)
	for fits(2*reach+3, n) {
		reach++
	}
	if reach == 0 {
		return
	}
	best := make([]int64, n)
	for i := range s.markets {
		best[i] = s.markets[i].at
	}
	s.box(0, reach, best)
	for i, lots := range best {
		s.set(i, lots)
	}
}

// combinations bounds what polish tries.
const combinations = 30_000

// fits reports whether so many choices in n markets are at most combinations.
func fits(choices int64, n int) bool {
	all := int64(1)
	for range n {
		if all *= choices; all > combinations {
			return false
		}
	}
	return n > 0
}

// box tries the markets from i on within reach of where they stand, and keeps the best of all in best.
func (s *search) box(i int, reach int64, best []int64) {
	if i == len(s.markets) {
		if now := s.score(); now.less(s.best) {
			s.best = now
			for k := range s.markets {
				best[k] = s.markets[k].at
			}
		}
		return
	}
	was := s.markets[i].at
	for lots := was - reach; lots <= was+reach; lots++ {
		if to, ok := s.markets[i].near(lots, lots); ok && to == lots && s.set(i, to) {
			s.box(i+1, reach, best)
		}
	}
	s.set(i, was)
}

// improve makes the best move of the fewest trades by a step; false when none is better.
func (s *search) improve(step fixed.Cash) bool {
	most := maxLegs
	if len(s.markets) > manyMarkets {
		most = 2
	}
	for legs := 1; legs <= most; legs++ {
		var found, at [maxLegs]move
		before := s.best
		if s.walk(legs, 0, step, at[:0], &found) {
			for _, m := range found[:legs] {
				s.set(m.market, m.to)
			}
			return s.best.less(before)
		}
	}
	return false
}

// move is a market's new number of lots.
type move struct {
	market int
	to     int64
}

// walk tries every combination of moves of legs markets from the given one on, and keeps the best in found.
func (s *search) walk(legs, from int, step fixed.Cash, made []move, found *[maxLegs]move) bool {
	if legs == 0 {
		now := s.score()
		if !now.less(s.best) {
			return false
		}
		s.best = now
		copy(found[:], made)
		return true
	}
	any := false
	for i := from; i <= len(s.markets)-legs; i++ {
		m := &s.markets[i]
		was, by := m.at, max(int64(step/m.lot), 1)
		for _, want := range [3]int64{was + by, was - by, 0} {
			to, ok := m.near(want, was)
			if !ok || to == was || !s.set(i, to) {
				continue
			}
			any = s.walk(legs-1, i+1, step, append(made, move{i, to}), found) || any
			s.set(i, was)
		}
	}
	return any
}

// set changes how much is traded in one market; false, with nothing changed, when that cannot be counted.
func (s *search) set(i int, lots int64) bool {
	m := &s.markets[i]
	e, ok := m.does(lots)
	if !ok {
		return false
	}
	held := s.held[m.in.Venue]
	held[m.in.Base] += e.base - m.now.base
	held[m.in.Quote] += e.quote - m.now.quote
	m.at, m.now = lots, e
	return true
}

// score judges what is held now.
func (s *search) score() (x score) {
	for i := range s.markets {
		x.cost += s.markets[i].now.cost
	}
	total := s.count()
	for v := range s.held {
		for c, n := range s.held[v] {
			if n < 0 && n < s.opening[v][c] { // spent without being there
				lack, _ := s.worth[c].Apply(-n, fixed.Up)
				x.gap += lack
			}
		}
	}
	for a := range s.cfg.Assets {
		as := &s.cfg.Assets[a]
		x.gap += outside(s.sums[a], total, as.Weight, s.band(as.Band))
		for _, sh := range as.Venues {
			x.gap += outside(s.at(a, sh.Venue), s.sums[a], sh.Weight, s.band(sh.Band))
		}
	}
	return x
}

// count sums assets, in all and by venue, and returns the total.
func (s *search) count() (total fixed.Cash) {
	clear(s.sums)
	for v := range s.held {
		for c, n := range s.held[v] {
			a := s.owner[c]
			if a < 0 || n == 0 {
				continue
			}
			x, _ := s.worth[c].Apply(n, fixed.Down) // bounded: see newSearch
			s.sums[a] += x
			s.sums[len(s.cfg.Assets)*(1+v)+a] += x
			total += x
		}
	}
	return total
}

func (s *search) at(a int, v venue.ID) fixed.Cash { return s.sums[len(s.cfg.Assets)*(1+int(v))+a] }

// band is what counts of a band now.
func (s *search) band(b fixed.Rate) fixed.Rate {
	v, _ := fixed.MulDiv(int64(b), int64(s.aim), int64(fixed.One), fixed.Down) // no more than b
	return fixed.Rate(v)
}

// outside is how much of a whole lies beyond the band of a part.
func outside(part, whole fixed.Cash, weight, band fixed.Rate) fixed.Cash {
	low, ok1 := max(weight-band, 0).Apply(whole, fixed.Up)
	high, ok2 := min(weight+band, fixed.One).Apply(whole, fixed.Down)
	if !ok1 || !ok2 {
		return math.MaxInt64 / 1024
	}
	return max(low-part, part-high, 0)
}

// holdings is where everything stands now; before, where not nil, is where it stood.
func (s *search) holdings(before []Holding) []Holding {
	total := s.count()
	var out []Holding
	add := func(h Holding, part, whole fixed.Cash) {
		v, _ := fixed.MulDiv(int64(part), int64(fixed.One), int64(max(whole, 1)), fixed.HalfEven)
		h.Value, h.After = part, fixed.Rate(v)
		if h.Before = h.After; before != nil {
			h.Before = before[len(out)].After
		}
		out = append(out, h)
	}
	for a := range s.cfg.Assets {
		as := &s.cfg.Assets[a]
		add(Holding{Asset: a, Weight: as.Weight, Band: as.Band}, s.sums[a], total)
		for _, sh := range as.Venues {
			add(Holding{Asset: a, Venue: sh.Venue, Weight: sh.Weight, Band: sh.Band}, s.at(a, sh.Venue), s.sums[a])
		}
	}
	return out
}
