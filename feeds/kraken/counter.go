package kraken

import (
	"fmt"

	"oneprice/books/venue"
)

// Tier is the account's verification level; it sets what the venue lets an account do (venues/kraken.md, section 5).
type Tier uint8

const (
	// Starter is the least that the venue gives and what an unknown account has.
	Starter Tier = iota
	Intermediate
	Pro
)

func (t Tier) String() string {
	if int(t) < len(tiers) {
		return tiers[t].name
	}
	return "tier_out_of_range"
}

// ParseTier reads a tier's name; "" is Starter.
func ParseTier(name string) (Tier, error) {
	for i := range tiers {
		if tiers[i].name == name || name == "" {
			return Tier(i), nil
		}
	}
	return 0, fmt.Errorf("kraken: %q is no tier; write starter, intermediate or pro", name)
}

// tiers are the venue's figures: the trading counter's threshold and its decay in hundredths per second, the REST
// counter's maximum and the seconds in which it empties.
var tiers = [...]struct {
	name             string
	threshold, decay int64
	rest             int64
	restSpan         venue.Nanos
}{
	{"starter", 60, 100, 15, 45 * venue.Second},
	{"intermediate", 125, 234, 20, 40 * venue.Second},
	{"pro", 180, 375, 20, 20 * venue.Second},
}

// penalty is what an action costs beyond its fixed price while the order is younger than an age.
type penalty struct {
	below venue.Nanos
	cost  int64
}

var (
	amendPenalty  = [...]penalty{{5 * venue.Second, 3}, {10 * venue.Second, 2}, {15 * venue.Second, 1}}
	cancelPenalty = [...]penalty{{5 * venue.Second, 8}, {10 * venue.Second, 6}, {15 * venue.Second, 5}, {45 * venue.Second, 4},
		{90 * venue.Second, 2}, {300 * venue.Second, 1}}
)

func penaltyAt(list []penalty, age venue.Nanos) int64 {
	for _, p := range list {
		if age < p.below {
			return p.cost
		}
	}
	return 0
}

// AddCost is the counts of a new order.
const AddCost = 1

// AmendCost and CancelCost are the counts of changing and of ending an order of an age.
func AmendCost(age venue.Nanos) int64  { return 1 + penaltyAt(amendPenalty[:], age) }
func CancelCost(age venue.Nanos) int64 { return penaltyAt(cancelPenalty[:], age) }

// count is one count of the venue in the Counter's unit: hundredths per second then decay by whole units per nanosecond.
const count = 100_000_000_000

// Counter is our copy of the venue's trading counter of one pair: it rises with each action and falls by itself. Pure in
// its arguments; one goroutine. The zero value refuses everything.
type Counter struct {
	level, max, decay int64
	at                venue.Nanos
}

// NewCounter makes an empty counter.
func NewCounter(t Tier) Counter {
	return Counter{max: tiers[t].threshold * count, decay: tiers[t].decay}
}

// fall lets the counter decay to an instant. An instant before the last one changes nothing.
func (c *Counter) fall(now venue.Nanos) {
	d := now - c.at
	if d <= 0 {
		return
	}
	c.at = now
	if int64(d) > c.level/max(c.decay, 1) { // so that the product below cannot overflow
		c.level = 0
		return
	}
	c.level -= int64(d) * c.decay
}

// Try spends cost counts if that leaves reserve counts below the threshold. False spends nothing.
func (c *Counter) Try(cost, reserve int64, now venue.Nanos) bool {
	c.fall(now)
	if c.level+(cost+reserve)*count > c.max {
		return false
	}
	c.level += cost * count
	return true
}

// Spend counts what is sent whether there is room or not.
func (c *Counter) Spend(cost int64, now venue.Nanos) {
	c.fall(now)
	c.level += cost * count
}

// Refund takes back what was counted for an instruction that did not leave.
func (c *Counter) Refund(cost int64) { c.level = max(0, c.level-cost*count) }

// Stated takes the venue's own figure, in hundredths of a count, as it was at an instant. It counts what other processes of
// the account spent. What we have sent since is not in it yet, so it raises the level and never lowers it: ours decays
// by itself.
func (c *Counter) Stated(hundredths int64, at, now venue.Nanos) {
	s := Counter{level: hundredths * (count / 100), decay: c.decay, at: at}
	s.fall(now)
	c.fall(now)
	c.level = max(c.level, s.level)
}

// Level is the counts spent at an instant, rounded up, and the threshold.
func (c *Counter) Level(now venue.Nanos) (used, threshold int64) {
	c.fall(now)
	return (c.level + count - 1) / count, c.max / count
}
