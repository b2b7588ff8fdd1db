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
	maxStreams   = 1024
	inPerSecond  = 5
	mostConnects = 300 // of an address in connectSpan
	connectSpan  = 300 * venue.Second
)

// session serves one websocket: the streams of its URL and what it subscribes to. More than 5 messages a second end it.
func (s *Sim) session(c *venuesim.Conn, r *http.Request) {
	if !s.admits() {
		return
	}
	s.ends(c, s.cfg.Life)
	x := &subscriber{conn: c, combined: strings.HasSuffix(r.URL.Path, "/stream")}
	for _, n := range strings.Split(r.URL.Query().Get("streams")+"/"+r.PathValue("names"), "/") {
		if s.known(c.Binary, n) {
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
			s.count.Messages.Add(1)
			return
		}
		c.Reply(s.control(x, m))
	}
}

// known reports whether a stream exists here. The venue acknowledges unknown ones and stays silent on them.
func (s *Sim) known(binary bool, name string) bool {
	base, speed := splitSpeed(name)
	for _, p := range s.pairs {
		if binary && (base == p.stream("depth") || base == p.stream("bestBidAsk") || base == p.stream("trade")) {
			return speed == ""
		}
		if binary {
			continue
		}
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
	Params []any           `json:"params"`
	ID     json.RawMessage `json:"id"`
}

// names are the parameters where they are streams.
func (q *request) names() (out []string) {
	for _, p := range q.Params {
		if n, ok := p.(string); ok {
			out = append(out, n)
		}
	}
	return out
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
		for _, n := range q.names() {
			if s.known(x.conn.Binary, n) {
				x.add(n)
			}
		}
	case "UNSUBSCRIBE":
		for _, n := range q.names() {
			x.remove(n)
		}
	case "LIST_SUBSCRIPTIONS":
		text, err := json.Marshal(append([]string{}, x.names...))
		if err != nil {
			return fmt.Appendf(nil, `{"error":{"code":0,"msg":"internal"},"id":%s}`, q.ID)
		}
		return fmt.Appendf(nil, `{"result":%s,"id":%s}`, text, q.ID)
	case "SET_PROPERTY": // ["combined",true]; there is no other property
		on, ok := false, len(q.Params) == 2 && q.Params[0] == "combined"
		if ok {
			on, ok = q.Params[1].(bool)
		}
		if !ok {
			return fmt.Appendf(nil, `{"error":{"code":0,"msg":"Unknown property"},"id":%s}`, q.ID)
		}
		x.combined = on
	case "GET_PROPERTY":
		return fmt.Appendf(nil, `{"result":%t,"id":%s}`, x.combined, q.ID)
	default:
		return fmt.Appendf(nil, `{"error":{"code":2,"msg":"Invalid request: unknown variant %s"},"id":%s}`, strconv.Quote(q.Method), q.ID)
	}
	return fmt.Appendf(nil, `{"result":null,"id":%s}`, q.ID)
}
