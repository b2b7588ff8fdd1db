package binancesim

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// market is the type of an order that takes the book's prices.
const market = "MARKET"

// readMarket reads how much a MARKET order is for: a quantity, or an amount of the quote asset.
func (s *Sim) readMarket(o *order, q params) *failure {
	for _, k := range []string{"price", "timeInForce", "stopPrice"} {
		if q[k] != "" {
			return fail(-1106, "Parameter '%s' sent when not required.", k)
		}
	}
	switch qty, funds := q["quantity"], q["quoteOrderQty"]; {
	case qty != "" && funds != "":
		return fail(-1128, "Combination of optional parameters invalid.")
	case qty != "":
		v, f := grid("quantity", qty, o.p.QtyScale, int64(o.p.Lot), "LOT_SIZE")
		if f != nil {
			return f
		}
		o.qty = fixed.Qty(v)
	case funds != "":
		v, f := grid("quoteOrderQty", funds, fixed.CashScale, 1, "NOTIONAL")
		if f != nil {
			return f
		}
		o.funds = fixed.Cash(v)
	default:
		return fail(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
	}
	return s.filters(o)
}

// notional is what the filters hold an order to be worth; a MARKET order by what it would trade at.
func (o *order) notional(touch fixed.Price) fixed.Cash {
	if o.typ != market {
		return o.p.worth(o.price, o.qty)
	}
	return max(o.funds, o.p.worth(touch, o.qty))
}

// sweep finds how far into the book a MARKET order goes, what it costs, and the whole lots that an amount of the quote
// asset makes there. A market order locks nothing: it is over before anybody could see it.
func (o *order) sweep() (cost fixed.Cash) {
	side, byFunds := o.side.Other(), o.funds > 0
	left, funds := o.qty, o.funds
	for n := range o.p.Book.Depth(side) {
		l := o.p.Book.Level(side, n)
		if byFunds {
			left = o.p.lots(l.Price, funds)
		}
		take := min(left, l.Qty)
		if take == 0 {
			break
		}
		worth := o.p.worth(l.Price, take)
		o.reach = l.Price
		cost, left, funds = cost+worth, left-take, funds-worth
		if byFunds {
			o.qty += take
		}
	}
	return cost
}

// lots is what an amount of the quote asset makes at a price, in whole lots.
func (p *pair) lots(price fixed.Price, amount fixed.Cash) fixed.Qty {
	v, ok := fixed.MulDiv3(int64(amount), fixed.Pow10(p.PriceScale), fixed.Pow10(p.QtyScale), int64(price), fixed.Pow10(fixed.CashScale), fixed.Down)
	if !ok {
		panic("binancesim: a quantity beyond what can be counted")
	}
	return fixed.Qty(v - v%int64(p.Lot))
}

// affords reports whether an account has what a MARKET order of cost spends.
func (o *order) affords(cost fixed.Cash) bool {
	base, quote := assets(o.p.Symbol)
	if o.side == venue.Buy {
		return o.a.fund(quote).Free >= cost
	}
	return o.a.fund(base).Free >= o.p.amount(o.qty)
}
