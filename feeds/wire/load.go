package wire

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"oneprice/books/venue"
)

const (
	// loadWithin bounds the answer to a question about instruments, loadMax its size: the largest venue's is a tenth.
	loadWithin = 30 * venue.Second
	loadMax    = 64 << 20
)

// Fetch asks a venue one public question, of a weight in cfg's Limits, where those have one: cfg's Net, TLS and Clock lead to
// it. A failure is an *Error.
func Fetch(ctx context.Context, cfg *FeedConfig, name, address string, weight int64) ([]byte, error) {
	client := cfg.client()
	defer client.CloseIdleConnections()
	return fetch(ctx, client, cfg, name, address, weight)
}

// client makes what asks by HTTP.
func (cfg *FeedConfig) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: cfg.Net.DialContext, TLSClientConfig: cfg.TLS}}
}

// fetch is Fetch over connections that may be kept.
func fetch(ctx context.Context, client *http.Client, cfg *FeedConfig, name, address string, weight int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(loadWithin))
	defer cancel()
	fault := func(k Kind, err error) error { return &Error{name, "ask", k, err} }
	budget := (*Limiter)(nil)
	if cfg.Limits != nil {
		budget = cfg.Limits.Weight
	}
	if budget != nil {
		if err := budget.Wait(ctx, cfg.Clock, weight); err != nil {
			return nil, fault(RateLimited, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault(Refused, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fault(Transient, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, loadMax+1))
	switch {
	case err != nil:
		return nil, fault(Transient, fmt.Errorf("%s: %w", address, err))
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusTeapot:
		if budget != nil {
			budget.Close(retryAfter(resp.Header))
		}
		return nil, fault(RateLimited, fmt.Errorf("%s: %s", address, resp.Status))
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return nil, fault(Refused, fmt.Errorf("%s: %s: %.300s", address, resp.Status, body))
	case resp.StatusCode != http.StatusOK:
		return nil, fault(Transient, fmt.Errorf("%s: %s", address, resp.Status))
	case len(body) > loadMax:
		return nil, fault(Protocol, fmt.Errorf("%s: more than %d bytes", address, loadMax))
	}
	return body, nil
}
