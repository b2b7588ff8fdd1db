package krakensim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

const (
	tokenLife = 900 * venue.Second
	// privateMessages a second and connection.
	privateMessages = 200
)

// PrivateWS is the base address of the private socket, to which clients add /v2.
func (s *Sim) PrivateWS() string { return "ws://" + s.Addr() + "/auth" }

// peer is one private connection. Sim.mu guards it.
type peer struct {
	conn *venuesim.Conn
	acc  *account // of the first valid token, nil before
	subs [2]bool  // executions, balances
	seq  [2]uint64
	rate bool // executions with the counter
	last venue.Nanos
	kept []byte // a report that ReorderReport holds back
	due  venue.Nanos
}

const (
	chExecutions = iota
	chBalances
)

// late is an answer that LateAck holds back.
type late struct {
	at  venue.Nanos
	x   *peer
	msg []byte
}

// privateSession serves one private websocket.
func (s *Sim) privateSession(c *venuesim.Conn, _ *http.Request) {
	if _, ok := s.connections.Try(1); !ok {
		s.count.Connections.Add(1)
		return
	}
	x := &peer{conn: c}
	s.mu.Lock()
	s.clients = append(s.clients, x)
	s.serial++
	x.reply(fmt.Appendf(nil, `{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":%d}]}`, 1e18+s.serial), s.cfg.Clock.Now())
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.clients = slices.DeleteFunc(s.clients, func(y *peer) bool { return y == x })
		s.mu.Unlock()
	}()
	limit := wire.NewLimiter(s.cfg.Clock, privateMessages, venue.Second)
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		in := s.cfg.Clock.Now()
		s.mu.Lock()
		if _, ok := limit.Try(1); ok {
			s.private(x, m, in)
		} else {
			s.count.Messages.Add(1)
			x.reply([]byte(`{"error":"Exceeded msg rate","success":false}`), in)
		}
		s.settle(in)
		s.mu.Unlock()
	}
}

func (x *peer) reply(m []byte, now venue.Nanos) {
	x.last = now
	x.conn.Reply(m)
}

// command is one private request.
type command struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	ID     *uint64         `json:"req_id"`
	in     venue.Nanos
}

// params are those of all private requests; numbers are kept as text.
type params struct {
	Token         string            `json:"token"`
	Channel       string            `json:"channel"`
	SnapOrders    *bool             `json:"snap_orders"`
	SnapTrades    bool              `json:"snap_trades"`
	Snapshot      *bool             `json:"snapshot"`
	Rate          bool              `json:"ratecounter"`
	Timeout       *int64            `json:"timeout"`
	OrderType     string            `json:"order_type"`
	Side          string            `json:"side"`
	Symbol        string            `json:"symbol"`
	TimeInForce   string            `json:"time_in_force"`
	PostOnly      bool              `json:"post_only"`
	Qty           json.RawMessage   `json:"order_qty"`
	Limit         json.RawMessage   `json:"limit_price"`
	TriggerPrice  json.RawMessage   `json:"trigger_price"`
	Triggers      *trigger2         `json:"triggers"`
	Deadline      string            `json:"deadline"`
	Validate      bool              `json:"validate"`
	ClientID      json.RawMessage   `json:"cl_ord_id"` // text, or a list for cancels
	OrderID       json.RawMessage   `json:"order_id"`
	Orders        []json.RawMessage `json:"orders"`
	ReduceOnly    bool              `json:"reduce_only"`
	OrderUserref  *int32            `json:"order_userref"`
	StpType       string            `json:"stp_type"`
	FeePreference string            `json:"fee_preference"`
}

type trigger2 struct {
	Reference string          `json:"reference"`
	Price     json.RawMessage `json:"price"`
	PriceType string          `json:"price_type"`
}

// private obeys one message.
func (s *Sim) private(x *peer, m []byte, in venue.Nanos) {
	var q command
	var p params
	if json.Unmarshal(m, &q) != nil {
		x.reply([]byte(`{"error":"Malformed request","success":false}`), in)
		return
	}
	q.in = in
	if q.Method == "ping" {
		x.reply(s.result(&q, "pong", ""), in)
		return
	}
	if json.Unmarshal(q.Params, &p) != nil {
		s.deny(x, &q, "EGeneral:Invalid arguments")
		return
	}
	if s.cfg.Faults.Strikes(venuesim.SessionExpiry, in) {
		for _, a := range s.accounts {
			clear(a.tokens)
		}
	}
	a := s.owns(x, p.Token, in)
	if a == nil {
		s.deny(x, &q, "ESession:Invalid session")
		return
	}
	switch q.Method {
	case "subscribe", "unsubscribe":
		s.subscribePrivate(x, a, &q, &p)
	case "add_order":
		s.addOne(x, a, &q, &p)
	case "batch_add":
		s.addBatch(x, a, &q, &p)
	case "amend_order":
		s.amendOne(x, a, &q, &p)
	case "cancel_order":
		s.cancelSome(x, a, &q, &p)
	case "batch_cancel":
		s.cancelBatch(x, a, &q, &p)
	case "cancel_all":
		n := s.cancelEvery(a, "User requested", in)
		s.accept(x, &q, fmt.Sprintf(`"result":{"count":%d},"success":true`, n))
	case "cancel_all_orders_after":
		s.countdown(x, a, &q, &p)
	default:
		s.deny(x, &q, "EGeneral:Unknown method")
	}
}

// owns is the account of a token, nil when it is not valid. A token that has a subscription lives as long as the
// connection.
func (s *Sim) owns(x *peer, token string, now venue.Nanos) *account {
	for _, a := range s.accounts {
		given, ok := a.tokens[token]
		if !ok {
			continue
		}
		if now-given < tokenLife || x.acc == a && (x.subs[chExecutions] || x.subs[chBalances]) {
			x.acc = a
			return a
		}
		a.count.Tokens.Add(1)
		return nil
	}
	return nil
}

// result is the frame around an answer.
func (s *Sim) result(q *command, method, more string) []byte {
	m := fmt.Appendf(nil, `{"method":%q,`, method)
	if q.ID != nil {
		m = fmt.Appendf(m, `"req_id":%d,`, *q.ID)
	}
	if more != "" {
		m = append(append(m, more...), ',')
	}
	return fmt.Appendf(m, `"time_in":%q,"time_out":%q}`, stamp(q.in), stamp(s.cfg.Clock.Now()))
}

func (s *Sim) deny(x *peer, q *command, why string) {
	x.reply(s.result(q, q.Method, fmt.Sprintf(`"success":false,"error":%q`, why)), q.in)
}

// accept answers what the venue has done, with the faults of an acknowledgement.
func (s *Sim) accept(x *peer, q *command, more string) {
	m := s.result(q, q.Method, more)
	f := s.cfg.Faults
	switch {
	case f.Strikes(venuesim.LostAck, q.in):
	case f.Strikes(venuesim.LateAck, q.in):
		s.late = append(s.late, late{q.in + venue.Nanos(f.Amount(7000))*venue.Millisecond, x, m})
	case f.Strikes(venuesim.CutAccepted, q.in):
		x.conn.Close()
	case f.Strikes(venuesim.ErrorAccepted, q.in):
		s.deny(x, q, "EGeneral:Internal error")
	default:
		x.reply(m, q.in)
	}
}

func (s *Sim) subscribePrivate(x *peer, a *account, q *command, p *params) {
	which := slices.Index([]string{"executions", "balances"}, p.Channel)
	on := q.Method == "subscribe"
	switch {
	case which < 0:
		s.deny(x, q, "Subscription name invalid")
		return
	case on && x.subs[which]:
		s.deny(x, q, "Already subscribed")
		return
	case !on && !x.subs[which]:
		s.deny(x, q, "Subscription Not Found")
		return
	}
	x.subs[which], x.seq[which], x.kept = on, 0, nil
	more := ""
	if which == chExecutions {
		x.rate = p.Rate
		more = fmt.Sprintf(`,"snap_orders":%t,"snap_trades":%t`, p.SnapOrders == nil || *p.SnapOrders, p.SnapTrades)
		if p.Rate {
			more += fmt.Sprintf(`,"maxratecount":%d`, limitsOf[a.Tier].threshold)
		}
	}
	x.reply(s.result(q, q.Method, fmt.Sprintf(`"result":{"channel":%q%s},"success":true`, p.Channel, more)), q.in)
	if !on {
		return
	}
	items := []string{}
	if which == chBalances {
		items = s.balanceItems(a)
	} else {
		if p.SnapOrders == nil || *p.SnapOrders {
			for _, o := range a.orders {
				if !o.over() {
					items = append(items, s.item(o, "new", orderStatus(o), true, o.born, s.rateItem(x, o, q.in)))
				}
			}
		}
		if p.SnapTrades {
			for _, t := range a.trades[max(0, len(a.trades)-50):] {
				items = append(items, s.tradeItem(t, ""))
			}
		}
	}
	x.seq[which]++
	x.reply(fmt.Appendf(nil, `{"channel":%q,"type":"snapshot","data":[%s],"sequence":%d}`, p.Channel, strings.Join(items, ","), x.seq[which]), q.in)
}

// publish sends one update of a private channel to every subscriber of the account, through the faults of reports.
func (s *Sim) publish(a *account, which int, now venue.Nanos, item func(*peer) string) {
	f := s.cfg.Faults
	for _, x := range s.clients {
		if x.acc != a || !x.subs[which] {
			continue
		}
		x.seq[which]++
		m := fmt.Appendf(nil, `{"channel":%q,"type":"update","data":[%s],"sequence":%d}`, [2]string{"executions", "balances"}[which], item(x), x.seq[which])
		switch {
		case f.Strikes(venuesim.Drop, now):
			continue
		case x.kept == nil && f.Strikes(venuesim.ReorderReport, now):
			x.kept, x.due = m, now+20*venue.Millisecond
			continue
		}
		x.reply(m, now)
		x.flush(now)
		if f.Strikes(venuesim.DuplicateReport, now) {
			x.reply(m, now)
		}
	}
}

// flush sends what ReorderReport held back.
func (x *peer) flush(now venue.Nanos) {
	if x.kept != nil {
		x.reply(x.kept, now)
		x.kept = nil
	}
}

func (s *Sim) countdown(x *peer, a *account, q *command, p *params) {
	if p.Timeout == nil || *p.Timeout < 0 || *p.Timeout >= 86400 {
		s.deny(x, q, "EGeneral:Invalid arguments:timeout")
		return
	}
	trigger := "0"
	a.dead = 0
	if *p.Timeout > 0 {
		a.dead = q.in + venue.Nanos(*p.Timeout)*venue.Second
		trigger = stamp(a.dead)
	}
	x.reply(s.result(q, q.Method, fmt.Sprintf(`"result":{"currentTime":%q,"triggerTime":%q},"success":true`, stamp(q.in), trigger)), q.in)
}

// tick does what time brings to the private side: late answers, countdowns, heartbeats.
func (s *Sim) tick(now venue.Nanos) {
	s.late = slices.DeleteFunc(s.late, func(l late) bool {
		if now >= l.at {
			l.x.reply(l.msg, now)
		}
		return now >= l.at
	})
	for _, a := range s.accounts {
		if a.dead != 0 && now >= a.dead {
			a.dead = 0
			a.count.DeadMan.Add(1)
			s.cancelEvery(a, "Cancel all orders after: timeout", now)
		}
	}
	for _, x := range s.clients {
		if x.kept != nil && now >= x.due {
			x.flush(now)
		}
		if (x.subs[chExecutions] || x.subs[chBalances]) && now-x.last >= beatSpan {
			x.reply([]byte(`{"channel":"heartbeat"}`), now)
		}
	}
	s.settle(now)
}
