package binance

import (
	"context"
	"net/http"
	"slices"

	"github.com/valyala/fastjson"

	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// standing is what is open on the account, by symbol in the order of the list: all of it, or what has our ids.
type standing struct {
	symbols []string
	ours    map[string][]string // client ids
}

// End implements wire.Ender.
func (g *Gateway) End(ctx context.Context) (wire.Ended, error) {
	return wire.EndAll(func() (standing, wire.Ended, error) { return g.standing(ctx) }, func(s standing) error {
		for _, symbol := range s.symbols {
			if err := g.endOf(ctx, symbol, s.ours[symbol]); err != nil {
				return err
			}
		}
		return nil
	})
}

// standing asks for what is open in every symbol, also in one that the config does not name.
func (g *Gateway) standing(ctx context.Context) (s standing, out wire.Ended, err error) {
	list, err := g.list(ctx, g.v.openOrders, g.v.openAll, []sign.Param{})
	if err != nil {
		return s, out, err
	}
	s.ours = map[string][]string{}
	for _, v := range list {
		symbol, id := string(v.GetStringBytes("symbol")), clientOf(v)
		if _, ours := wire.ParseClientID([]byte(id)); !ours && g.o.Shared {
			out.Foreign++
			continue
		}
		out.Found++
		if !slices.Contains(s.symbols, symbol) {
			s.symbols = append(s.symbols, symbol)
		}
		s.ours[symbol] = append(s.ours[symbol], id)
	}
	return s, out, nil
}

func clientOf(v *fastjson.Value) string { return string(v.GetStringBytes("clientOrderId")) }

// endOf cancels everything in a symbol, on a shared account by ids. An order that the venue does not know any more has ended.
func (g *Gateway) endOf(ctx context.Context, symbol string, ids []string) error {
	if !g.o.Shared {
		_, err := g.rest.call(ctx, http.MethodDelete, g.v.cancelAll, 1, []sign.Param{{Name: "symbol", Value: symbol}})
		return unlessGone(err)
	}
	for _, id := range ids {
		_, err := g.rest.call(ctx, http.MethodDelete, g.v.order, 1, []sign.Param{{Name: "symbol", Value: symbol}, {Name: "origClientOrderId", Value: id}})
		if err = unlessGone(err); err != nil {
			return err
		}
	}
	return nil
}

// unlessGone is nil for what the venue refused: the list that is read afterwards says whether it stands.
func unlessGone(err error) error {
	if denies(err) {
		return nil
	}
	return err
}
