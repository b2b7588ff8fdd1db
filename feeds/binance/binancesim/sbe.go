package binancesim

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"net/http"

	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// sbeEvery is the span that one binary depth update covers, since 2026-08-04.
const sbeEvery = 20 * venue.Millisecond

// SBEAddr is host:port of the binary streams.
func (s *Sim) SBEAddr() string { return s.sbe.Addr() }

func (s *Sim) binaryRoutes() {
	s.sbe.Admit = s.admit
	for _, p := range s.pairs {
		p.binary = true
	}
	session := func(c *venuesim.Conn, r *http.Request) {
		c.Binary = true
		s.session(c, r)
	}
	s.sbe.Socket("/stream", session)
	s.sbe.Socket("/ws/{names...}", session)
	s.sbe.Socket("/ws", session)
}

// admit lets clients in who name an Ed25519 key. How the venue turns others away is not documented; the body is that of its
// other doors.
func (s *Sim) admit(w http.ResponseWriter, r *http.Request) bool {
	key := r.Header.Get("X-MBX-APIKEY")
	known := len(s.accounts) == 0 && key != ""
	for _, a := range s.accounts {
		known = known || a.Key == key && len(a.Public) == ed25519.PublicKeySize
	}
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}`)
	}
	return known
}

// binaryEvents sends what one act makes public at once.
func (s *Sim) binaryEvents(p *pair, trades []match.Trade, moved bool, now venue.Nanos) {
	if len(trades) > 0 {
		s.publish(true, p.stream("trade"), p.binaryTrades(trades, now))
	}
	if moved {
		s.publish(true, p.stream("bestBidAsk"), p.binaryTouch(now))
	}
}

// binaryDepth sends the depth updates of the last 20 ms.
func (s *Sim) binaryDepth(now venue.Nanos) {
	for _, p := range s.pairs {
		if p.frozen || p.id < p.sbe.first {
			continue
		}
		s.publish(true, p.stream("depth"), p.binaryDiff(now))
		p.sbe.close(p.id)
		p.remember()
	}
}

var le = binary.LittleEndian

// begin is a message's header, of schema 1 and version 0, and the time that every root begins with.
func begin(root, template uint16, now venue.Nanos) []byte {
	m := make([]byte, 0, 256)
	for _, v := range [...]uint16{root, template, 1, 0} {
		m = le.AppendUint16(m, v)
	}
	return le.AppendUint64(m, uint64(now/venue.Microsecond))
}

// exponents are those of the pair's own scales, so that mantissas are the book's numbers.
func (p *pair) exponents(m []byte) []byte {
	return append(m, byte(-int8(p.PriceScale)), byte(-int8(p.QtyScale)))
}

func (p *pair) named(m []byte) []byte { return append(append(m, byte(len(p.Symbol))), p.Symbol...) }

func number64(m []byte, vs ...int64) []byte {
	for _, v := range vs {
		m = le.AppendUint64(m, uint64(v))
	}
	return m
}

func (p *pair) binaryDiff(now venue.Nanos) []byte {
	m := p.exponents(number64(begin(26, 10003, now), int64(p.sbe.first), int64(p.id)))
	for _, side := range [...]venue.Side{venue.Buy, venue.Sell} {
		m = le.AppendUint16(m, 16)
		at, n := len(m), uint16(0)
		m = append(m, 0, 0)
		for _, c := range p.sbe.changes {
			if c.Side == side {
				m = number64(m, int64(c.Price), int64(c.Qty))
				n++
			}
		}
		le.PutUint16(m[at:], n)
	}
	return p.named(m)
}

func (p *pair) binaryTouch(now venue.Nanos) []byte {
	m := p.exponents(number64(begin(50, 10001, now), int64(p.id)))
	return p.named(number64(m, int64(p.touch[0].Price), int64(p.touch[0].Qty), int64(p.touch[1].Price), int64(p.touch[1].Qty)))
}

// binaryTrades are the trades of one order, the last that the pair has counted.
func (p *pair) binaryTrades(trades []match.Trade, now venue.Nanos) []byte {
	m := p.exponents(number64(begin(18, 10000, now), int64(now/venue.Microsecond)))
	m = le.AppendUint32(le.AppendUint16(m, 25), uint32(len(trades)))
	for i := range trades {
		t, maker := &trades[i], byte(0)
		if t.Taker == venue.Sell {
			maker = 1
		}
		m = append(number64(m, int64(p.trades)-int64(len(trades)-1-i), int64(t.Price), int64(t.Qty)), maker)
	}
	return p.named(m)
}

// ends cuts a connection after a span, if it lasts so long.
func (s *Sim) ends(c *venuesim.Conn, after venue.Nanos) {
	t := s.cfg.Clock.Own().Timer(after)
	go func() {
		defer t.Stop()
		select {
		case <-t.C:
			c.Close()
		case <-c.Done():
		}
	}()
}

// Shutdown tells every connection that the venue is about to end it, and does so after a span. Connections
// that are opened meanwhile are not concerned.
func (s *Sim) Shutdown(after venue.Nanos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	notice := fmt.Appendf(nil, `{"e":"serverShutdown","E":%d}`, ms(s.cfg.Clock.Now()))
	for _, x := range s.subs {
		if x.combined && !x.conn.Binary {
			x.conn.Reply(wrap("!serverShutdown", notice))
		} else {
			x.conn.Reply(notice)
		}
		s.ends(x.conn, after)
	}
	for _, x := range s.clients {
		x.conn.Reply(fmt.Appendf(nil, `{"event":%s}`, notice))
		s.ends(x.conn, after)
	}
}
