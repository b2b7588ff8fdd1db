package binance_test

import (
	"testing"
	"time"

	"oneprice/feeds/wire/wiretest"
)

func TestFeed_keepsTheBudgetOfConnectionsInAStorm(t *testing.T) {
	for name, m := range map[string]market{"spot": spot, "usdm": usdm, "coinm": coinm} {
		t.Run(name, func(t *testing.T) {
			wiretest.Storm{Adapter: m.adapter, Instruments: m.instruments(), Most: 300, Ours: 200, Span: 300 * time.Second, Proven: 10100 * time.Millisecond}.Test(t)
		})
	}
}
