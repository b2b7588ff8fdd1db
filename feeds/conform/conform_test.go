package conform_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/feeds"
	"oneprice/feeds/conform"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

var (
	update = flag.Bool("update", false, "write the table into README.md")
	show   = flag.Bool("show", false, "print the table")
)

var venues = []*conform.Venue{&binanceSpot, &binanceUSDM, &coinbaseAdvanced, &krakenSpot}

// atOnce cards run side by side: most of them wait.
const atOnce = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestCards(t *testing.T) {
	var mu sync.Mutex
	cards := conform.Cards()
	table := conform.NewTable(venues)
	ran := t.Run("every", func(t *testing.T) {
		for _, c := range cards {
			for _, v := range venues {
				if c.Missing(v.Adapter) != "" {
					continue
				}
				t.Run(c.Name()+"/"+v.Adapter.Name, func(t *testing.T) {
					if !c.Solo {
						t.Parallel()
					}
					t.Cleanup(func() {
						mu.Lock()
						defer mu.Unlock()
						table.Result(&c, v, t.Failed())
					})
					c.Test(t, v)
				})
			}
		}
	})
	if flag.Lookup("test.run").Value.String() != "" && flag.Lookup("test.run").Value.String() != "TestCards" {
		return // not every card ran
	}
	if *show {
		fmt.Print(table.Text())
	}
	if !ran {
		return
	}
	const name = "README.md"
	doc, err := os.ReadFile(name)
	require.NoError(t, err)
	now, err := table.Into(string(doc))
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(now), 0o644))
		return
	}
	require.Equal(t, string(doc), now, "README.md is out of date: make conform-readme")
}

func TestCards_haveNumbersOfTheirOwn(t *testing.T) {
	last := 0
	for _, c := range conform.Cards() {
		require.Greater(t, c.Number, last)
		last = c.Number
	}
}

func TestCards_coverEveryAdapterThatTrades(t *testing.T) {
	for _, a := range feeds.Adapters() {
		require.Equal(t, a.Gateway != nil, slices.ContainsFunc(venues, func(v *conform.Venue) bool { return v.Adapter == a }), a.Name)
		require.Equal(t, a.SBE, a.Lacks[wire.BinaryFeed] == "", a.Name)
		for c, why := range a.Lacks {
			require.Less(t, c, wire.Capabilities)
			require.NotEmpty(t, why, "%s of %s", c, a.Name)
		}
	}
}

// pairs are a venue's two.
func pairs(btc, eth string, p venuesim.PairConfig) []venuesim.PairConfig {
	q := p
	p.Symbol, q.Symbol = btc, eth
	return []venuesim.PairConfig{p, q}
}

// cash is an amount at 10^-8, rounded down.
func cash(d decimal.Decimal) fixed.Cash {
	return fixed.Cash(d.Shift(fixed.CashScale).Floor().IntPart())
}

// do sends a request that the venue must take, and returns its answer.
func do(tb testing.TB, req *http.Request) []byte {
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	require.Equal(tb, http.StatusOK, resp.StatusCode, "%s", body)
	return body
}
