package kraken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// rest is the signed REST side: the token of the private socket, and recovery. One request at a time, so that nonces arrive
// in the order in which they were given out. Safe for concurrent use.
type rest struct {
	base   string
	key    sign.Secret
	clock  *wire.Clock
	nonces *sign.Nonces
	client http.Client
	limit  *wire.Limiter
	// asking holds one token while a request is under way. Not a mutex, for which a waiting request would outlive its ctx.
	asking chan struct{}

	signer *sign.Kraken
	parser fastjson.Parser
}

func newREST(o *GatewayOptions, signer *sign.Kraken) *rest {
	t := tiers[o.Tier]
	return &rest{base: o.REST, key: o.Key, clock: o.Clock, nonces: o.Nonces, signer: signer, asking: make(chan struct{}, 1),
		limit: wire.NewLimiter(o.Clock, t.rest, t.restSpan), // never above the counter that empties in that span
		client: http.Client{Timeout: 10 * time.Second,
			Transport: &http.Transport{DialContext: wire.Apart(o.Net, o.Clock).DialContext, TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 2, IdleConnTimeout: 50 * time.Second}}}
}

func (r *rest) begin(ctx context.Context) error {
	select {
	case r.asking <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rest) end() { <-r.asking }

// token is a fresh token for a private connection.
func (r *rest) token(ctx context.Context) (token string, err error) {
	err = r.private(ctx, "GetWebSocketsToken", "", 1, func(v *fastjson.Value) error {
		if token = string(v.GetStringBytes("token")); token == "" || strings.ContainsAny(token, `"\`) {
			return errors.New("no token in the answer")
		}
		return nil
	})
	return token, err
}

// private asks a private endpoint; form is what follows the nonce ("&a=b"), cost what it adds to the counter. use sees the
// result, which it must not keep. A refused nonce is raised and tried once more: the venue has then done nothing.
func (r *rest) private(ctx context.Context, name, form string, cost int64, use func(*fastjson.Value) error) error {
	if err := r.limit.Wait(ctx, r.clock, cost); err != nil {
		return err
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	path := "/0/private/" + name
	for again := true; ; again = false {
		nonce := fmt.Appendf(nil, "%d", r.nonces.Next(r.clock.Now()))
		body := append(append([]byte("nonce="), nonce...), form...)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path, bytes.NewReader(body))
		if err != nil {
			return &wire.Error{Venue: "kraken", Op: name, Kind: wire.Refused, Err: err}
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("API-Key", string(r.key.Reveal()))
		req.Header.Set("API-Sign", string(r.signer.Append(nil, []byte(path), nonce, body)))
		err = r.do(req, name, use)
		var e *wire.Error
		if again && errors.As(err, &e) && e.Err.Error() == "EAPI:Invalid nonce" {
			r.nonces.Raise(uint64(r.clock.Now()/venue.Microsecond) + 1_000_000) // a second ahead of whoever else uses the key
			continue
		}
		return err
	}
}

// public asks a public endpoint.
func (r *rest) public(ctx context.Context, name string, use func(*fastjson.Value) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/0/public/"+name, nil)
	if err != nil {
		return &wire.Error{Venue: "kraken", Op: name, Kind: wire.Refused, Err: err}
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	return r.do(req, name, use)
}

// do sends a request and reads its answer.
func (r *rest) do(req *http.Request, name string, use func(*fastjson.Value) error) error {
	resp, err := r.client.Do(req)
	if err != nil {
		return &wire.Error{Venue: "kraken", Op: name, Kind: wire.Transient, Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests {
		r.limit.Close(10 * venue.Second)
		return &wire.Error{Venue: "kraken", Op: name, Kind: wire.RateLimited, Err: errors.New(resp.Status)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes))
	if err != nil || resp.StatusCode != http.StatusOK {
		return &wire.Error{Venue: "kraken", Op: name, Kind: wire.Transient, Err: fmt.Errorf("%s: %w", resp.Status, errors.Join(err, errBadAnswer))}
	}
	v, err := r.parser.ParseBytes(body)
	if err != nil {
		return &wire.Error{Venue: "kraken", Op: name, Kind: wire.Protocol, Err: err}
	}
	for _, e := range v.GetArray("error") {
		if text := string(e.GetStringBytes()); strings.HasPrefix(text, "E") { // W… is a warning
			kind := kindOfError(text)
			if kind == wire.RateLimited {
				r.limit.Close(5 * venue.Second)
			}
			return &wire.Error{Venue: "kraken", Op: name, Kind: kind, Err: errors.New(text)}
		}
	}
	if err := use(v.Get("result")); err != nil {
		return &wire.Error{Venue: "kraken", Op: name, Kind: wire.Protocol, Err: err}
	}
	return nil
}

var errBadAnswer = errors.New("no usable answer")

// kindOfError says what the venue's error means for what we do next (venues/kraken.md, section 5).
func kindOfError(text string) wire.Kind {
	switch why := reasonOf(text); {
	case strings.Contains(text, "lockout"):
		return wire.RateLimited
	case text == "EAPI:Invalid nonce":
		return wire.Transient
	case why == venue.AuthFailed:
		return wire.Auth
	case why == venue.RateLimited:
		return wire.RateLimited
	case why == venue.VenueBusy, uncertain(text):
		return wire.Transient
	}
	return wire.Refused
}
