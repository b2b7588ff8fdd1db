package coinbase_test

import (
	"testing"
	"time"

	"oneprice/feeds/coinbase"
	"oneprice/feeds/wire/wiretest"
)

func TestFeed_keepsTheBudgetOfConnectionsInAStorm(t *testing.T) {
	wiretest.Storm{Adapter: coinbase.Adapter, Instruments: instruments(), Most: 8, Ours: 5, Span: 1200 * time.Millisecond, Proven: 2100 * time.Millisecond}.Test(t)
}
