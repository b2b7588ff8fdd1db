package binancesim

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// NewReplay serves recordings of one of the venue's markets: the streams that a connection names in its URL, whatever their
// speed, as they were recorded, and the REST book of the instant.
func NewReplay(k Kind, cfg venuesim.ReplayConfig) (*venuesim.Replay, error) {
	ws, rest := routes(k)
	r, err := venuesim.NewReplay(cfg, venuesim.ReplayVenue{Sockets: []string{ws + "/stream"}, Wants: wants, Book: rest + "/depth", BookText: bookText(k)})
	if err != nil {
		return nil, fmt.Errorf("binancesim: %w", err)
	}
	return r, nil
}

// wants are the recorded messages, of combined streams, that a URL names.
func wants(r *http.Request) func([]byte) bool {
	named := map[string]bool{}
	for _, n := range strings.Split(r.URL.Query().Get("streams"), "/") {
		base, _ := splitSpeed(n)
		named[base] = true
	}
	return func(m []byte) bool {
		name, ok := bytes.CutPrefix(m, []byte(`{"stream":"`))
		if !ok {
			return false
		}
		name, _, _ = bytes.Cut(name, []byte(`"`))
		base, _ := splitSpeed(string(name))
		return named[base]
	}
}

// bookText prints a book as the market's REST does.
func bookText(k Kind) func(*books.Book, venue.Nanos, string) []byte {
	return func(b *books.Book, now venue.Nanos, limit string) []byte {
		most, err := strconv.Atoi(limit)
		if err != nil {
			most = 100
		}
		in := b.Instrument()
		m := fmt.Appendf(nil, `{"lastUpdateId":%d,`, b.Seq())
		if k != Spot {
			m = fmt.Appendf(m, `"E":%d,"T":%d,`, ms(now), ms(now))
		}
		if k == COINM {
			pair, _, _ := strings.Cut(in.Symbol, "_")
			m = fmt.Appendf(m, `"symbol":%q,"pair":%q,`, in.Symbol, pair)
		}
		for i, s := range []venue.Side{venue.Buy, venue.Sell} {
			m = append(m, [...]string{`"bids":[`, `],"asks":[`}[i]...)
			c := b.Rows(s)
			for n := 0; n < most && c.Next(); n++ {
				if n > 0 {
					m = append(m, ',')
				}
				m = fixed.Append(append(m, `["`...), int64(c.Price), in.PriceScale)
				m = fixed.Append(append(m, `","`...), int64(c.Qty), in.QtyScale)
				m = append(m, `"]`...)
			}
		}
		return append(m, `]}`...)
	}
}
