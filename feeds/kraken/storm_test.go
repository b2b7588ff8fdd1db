package kraken_test

import (
	"testing"
	"time"

	"oneprice/feeds/kraken"
	"oneprice/feeds/wire/wiretest"
)

func TestFeed_keepsTheBudgetOfConnectionsInAStorm(t *testing.T) {
	wiretest.Storm{Adapter: kraken.Adapter, Instruments: instruments(), Most: 150, Ours: 100, Span: 600 * time.Second, Proven: 2100 * time.Millisecond}.Test(t)
}
