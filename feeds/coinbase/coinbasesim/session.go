package coinbasesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// subscriber is one connection and what it asked for; flags are by product.
type subscriber struct {
	conn                   *venuesim.Conn
	serial, next           uint64 // the connection's place among all, and its next sequence_num
	opened                 venue.Nanos
	books, trades, tickers []bool
	statuses               []bool
	beats, subscribed      bool
	account                *account // whose orders it follows
	kept                   []byte   // a report that ReorderReport holds back, since
	keptAt                 venue.Nanos
}

// send sends one event to a subscriber through the faults.
func (x *subscriber) send(channel string, now venue.Nanos, event []byte) {
	x.conn.Send(x.envelope(channel, now, event), nil)
}

func (x *subscriber) envelope(channel string, now venue.Nanos, event []byte) []byte {
	m := make([]byte, 0, len(event)+128)
	m = fmt.Appendf(m, `{"channel":%q,"timestamp":%q,"sequence_num":%d,"events":[`, channel, stamp(now), x.next)
	x.next++
	return append(append(m, event...), `]}`...)
}

// session serves one websocket.
func (s *Sim) session(c *venuesim.Conn, _ *http.Request) {
	if _, ok := s.connections.Try(1); !ok {
		s.count.Connections.Add(1)
		return
	}
	n := len(s.products)
	x := &subscriber{conn: c, opened: s.cfg.Clock.Now(), books: make([]bool, n), trades: make([]bool, n), tickers: make([]bool, n), statuses: make([]bool, n)}
	s.mu.Lock()
	s.serial++
	x.serial = s.serial
	s.subs = append(s.subs, x)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.subs = slices.DeleteFunc(s.subs, func(y *subscriber) bool { return y == x })
		s.mu.Unlock()
	}()
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		why := "rate limit exceeded"
		if _, ok := s.messages.Try(1); ok {
			why = s.control(x, m)
		} else {
			s.count.Messages.Add(1)
		}
		if why != "" {
			c.Reply(fmt.Appendf(nil, `{"type":"error","message":%q}`, why))
		}
	}
}

type request struct {
	Type     string   `json:"type"`
	Channel  string   `json:"channel"`
	Products []string `json:"product_ids"`
	JWT      string   `json:"jwt"`
}

// control obeys one message, or says why not.
func (s *Sim) control(x *subscriber, m []byte) (why string) {
	var q request
	if err := json.Unmarshal(m, &q); err != nil {
		return "failed to parse message"
	}
	if q.Type != "subscribe" && q.Type != "unsubscribe" {
		return fmt.Sprintf("unknown message type %s", q.Type)
	}
	on := q.Type == "subscribe"
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	if q.Channel == "heartbeats" {
		x.beats = on
		return s.subscribed(x, now)
	}
	if q.Channel == "user" {
		return s.user(x, q, on, now)
	}
	flags := map[string][]bool{"level2": x.books, "market_trades": x.trades, "ticker": x.tickers, "status": x.statuses}[q.Channel]
	if flags == nil {
		return fmt.Sprintf("channel %s is not supported", q.Channel)
	}
	which, why := s.which(q, on)
	if why != "" {
		return why
	}
	if on && q.Channel == "level2" && held(x.books, which) > mostBooks {
		return "too many L2 streams requested in a single session"
	}
	for _, i := range which {
		fresh := on && !flags[i]
		flags[i] = on
		if fresh {
			s.first(x, q.Channel, i, now)
		}
	}
	return s.subscribed(x, now)
}

// which are the products that a request names; an unsubscribe that names none means all.
func (s *Sim) which(q request, on bool) (which []int, why string) {
	if len(q.Products) == 0 {
		if on {
			return nil, "product_ids required"
		}
		for i := range s.products {
			which = append(which, i)
		}
		return which, ""
	}
	for _, id := range q.Products {
		i := slices.IndexFunc(s.products, func(p *product) bool { return p.Symbol == id })
		if i < 0 {
			return nil, fmt.Sprintf("%s is not a valid product", id)
		}
		which = append(which, i)
	}
	return which, ""
}

// held is how many books there would be with more.
func held(books []bool, more []int) int {
	n := 0
	for i, on := range books {
		if on || slices.Contains(more, i) {
			n++
		}
	}
	return n
}

// first sends what a new subscription begins with.
func (s *Sim) first(x *subscriber, channel string, i int, now venue.Nanos) {
	p := s.products[i]
	switch channel {
	case "level2":
		if !p.frozen {
			p.remember(x.serial, x.next)
			x.send("l2_data", now, p.snapshot())
		}
	case "market_trades":
		x.send(channel, now, tradeEvent("snapshot", p.history))
	case "ticker":
		x.send(channel, now, p.ticker("snapshot"))
	case "status":
		x.send(channel, now, s.statuses("snapshot", []int{i}))
	}
}

// subscribed answers with everything that the connection follows now. The answer is numbered like all messages.
func (s *Sim) subscribed(x *subscriber, now venue.Nanos) string {
	x.subscribed = true
	m := []byte(`{"subscriptions":{`)
	list := func(channel string, names []string) {
		if len(names) == 0 {
			return
		}
		if m[len(m)-1] == ']' {
			m = append(m, ',')
		}
		m = fmt.Appendf(m, `%q:["%s"]`, channel, strings.Join(names, `","`))
	}
	if x.beats {
		list("heartbeats", []string{"heartbeats"})
	}
	if x.account != nil {
		list("user", []string{x.account.Key})
	}
	list("level2", s.names(x.books))
	list("market_trades", s.names(x.trades))
	list("ticker", s.names(x.tickers))
	list("status", s.names(x.statuses))
	x.conn.Reply(x.envelope("subscriptions", now, append(m, `}}`...)))
	return ""
}

func (s *Sim) names(flags []bool) (out []string) {
	for i, on := range flags {
		if on {
			out = append(out, s.products[i].Symbol)
		}
	}
	return out
}

// list answers the public product list.
func (s *Sim) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	m := s.productList()
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Write(m) // a client that has gone is no business of the venue
}

// productList is the list of products. Under mu.
func (s *Sim) productList() []byte {
	m := []byte(`{"products":[`)
	for i, p := range s.products {
		base, quote, _ := strings.Cut(p.Symbol, "-")
		if i > 0 {
			m = append(m, ',')
		}
		tick, lot := fixed.Append(nil, int64(p.Tick), p.PriceScale), fixed.Append(nil, int64(p.Lot), p.QtyScale)
		m = fmt.Appendf(m, `{"product_id":%q,"price":"%s","base_increment":"%s","quote_increment":"%s","price_increment":"%s","quote_min_size":"1","quote_max_size":"150000000",`,
			p.Symbol, fixed.Append(nil, int64(p.last), p.PriceScale), lot, tick, tick)
		m = fmt.Appendf(m, `"base_min_size":"%s","base_max_size":"3400","is_disabled":false,"status":%q,"cancel_only":%t,"limit_only":%t,"post_only":%t,`,
			lot, p.word(), p.Status == venue.CancelOnly, p.Status == venue.LimitOnly, p.Status == venue.PostOnlyMode)
		m = fmt.Appendf(m, `"trading_disabled":%t,"auction_mode":false,"view_only":false,"product_type":"SPOT","base_currency_id":%q,"quote_currency_id":%q,"alias":"","alias_to":[]}`,
			p.Status == venue.Halted, base, quote)
	}
	return fmt.Appendf(m, `],"num_products":%d}`, len(s.products))
}

// word is the product's status, of which the flags of the product list say more.
func (p *product) word() string {
	if p.Status == venue.Unlisted {
		return "delisted"
	}
	return "online"
}

// statuses is an event of the status channel about some products: it has no flags and no price increment.
func (s *Sim) statuses(kind string, which []int) []byte {
	m := fmt.Appendf(nil, `{"type":%q,"products":[`, kind)
	for n, i := range which {
		p := s.products[i]
		base, quote, _ := strings.Cut(p.Symbol, "-")
		if n > 0 {
			m = append(m, ',')
		}
		tick, lot := fixed.Append(nil, int64(p.Tick), p.PriceScale), fixed.Append(nil, int64(p.Lot), p.QtyScale)
		m = fmt.Appendf(m, `{"product_type":"SPOT","id":%q,"base_currency":%q,"quote_currency":%q,"base_increment":"%s","quote_increment":"%s","display_name":"%s/%s",`,
			p.Symbol, base, quote, lot, tick, base, quote)
		m = fmt.Appendf(m, `"status":%q,"status_message":%q,"min_market_funds":"1"}`, p.word(), p.Status)
	}
	return append(m, `]}`...)
}

// listed tells the subscribers of the status channel what holds now of a product.
func (s *Sim) listed(i int, now venue.Nanos) {
	for _, x := range s.subs {
		if x.statuses[i] {
			x.send("status", now, s.statuses("update", []int{i}))
		}
	}
}

// Change changes the status or the grid of a product, as Pairs' Changes do at their times. It reports whether the symbol is
// known.
func (s *Sim) Change(symbol string, c venuesim.Change) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.products, func(p *product) bool { return p.Symbol == symbol })
	if i < 0 {
		return false
	}
	s.products[i].Change(c)
	s.listed(i, s.cfg.Clock.Now())
	return true
}

// tooMany is the venue's answer to too many requests.
func tooMany(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTooManyRequests)
	fmt.Fprint(w, `{"error":"rate_limit_exceeded","error_details":"","message":"rate limit exceeded"}`)
}
