package binancesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

const (
	maxStreams  = 1024
	inPerSecond = 5
)

// session serves one websocket: the streams of its URL and what it subscribes to. More than 5 messages a second end it.
func (s *Sim) session(c *venuesim.Conn, r *http.Request) {
	x := &subscriber{conn: c}
	for _, n := range append(strings.Split(r.URL.Query().Get("streams"), "/"), r.PathValue("name")) {
		if s.known(n) {
			x.add(n)
		}
	}
	s.mu.Lock()
	s.subs = append(s.subs, x)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.subs = slices.DeleteFunc(s.subs, func(y *subscriber) bool { return y == x })
		s.mu.Unlock()
	}()
	per := inPerSecond
	if s.cfg.Kind != Spot {
		per = 10
	}
	limit := wire.NewLimiter(s.cfg.Clock, int64(per), venue.Second)
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		if _, ok := limit.Try(1); !ok {
			return
		}
		c.Reply(s.control(x, m))
	}
}

// known reports whether a stream exists here. The venue acknowledges unknown ones and stays silent on them.
func (s *Sim) known(name string) bool {
	base, speed := splitSpeed(name)
	for _, p := range s.pairs {
		switch base {
		case p.stream("depth"):
			return speed == "" || speed == "100ms" || s.cfg.Kind != Spot && (speed == "0ms" || speed == "250ms" || speed == "500ms")
		case p.stream("bookTicker"), p.stream("trade"):
			return speed == ""
		}
	}
	return false
}

type request struct {
	Method string          `json:"method"`
	Params []string        `json:"params"`
	ID     json.RawMessage `json:"id"`
}

// control answers one control frame.
func (s *Sim) control(x *subscriber, m []byte) []byte {
	var q request
	if err := json.Unmarshal(m, &q); err != nil {
		return []byte(`{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}}`)
	}
	if len(q.ID) == 0 {
		q.ID = json.RawMessage("null")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch q.Method {
	case "SUBSCRIBE":
		if len(x.names)+len(q.Params) > maxStreams {
			return fmt.Appendf(nil, `{"error":{"code":2,"msg":"Invalid request: too many streams"},"id":%s}`, q.ID)
		}
		for _, n := range q.Params {
			if s.known(n) {
				x.add(n)
			}
		}
	case "UNSUBSCRIBE":
		for _, n := range q.Params {
			x.remove(n)
		}
	case "LIST_SUBSCRIPTIONS":
		text, err := json.Marshal(append([]string{}, x.names...))
		if err != nil {
			return fmt.Appendf(nil, `{"error":{"code":0,"msg":"internal"},"id":%s}`, q.ID)
		}
		return fmt.Appendf(nil, `{"result":%s,"id":%s}`, text, q.ID)
	default:
		return fmt.Appendf(nil, `{"error":{"code":2,"msg":"Invalid request: unknown variant %s"},"id":%s}`, strconv.Quote(q.Method), q.ID)
	}
	return fmt.Appendf(nil, `{"result":null,"id":%s}`, q.ID)
}

// depth answers the REST book within the venue's weights.
func (s *Sim) depth(w http.ResponseWriter, r *http.Request) {
	limit, weight := 100, int64(5)
	if l := r.URL.Query().Get("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 || n > 5000 {
			refuse(w, -1130, "Data sent for parameter 'limit' is not valid.")
			return
		}
		limit = n
	}
	switch {
	case limit > 1000:
		weight = 250
	case limit > 500:
		weight = 50
	case limit > 100:
		weight = 25
	}
	if wait, ok := s.weight.Try(weight); !ok {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(wait/venue.Second)+1, 10))
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"code":-1003,"msg":"Too much request weight used."}`)
		return
	}
	now := s.cfg.Clock.Now()
	stale := s.cfg.Faults.Strikes(venuesim.StaleSnapshot, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pairs {
		if p.Symbol != r.URL.Query().Get("symbol") {
			continue
		}
		body := p.snapshot(now, limit)
		if stale { // an old book from a cache: its id is before everything that a new connection buffers
			body = []byte(strings.Replace(string(body), quoteInt(p.id), quoteInt(p.id-100_000), 1))
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
		return
	}
	refuse(w, -1121, "Invalid symbol.")
}

func refuse(w http.ResponseWriter, code int, msg string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"code":%d,"msg":%q}`, code, msg)
}

// exchangeInfo lists the pairs with the filters that clients check.
func (s *Sim) exchangeInfo(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"timezone":"UTC","serverTime":%d,"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}],"symbols":[`, s.cfg.Clock.Now()/venue.Millisecond)
	for i, p := range s.pairs {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, `{"symbol":%q,"status":"TRADING","filters":[{"filterType":"PRICE_FILTER","minPrice":%q,"maxPrice":"1000000.00","tickSize":%q},{"filterType":"LOT_SIZE","minQty":%q,"maxQty":"9000.00","stepSize":%q}]}`,
			p.Symbol, ticks(int64(p.Tick), p.PriceScale), ticks(int64(p.Tick), p.PriceScale), ticks(int64(p.Lot), p.QtyScale), ticks(int64(p.Lot), p.QtyScale))
	}
	fmt.Fprint(w, `]}`)
}
