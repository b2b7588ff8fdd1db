package coinbase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"oneprice/feeds/wire"
)

// End implements wire.Ender.
func (g *Gateway) End(ctx context.Context) (wire.Ended, error) {
	return wire.EndAll(func() ([]string, wire.Ended, error) { return g.standing(ctx) }, func(ids []string) error {
		for some := range slices.Chunk(ids, cancelsAtOnce) {
			if err := g.rest.cancel(ctx, some); err != nil {
				return err
			}
		}
		return nil
	})
}

// standing are the venue's ids of the open orders that have to go.
func (g *Gateway) standing(ctx context.Context) (ids []string, out wire.Ended, err error) {
	list, err := g.rest.open(ctx, g.symbols)
	if err != nil {
		return nil, out, err
	}
	for i := range list {
		if o := &list[i]; o.ours || !g.Shared {
			out.Found++
			ids = append(ids, string(o.id))
		} else {
			out.Foreign++
		}
	}
	return ids, out, nil
}

// cancel asks for the end of orders. What the venue says of each is not read: the list that is asked for afterwards tells.
func (r *rest) cancel(ctx context.Context, ids []string) error {
	if err := r.all.Wait(ctx, r.clock, 1); err != nil {
		return err
	}
	body, err := json.Marshal(map[string][]string{"order_ids": ids})
	if err != nil {
		return r.fault(pathBatchCancel, wire.Refused, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+pathBatchCancel, bytes.NewReader(body))
	if err != nil {
		return r.fault(pathBatchCancel, wire.Refused, err)
	}
	bearer, err := r.bearer(http.MethodPost, pathBatchCancel)
	if err != nil {
		return r.fault(pathBatchCancel, wire.Auth, err)
	}
	req.Header.Set("Authorization", bearer)
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return r.fault(pathBatchCancel, wire.Unknown, err)
	}
	defer resp.Body.Close()
	r.heed(resp.StatusCode, resp.Header)
	said, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil // what it says is in the list, too
	case code == http.StatusTooManyRequests:
		return r.fault(pathBatchCancel, wire.RateLimited, errors.New(resp.Status))
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return r.fault(pathBatchCancel, wire.Auth, errors.New(resp.Status))
	default:
		return r.fault(pathBatchCancel, wire.Transient, errors.Join(fmt.Errorf("%s: %.300s", resp.Status, said), err))
	}
}
