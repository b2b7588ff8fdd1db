package coinbasesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

const (
	// privatePerSecond is how many private requests a user may make.
	privatePerSecond = 30
	maxBody          = 1 << 20
	api              = "/api/v3/brokerage"
)

// reply is an answer to be sent.
type reply struct {
	code int
	body []byte
}

func ok(format string, a ...any) reply { return reply{http.StatusOK, fmt.Appendf(nil, format, a...)} }

// bad is the venue's answer to a request that it cannot read.
func bad(code int, word, message string) reply {
	return reply{code, fmt.Appendf(nil, `{"error":%q,"error_details":%q,"message":%q}`, word, message, message)}
}

// openPrivate makes the accounts and the routes of the private side.
func (s *Sim) openPrivate() error {
	for i, cfg := range s.cfg.Accounts {
		s.accounts = append(s.accounts, newAccount(cfg, uint32(i+1)))
	}
	for _, p := range s.products {
		if base, quote := sides(p.Symbol); base == "" || quote == "" {
			return fmt.Errorf("coinbasesim: the product %q is not BASE-QUOTE", p.Symbol)
		}
	}
	if s.cfg.Host == "" {
		s.cfg.Host = "api.coinbase.com"
	}
	s.private("POST", "/orders", s.create)
	s.private("POST", "/orders/batch_cancel", s.batchCancel)
	s.private("POST", "/orders/edit", s.edit)
	s.private("GET", "/orders/historical/batch", s.listOrders)
	s.private("GET", "/orders/historical/fills", s.listFills)
	s.private("GET", "/orders/historical/{id}", s.oneOrder)
	s.private("GET", "/accounts", s.listAccounts)
	s.private("GET", "/transaction_summary", s.summary)
	s.private("GET", "/key_permissions", func(a *account, _ *http.Request, _ []byte, _ venue.Nanos) reply {
		return ok(`{"can_view":true,"can_trade":%t,"can_transfer":false,"portfolio_uuid":"00000000-0000-0000-0000-000000000001","portfolio_type":"DEFAULT"}`, !a.ReadOnly)
	})
	s.private("GET", "/products", func(*account, *http.Request, []byte, venue.Nanos) reply { return reply{http.StatusOK, s.productList()} })
	s.server.Rest("GET "+api+"/time", tooMany, func(w http.ResponseWriter, _ *http.Request) {
		now := s.cfg.Clock.Now()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"iso":%q,"epochSeconds":"%d","epochMillis":"%d"}`, stamp(now), now/venue.Second, now/venue.Millisecond)
	})
	return nil
}

// handler obeys one request of an account under mu.
type handler func(a *account, r *http.Request, body []byte, now venue.Nanos) reply

// private adds a route that wants a token, within the user's allowance and through the faults of the private side.
func (s *Sim) private(method, path string, h handler) {
	s.server.Rest(method+" "+api+path, tooMany, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil || len(body) > maxBody {
			return // the client has gone, or sends what is none of the venue's business
		}
		now := s.cfg.Clock.Now()
		f := s.cfg.Faults
		changes := method == http.MethodPost
		if changes && strings.HasSuffix(path, "cancel") && f.Strikes(venuesim.LostCancel, now) {
			<-r.Context().Done()
			return
		}
		code, answer, why := s.obey(w.Header(), r, body, now, h)
		if why != nil {
			s.count.Unauthorized.Add(1)
		}
		if changes && code == http.StatusOK {
			switch {
			case f.Strikes(venuesim.LostAck, now):
				<-r.Context().Done()
				return
			case f.Strikes(venuesim.CutAccepted, now):
				cut(w)
				return
			case f.Strikes(venuesim.ErrorAccepted, now):
				code, answer = http.StatusServiceUnavailable, []byte("upstream request timeout")
			case f.Strikes(venuesim.LateAck, now):
				if s.cfg.Clock.Own().Sleep(r.Context(), 20*venue.Millisecond+venue.Nanos(f.Amount(200))*venue.Millisecond) != nil {
					return
				}
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		w.Write(answer) // a client that has gone is no business of the venue
	})
}

// obey checks token and allowance and does what is asked. why is what is wrong with the token.
func (s *Sim) obey(h http.Header, r *http.Request, body []byte, now venue.Nanos, do handler) (code int, answer []byte, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, why := s.verify(token, r.Method+" "+s.cfg.Host+r.URL.Path, now)
	if !found || why != nil || s.cfg.Faults.Strikes(venuesim.SessionExpiry, now) {
		if why == nil {
			for _, x := range s.subs { // the venue has forgotten who it is, on the user channel too
				if x.account == a {
					x.conn.Close()
				}
			}
		}
		return http.StatusUnauthorized, []byte("Unauthorized\n"), why
	}
	if now-a.second >= venue.Second {
		a.second, a.used = now, 0
	}
	left := privatePerSecond - a.used - 1
	h.Set("X-Ratelimit-Limit", fmt.Sprint(privatePerSecond))
	h.Set("X-Ratelimit-Remaining", fmt.Sprint(max(left, 0)))
	h.Set("X-Ratelimit-Reset", "1")
	if left < 0 || s.cfg.Faults.Strikes(venuesim.LimitOrders, now) {
		s.count.Private.Add(1)
		h.Set("X-Ratelimit-Remaining", "0")
		return http.StatusTooManyRequests, []byte(`{"id":"rate_limit_exceeded","message":"rate limit exceeded"}`), nil
	}
	a.used++
	if a.ReadOnly && r.Method == http.MethodPost {
		return http.StatusForbidden, []byte(`{"error":"PERMISSION_DENIED","message":"Missing required scopes"}`), nil
	}
	x := do(a, r, body, now)
	return x.code, x.body, nil
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		c.Close()
	}
}

// strict reads a body; the venue refuses fields that it does not know, and what follows the object.
func strict(body []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the object")
	}
	return nil
}
