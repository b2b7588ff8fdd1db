package krakensim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// trigger says when a ticker is wanted.
type trigger uint8

const (
	never trigger = iota
	onTrade
	onTouch
)

// subscriber is one connection and what it asked for, by pair.
type subscriber struct {
	conn    *venuesim.Conn
	serial  uint64
	last    venue.Nanos // when something was sent
	books   []int       // depth, 0 when not subscribed
	count   []uint64    // book messages that reached it
	trades  []bool
	tickers []trigger
	status  bool // the instrument channel
}

// any reports whether anything is subscribed: only then there are heartbeats.
func (x *subscriber) any() bool {
	on := x.status
	for i := range x.books {
		on = on || x.books[i] > 0 || x.trades[i] || x.tickers[i] != never
	}
	return on
}

// send sends market data through the faults; corrupted makes what BadChecksum sends.
func (x *subscriber) send(m []byte, now venue.Nanos, corrupted func([]byte) []byte) {
	x.last = now
	x.conn.Send(m, corrupted)
}

func (x *subscriber) reply(m []byte, now venue.Nanos) {
	x.last = now
	x.conn.Reply(m)
}

// session serves one websocket.
func (s *Sim) session(c *venuesim.Conn, _ *http.Request) {
	if _, ok := s.connections.Try(1); !ok {
		s.count.Connections.Add(1)
		s.connections.Close(connectSpan) // the ban
		return
	}
	n := len(s.pairs)
	x := &subscriber{conn: c, books: make([]int, n), count: make([]uint64, n), trades: make([]bool, n), tickers: make([]trigger, n)}
	c.Delivered = func(m []byte) { s.delivered(x, m) }
	s.mu.Lock()
	s.serial++
	x.serial = s.serial
	s.subs = append(s.subs, x)
	now := s.cfg.Clock.Now()
	x.reply(fmt.Appendf(nil, `{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":%d}]}`, 1e18+x.serial), now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.subs = slices.DeleteFunc(s.subs, func(y *subscriber) bool { return y == x })
		s.mu.Unlock()
	}()
	limit := wire.NewLimiter(s.cfg.Clock, mostMessages, venue.Second)
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		in := s.cfg.Clock.Now()
		s.mu.Lock()
		if _, ok := limit.Try(1); ok {
			s.control(x, m, in)
		} else {
			s.count.Messages.Add(1)
			s.refuse(x, &request{}, "", "Exceeded msg rate", in)
		}
		s.mu.Unlock()
	}
}

// delivered counts the book messages that reach a subscriber. It runs inside send, under the simulator's mutex.
func (s *Sim) delivered(x *subscriber, m []byte) {
	if !bytes.HasPrefix(m, []byte(`{"channel":"book"`)) {
		return
	}
	crc, _, _, ok := checksumOf(m)
	if !ok {
		return // garbled: a client cannot count it
	}
	for i, p := range s.pairs {
		if bytes.Contains(m, []byte(`"symbol":"`+p.Symbol+`"`)) {
			x.count[i]++
			p.reach(x.serial, x.count[i], crc)
			return
		}
	}
}

type request struct {
	Method string `json:"method"`
	Params struct {
		Channel  string   `json:"channel"`
		Symbols  []string `json:"symbol"`
		Depth    *int     `json:"depth"`
		Snapshot *bool    `json:"snapshot"`
		Trigger  string   `json:"event_trigger"`
	} `json:"params"`
	ID *uint64 `json:"req_id"`
}

// depth is what the request asks for, or the venue's default.
func (q *request) depth() int {
	if q.Params.Depth == nil {
		return defaultDepth
	}
	return *q.Params.Depth
}

// snapshot reports whether the subscription begins with the present state; it does unless told otherwise.
func (q *request) snapshot() bool { return q.Params.Snapshot == nil || *q.Params.Snapshot }

// control obeys one message; there is one answer per symbol.
func (s *Sim) control(x *subscriber, m []byte, in venue.Nanos) {
	var q request
	if err := json.Unmarshal(m, &q); err != nil {
		s.refuse(x, &q, "", "Malformed request", in)
		return
	}
	switch q.Method {
	case "ping":
		x.reply(s.answer(&q, "pong", "", in), in)
	case "subscribe", "unsubscribe":
		s.subscribe(x, &q, in)
	default:
		s.refuse(x, &q, "", "Unsupported method", in)
	}
}

func (s *Sim) subscribe(x *subscriber, q *request, in venue.Nanos) {
	on, channel := q.Method == "subscribe", q.Params.Channel
	switch {
	case channel == "instrument":
		x.status = on
		x.reply(s.answer(q, q.Method, fmt.Sprintf(`,"result":{"channel":"instrument","snapshot":%t},"success":true`, q.snapshot()), in), in)
		if on && q.snapshot() {
			x.reply(s.instruments("snapshot"), in)
		}
		return
	case channel != "book" && channel != "trade" && channel != "ticker":
		s.refuse(x, q, "", "Subscription name invalid", in)
		return
	case channel == "book" && !slices.Contains(depths, q.depth()):
		s.refuse(x, q, "", "Subscription depth not supported", in)
		return
	case len(q.Params.Symbols) == 0:
		s.refuse(x, q, "", "Symbol(s) not found", in)
		return
	}
	for _, symbol := range q.Params.Symbols {
		i := slices.IndexFunc(s.pairs, func(p *pair) bool { return p.Symbol == symbol })
		if i < 0 {
			s.refuse(x, q, symbol, "Currency pair not supported "+symbol, in)
			continue
		}
		if why := x.set(q, i, on); why != "" {
			s.refuse(x, q, symbol, why, in)
			continue
		}
		more := ""
		if channel == "book" {
			more = fmt.Sprintf(`"depth":%d,`, q.depth())
		}
		x.reply(s.answer(q, q.Method, fmt.Sprintf(`,"result":{"channel":%q,%s"snapshot":%t,"symbol":%q},"success":true`, channel, more, q.snapshot(), symbol), in), in)
		if on && q.snapshot() {
			s.first(x, q, i, in)
		}
	}
}

// set notes a subscription or its end; why is the venue's refusal.
func (x *subscriber) set(q *request, i int, on bool) (why string) {
	held := map[string]bool{"book": x.books[i] > 0, "trade": x.trades[i], "ticker": x.tickers[i] != never}[q.Params.Channel]
	switch {
	case on && held:
		return "Already subscribed"
	case !on && (!held || q.Params.Channel == "book" && x.books[i] != q.depth()):
		return "Subscription Not Found"
	}
	switch q.Params.Channel {
	case "book":
		x.books[i] = 0
		if on {
			x.books[i] = q.depth()
		}
	case "trade":
		x.trades[i] = on
	case "ticker":
		x.tickers[i] = never
		if on && q.Params.Trigger == "bbo" {
			x.tickers[i] = onTouch
		} else if on {
			x.tickers[i] = onTrade
		}
	}
	return ""
}

// first sends what a new subscription begins with.
func (s *Sim) first(x *subscriber, q *request, i int, now venue.Nanos) {
	p := s.pairs[i]
	switch q.Params.Channel {
	case "book":
		if p.frozen {
			return
		}
		if !slices.ContainsFunc(s.subs, func(y *subscriber) bool { return y != x && y.books[i] == q.depth() }) {
			p.refresh(q.depth()) // others of this depth would miss what is not yet told
		}
		x.send(p.snapshot(q.depth(), now), now, corrupt)
	case "trade":
		x.send(p.tradeMessage("snapshot", p.history), now, nil)
	case "ticker":
		x.send(p.ticker("snapshot", now), now, nil)
	}
}

// refuse answers with the venue's error.
func (s *Sim) refuse(x *subscriber, q *request, symbol, why string, in venue.Nanos) {
	more := fmt.Sprintf(`,"success":false,"error":%q`, why)
	if symbol != "" {
		more += fmt.Sprintf(`,"symbol":%q`, symbol)
	}
	x.reply(s.answer(q, q.Method, more, in), in)
}

// answer is the frame around an answer to a request.
func (s *Sim) answer(q *request, method, more string, in venue.Nanos) []byte {
	m := []byte("{")
	if method != "" {
		m = fmt.Appendf(m, `"method":%q,`, method)
	}
	if q.ID != nil {
		m = fmt.Appendf(m, `"req_id":%d,`, *q.ID)
	}
	m = append(m, strings.TrimPrefix(more, ",")...)
	if more != "" {
		m = append(m, ',')
	}
	return fmt.Appendf(m, `"time_in":%q,"time_out":%q}`, stamp(in), stamp(s.cfg.Clock.Now()))
}

// statusWords are the venue's words for what a pair may be used for.
var statusWords = [...]string{venue.Unlisted: "delisted", venue.Trading: "online", venue.CancelOnly: "cancel_only", venue.PostOnlyMode: "post_only",
	venue.LimitOnly: "limit_only", venue.ReduceOnly: "reduce_only", venue.Halted: "maintenance"}

// instruments is a message of the instrument channel.
func (s *Sim) instruments(kind string) []byte {
	m := fmt.Appendf(nil, `{"channel":"instrument","type":%q,"data":{"assets":[],"pairs":[`, kind)
	for i, p := range s.pairs {
		base, quote, _ := strings.Cut(p.Symbol, "/")
		if i > 0 {
			m = append(m, ',')
		}
		tick, lot := fixed.Append(nil, int64(p.Tick), p.PriceScale), fixed.Append(nil, int64(p.Lot), p.QtyScale)
		m = fmt.Appendf(m, `{"symbol":%q,"base":%q,"quote":%q,"status":%q,"qty_precision":%d,"qty_increment":%s,"price_precision":%d,"price_increment":%s,`,
			p.Symbol, base, quote, statusWords[p.Status], p.QtyScale, lot, p.PriceScale, tick)
		m = fmt.Appendf(m, `"cost_precision":5,"cost_min":0.50,"marginable":false,"has_index":true,"qty_min":%s}`, lot)
	}
	return append(m, `]}}`...)
}

// assetPairs answers the REST pair list, whose names are the older ones.
func (s *Sim) assetPairs(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := []byte(`{"error":[],"result":{`)
	for i, p := range s.pairs {
		base, quote, _ := strings.Cut(p.Symbol, "/")
		base, quote = older(base), older(quote)
		if i > 0 {
			m = append(m, ',')
		}
		tick, lot := fixed.Append(nil, int64(p.Tick), p.PriceScale), fixed.Append(nil, int64(p.Lot), p.QtyScale)
		m = fmt.Appendf(m, `%q:{"altname":%q,"wsname":%q,"base":%q,"quote":%q,"pair_decimals":%d,"lot_decimals":%d,"cost_decimals":5,`,
			base+quote, base+quote, base+"/"+quote, base, quote, p.PriceScale, p.QtyScale)
		m = fmt.Appendf(m, `"ordermin":"%s","costmin":"0.5","tick_size":"%s","status":%q,"fees":[[0,0.4],[10000,0.35]],"fees_maker":[[0,0.25],[10000,0.2]],"fee_volume_currency":"ZUSD"}`, lot, tick, statusWords[p.Status])
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(m, `}}`...)) // a client that has gone is no business of the venue
}

// older is the name of an asset in REST.
func older(asset string) string {
	switch asset {
	case "BTC":
		return "XBT"
	case "DOGE":
		return "XDG"
	}
	return asset
}

// tooMany is the venue's answer to too many requests: an error with the status of success.
func tooMany(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"error":["EGeneral:Too many requests"]}`)
}
