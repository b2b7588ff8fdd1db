package kraken

import (
	"context"
	"errors"

	"github.com/valyala/fastjson"

	"oneprice/feeds/wire"
)

// End implements wire.Ender. The trading counter, which cancels of young orders fill, does not count those of CancelAll.
func (g *Gateway) End(ctx context.Context) (wire.Ended, error) {
	return wire.EndAll(func() ([]string, wire.Ended, error) { return g.standing(ctx) }, func(ids []string) error {
		if !g.cfg.Shared {
			return g.rest.private(ctx, "CancelAll", "", 1, nothing)
		}
		for _, id := range ids {
			err := g.rest.private(ctx, "CancelOrder", "&txid="+id, 0, nothing)
			if e := (*wire.Error)(nil); err != nil && !(errors.As(err, &e) && e.Kind == wire.Refused) { // one that the venue does not know any more has ended
				return err
			}
		}
		return nil
	})
}

// standing are the venue's ids of the open orders that have to go.
func (g *Gateway) standing(ctx context.Context) (ids []string, out wire.Ended, err error) {
	err = g.rest.private(ctx, "OpenOrders", "", 1, func(v *fastjson.Value) error {
		o := v.GetObject("open")
		if o == nil {
			return errBadAnswer
		}
		o.Visit(func(id []byte, v *fastjson.Value) {
			if _, ours := wire.ParseClientUUID(v.GetStringBytes("cl_ord_id")); !ours && g.cfg.Shared {
				out.Foreign++
				return
			}
			out.Found++
			ids = append(ids, string(id))
		})
		return nil
	})
	return ids, out, err
}

func nothing(*fastjson.Value) error { return nil }
