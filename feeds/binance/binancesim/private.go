package binancesim

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// client is one connection to the WebSocket API.
type client struct {
	conn *venuesim.Conn
	a    *account // who has logged on
	user *account // whose events it gets
	// held collects events while a request of this connection is carried out: they leave before or after its answer.
	held  [][]byte
	holds bool
	mute  bool   // the connection is being cut: nothing more is said on it
	kept  []byte // an event that waits to be overtaken
}

// private serves one connection to the WebSocket API.
func (s *Sim) private(c *venuesim.Conn, _ *http.Request) {
	if !s.admits() {
		return
	}
	s.ends(c, s.cfg.Life)
	x := &client{conn: c}
	s.mu.Lock()
	s.clients = append(s.clients, x)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.clients = slices.DeleteFunc(s.clients, func(y *client) bool { return y == x })
		s.mu.Unlock()
	}()
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		if !s.request(x, m) {
			return
		}
	}
}

// call is one request.
type call struct {
	ID     json.RawMessage            `json:"id"`
	Method string                     `json:"method"`
	Params map[string]json.RawMessage `json:"params"`
}

// request answers one request; false ends the connection.
func (s *Sim) request(x *client, m []byte) bool {
	var q call
	if err := json.Unmarshal(m, &q); err != nil || len(q.ID) == 0 {
		x.conn.Reply([]byte(`{"id":null,"status":400,"error":{"code":-1135,"msg":"Invalid JSON Request"}}`))
		return true
	}
	p := params{}
	for k, v := range q.Params {
		p[k] = strings.Trim(string(v), `"`)
	}
	now := s.cfg.Clock.Now()
	f := s.cfg.Faults
	changes := strings.HasPrefix(q.Method, "order.") && q.Method != "order.status" && q.Method != "order.test" || q.Method == "openOrders.cancelAll"
	s.mu.Lock()
	defer s.mu.Unlock()
	var strike venuesim.Fault
	if changes {
		switch {
		case f.Strikes(venuesim.Banned, now):
			until := ms(now) + 300
			x.reply(q.ID, nil, &failure{418, -1003, fmt.Sprintf("Way too much request weight used; IP banned until %d. Please use WebSocket Streams for live updates to avoid bans.", until),
				fmt.Sprintf(`{"serverTime":%d,"retryAfter":%d}`, ms(now), until)}, "")
			return true
		case f.Strikes(venuesim.LimitOrders, now):
			x.reply(q.ID, nil, &failure{429, -1003, "Too many requests; current limit is 6000 request weight per 1 MINUTE.",
				fmt.Sprintf(`{"serverTime":%d,"retryAfter":%d}`, ms(now), ms(now)+100)}, "")
			return true
		case f.Strikes(venuesim.SessionExpiry, now):
			s.forget(x, now)
		case q.Method == "order.cancel" && f.Strikes(venuesim.LostCancel, now):
			return true
		}
		for _, k := range []venuesim.Fault{venuesim.LostAck, venuesim.LateAck, venuesim.CutAccepted, venuesim.ErrorAccepted} {
			if strike == 0 && f.Strikes(k, now) {
				strike = k
			}
		}
	}
	x.holds, x.mute = true, strike == venuesim.CutAccepted
	result, bad := s.do(x, q.Method, p, now)
	x.holds = false
	return s.respond(x, q.ID, result, bad, strike)
}

// respond answers, or does not, and lets the request's events out before or after.
func (s *Sim) respond(x *client, id json.RawMessage, result []byte, bad *failure, strike venuesim.Fault) bool {
	held := x.held
	x.held = nil
	limits := ""
	if x.a != nil {
		limits = s.rateLimits(x.a)
	}
	after := s.rnd.IntN(2) == 0
	if !after {
		s.let(x, held)
	}
	switch {
	case bad != nil || strike == 0 || strike == venuesim.CutAccepted:
	case strike == venuesim.ErrorAccepted:
		result, bad = nil, &failure{504, -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.", ""}
	}
	switch {
	case strike == venuesim.CutAccepted:
		x.conn.Close()
		return false
	case strike == venuesim.LostAck:
	case strike == venuesim.LateAck:
		msg := answer(id, result, bad, limits)
		t := s.cfg.Clock.Own().Timer(venue.Nanos(20+s.cfg.Faults.Amount(150)) * venue.Millisecond)
		go func() {
			defer t.Stop()
			select {
			case <-t.C:
				x.conn.Reply(msg)
			case <-x.conn.Done():
			}
		}()
	default:
		x.reply(id, result, bad, limits)
	}
	if after {
		s.let(x, held)
	}
	return true
}

func (x *client) reply(id json.RawMessage, result []byte, bad *failure, limits string) {
	x.conn.Reply(answer(id, result, bad, limits))
}

func answer(id json.RawMessage, result []byte, bad *failure, limits string) []byte {
	m := fmt.Appendf(nil, `{"id":%s,`, id)
	if bad == nil {
		m = fmt.Appendf(m, `"status":200,"result":%s`, result)
	} else {
		m = fmt.Appendf(m, `"status":%d,"error":{"code":%d,"msg":%q`, bad.status, bad.code, bad.msg)
		if bad.data != "" {
			m = fmt.Appendf(m, `,"data":%s`, bad.data)
		}
		m = append(m, '}')
	}
	return append(append(m, limits...), '}')
}

// forget ends what a connection has logged on to.
func (s *Sim) forget(x *client, now venue.Nanos) {
	if s.cfg.Kind == USDM && x.a != nil {
		s.expireKey(x.a, now)
	}
	x.a = nil
	if x.user != nil {
		x.user = nil
		x.conn.Reply(fmt.Appendf(nil, `{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":%d}}`, ms(now)))
	}
}

// rateLimits is what the venue counts, as it ends an answer.
func (s *Sim) rateLimits(a *account) string {
	return fmt.Sprintf(`,"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":%d,"count":%d},{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000,"count":%d}]`,
		s.cfg.OrdersPer10s, a.burst, len(a.orders))
}

// do carries out one request.
func (s *Sim) do(x *client, method string, q params, now venue.Nanos) ([]byte, *failure) {
	weight := map[string]int64{"order.status": 4, "myTrades": 20, "account.status": 20, "account.commission": 20, "openOrders.status": 6, "session.logon": 2,
		"userDataStream.subscribe": 2, "userDataStream.subscribe.signature": 2}[method]
	if method == "myTrades" && q["orderId"] != "" {
		weight = 5
	}
	if f := s.spend(max(weight, 1), now); f != nil {
		return nil, f
	}
	if s.cfg.Kind == USDM && !slices.Contains(futuresMethods, method) {
		return nil, fail(-1020, "This operation is not supported.")
	}
	switch method {
	case "ping":
		return []byte("{}"), nil
	case "time":
		return fmt.Appendf(nil, `{"serverTime":%d}`, ms(now)), nil
	case "userDataStream.subscribe":
		if x.a == nil {
			return nil, fail(-1102, "Mandatory parameter 'apiKey' was not sent, was empty/null, or malformed.")
		}
		x.user = x.a
		return []byte(`{"subscriptionId":0}`), nil
	}
	a, f := s.who(x, q, now)
	if f != nil {
		return nil, f
	}
	switch method {
	case "session.logon":
		if a.Public == nil {
			return nil, fail(-4056, "HMAC_SHA256 API key is not supported.")
		}
		x.a = a
		return fmt.Appendf(nil, `{"apiKey":%q,"authorizedSince":%d,"connectedSince":%d,"returnRateLimits":true,"serverTime":%d,"userDataStream":%t}`, a.Key, ms(now), ms(now), ms(now), x.user != nil), nil
	case "userDataStream.subscribe.signature":
		x.user = a
		return []byte(`{"subscriptionId":0}`), nil
	}
	return s.serve(a, method, q, now)
}

// spend takes weight from the address's budget.
func (s *Sim) spend(weight int64, now venue.Nanos) *failure {
	if wait, ok := s.weight.Try(weight); !ok {
		s.count.Weight.Add(1)
		return &failure{429, -1003, fmt.Sprintf("Too much request weight used; current limit is %d request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.", weights[s.cfg.Kind]),
			fmt.Sprintf(`{"serverTime":%d,"retryAfter":%d}`, ms(now), ms(now+wait)+1)}
	}
	return nil
}

// who is the account that a WebSocket request speaks for.
func (s *Sim) who(x *client, q params, now venue.Nanos) (*account, *failure) {
	if q["apiKey"] == "" && x.a != nil && q["signature"] == "" {
		return x.a, fresh(q, now)
	}
	if q["apiKey"] == "" {
		return nil, fail(-1102, "Mandatory parameter 'apiKey' was not sent, was empty/null, or malformed.")
	}
	names := make([]string, 0, len(q))
	for k := range q {
		if k != "signature" {
			names = append(names, k)
		}
	}
	sort.Strings(names)
	for i, k := range names {
		names[i] = k + "=" + q[k]
	}
	return s.signed(q["apiKey"], strings.Join(names, "&"), q["signature"], q, now)
}

// signed checks key, time and signature.
func (s *Sim) signed(key, payload, signature string, q params, now venue.Nanos) (*account, *failure) {
	a := s.account(key)
	if a == nil {
		return nil, &failure{401, -2015, "Invalid API-key, IP, or permissions for action.", ""}
	}
	if !a.verifies(payload, signature) {
		return nil, fail(-1022, "Signature for this request is not valid.")
	}
	return a, fresh(q, now)
}

// fresh checks a request's time.
func fresh(q params, now venue.Nanos) *failure {
	at, err := strconv.ParseInt(q["timestamp"], 10, 64)
	if err != nil {
		return fail(-1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
	}
	window := int64(5_000_000) // thousandths of a millisecond
	if w := q["recvWindow"]; w != "" {
		v, fault := fixed.Parse([]byte(w), 3)
		if fault != fixed.OK || v > 60_000_000 {
			return fail(-1131, "recvWindow must be less than 60000.")
		}
		window = v
	}
	switch {
	case at >= ms(now)+1000:
		return fail(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
	case (ms(now)-at)*1000 > window:
		return fail(-1021, "Timestamp for this request is outside of the recvWindow.")
	}
	return nil
}

func (a *account) verifies(payload, signature string) bool {
	if a.Public != nil {
		raw, err := base64.StdEncoding.DecodeString(signature)
		return err == nil && ed25519.Verify(a.Public, []byte(payload), raw)
	}
	m := hmac.New(sha256.New, a.Secret)
	m.Write([]byte(payload))
	return hmac.Equal([]byte(hex.EncodeToString(m.Sum(nil))), []byte(strings.ToLower(signature)))
}

// tell sends an executionReport to whoever listens for its account.
func (s *Sim) tell(o *order, kind string, t *trade, was string, now venue.Nanos) {
	if o.future() {
		s.event(o.a, o.update(kind, t, now), now)
		return
	}
	s.execs++
	s.event(o.a, o.report(kind, t, was, s.execs, now), now)
}

// tellFunds sends the balances of some assets, at spot.
func (s *Sim) tellFunds(a *account, now venue.Nanos, names ...string) {
	if s.cfg.Kind != Spot {
		return
	}
	m := fmt.Appendf(nil, `{"e":"outboundAccountPosition","E":%d,"u":%d,"B":[`, ms(now), ms(now))
	for i, n := range names {
		if i > 0 {
			m = append(m, ',')
		}
		f := a.fund(n)
		m = fmt.Appendf(m, `{"a":"%s","f":"%s","l":"%s"}`, n, cash(f.Free), cash(f.Locked))
	}
	s.event(a, append(m, `]}`...), now)
}

func (s *Sim) event(a *account, e []byte, now venue.Nanos) {
	m := e
	if s.cfg.Kind == Spot {
		m = append(append([]byte(`{"subscriptionId":0,"event":`), e...), '}')
	}
	for _, x := range s.clients {
		switch {
		case x.user != a || x.mute:
		case x.holds:
			x.held = append(x.held, m)
		default:
			s.deliver(x, m, now)
		}
	}
}

func (s *Sim) let(x *client, held [][]byte) {
	for _, m := range held {
		s.deliver(x, m, s.cfg.Clock.Now())
	}
}

// deliver sends an event through the faults.
func (s *Sim) deliver(x *client, m []byte, now venue.Nanos) {
	f := s.cfg.Faults
	if x.kept == nil && f.Strikes(venuesim.ReorderReport, now) {
		x.kept = m
		return
	}
	x.conn.Reply(m)
	if x.kept != nil {
		x.conn.Reply(x.kept)
		x.kept = nil
	}
	if f.Strikes(venuesim.DuplicateReport, now) {
		x.conn.Reply(bytes.Clone(m))
	}
}

// rest serves one signed REST endpoint by a method of the WebSocket API.
func (s *Sim) rest(pattern, method string, weight int64) {
	s.server.Rest(pattern, s.tooMany, func(w http.ResponseWriter, r *http.Request) {
		now := s.cfg.Clock.Now()
		body, f := s.restCall(w.Header(), r, method, weight, now)
		s.mu.Lock()
		struck := f == nil && r.Method != http.MethodGet && s.cfg.Faults.Strikes(venuesim.ErrorAccepted, now)
		s.mu.Unlock()
		switch {
		case struck:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"code":-1007,"msg":"Timeout waiting for response from backend server. Send status unknown; execution status unknown."}`)
		case f != nil:
			w.WriteHeader(f.status)
			if f.data != "" {
				fmt.Fprintf(w, `{"code":%d,"msg":%q,"data":%s}`, f.code, f.msg, f.data)
				return
			}
			fmt.Fprintf(w, `{"code":%d,"msg":%q}`, f.code, f.msg)
		default:
			w.Write(body)
		}
	})
}

// restCall carries out one signed REST request. Its headers say what is spent of the minute's weight and of the orders.
func (s *Sim) restCall(h http.Header, r *http.Request, method string, weight int64, now venue.Nanos) ([]byte, *failure) {
	h.Set("Content-Type", "application/json")
	body := new(bytes.Buffer)
	if _, err := body.ReadFrom(http.MaxBytesReader(nil, r.Body, 64<<10)); err != nil {
		return nil, fail(-1100, "Illegal characters found in a parameter.")
	}
	values, err := url.ParseQuery(r.URL.RawQuery + "&" + body.String())
	if err != nil {
		return nil, fail(-1100, "Illegal characters found in a parameter.")
	}
	q := params{}
	for k, v := range values {
		q[k] = v[0]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.spend(weight, now); f != nil {
		h.Set("Retry-After", "1")
		return nil, f
	}
	h.Set("X-Mbx-Used-Weight-1m", strconv.FormatInt(s.weight.Spent(), 10))
	key := r.Header.Get("X-MBX-APIKEY")
	if key == "" {
		return nil, &failure{401, -2014, "API-key format invalid.", ""}
	}
	text := unsigned(r.URL.RawQuery) + unsigned(body.String()) // signed as it was sent, the one after the other
	a, f := s.signed(key, text, q["signature"], q, now)
	if f != nil {
		return nil, f
	}
	result, f := s.serve(a, method, q, now)
	if method == "order.place" || method == "order.cancelReplace" {
		h.Set("X-Mbx-Order-Count-10s", strconv.FormatInt(a.burst, 10))
		h.Set("X-Mbx-Order-Count-1d", strconv.Itoa(len(a.orders)))
	}
	return result, f
}

// unsigned is a query or body without the signature that ends one of them.
func unsigned(text string) string {
	if strings.HasPrefix(text, "signature=") {
		return ""
	}
	text, _, _ = strings.Cut(text, "&signature=")
	return text
}
