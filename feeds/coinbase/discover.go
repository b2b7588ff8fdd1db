package coinbase

import (
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// discoverer learns the products that have book or trade messages in a recording. What is known of them comes from the
// venue's product list where the recording has one, else from the shipped table, else from the decimals seen.
type discoverer struct {
	doc   wire.Doc
	known map[string]wire.Listing
	seen  map[string]*grid
	order []string
}

// grid is the finest text seen of one product.
type grid struct{ price, qty uint8 }

func newDiscoverer() *discoverer {
	d := &discoverer{known: map[string]wire.Listing{}, seen: map[string]*grid{}}
	for _, l := range listings() {
		d.known[l.Symbol] = l
	}
	return d
}

// Line implements wire.Discoverer.
func (d *discoverer) Line(kind, _ string, msg []byte) {
	if kind != "rest" && kind != "ws" {
		return
	}
	v := d.doc.Parse(msg)
	if v == nil {
		return // damage is the decoder's to report
	}
	if kind == "rest" {
		d.product(v)
		for _, p := range v.GetArray("products") {
			d.product(p)
		}
		return
	}
	for _, e := range v.GetArray("events") {
		switch string(v.GetStringBytes("channel")) {
		case "l2_data":
			g := d.note(e)
			for _, u := range e.GetArray("updates") {
				g.widen(u.GetStringBytes("price_level"), u.GetStringBytes("new_quantity"))
			}
		case "market_trades":
			for _, t := range e.GetArray("trades") {
				d.note(t).widen(t.GetStringBytes("price"), t.GetStringBytes("size"))
			}
		}
	}
}

// note returns the grid of the product that v names.
func (d *discoverer) note(v *fastjson.Value) *grid {
	id := v.GetStringBytes("product_id")
	g := d.seen[string(id)]
	if g == nil {
		g = &grid{}
		if len(id) > 0 {
			d.seen[string(id)] = g
			d.order = append(d.order, string(id))
		}
	}
	return g
}

func (g *grid) widen(price, qty []byte) {
	g.price = max(g.price, wire.Decimals(price))
	g.qty = max(g.qty, wire.Decimals(qty))
}

// Listings implements wire.Discoverer.
func (d *discoverer) Listings() []wire.Listing {
	out := make([]wire.Listing, 0, len(d.order))
	for _, id := range d.order {
		l, ok := d.known[id]
		if !ok {
			// Nothing states its grid or that it trades: the data can be read, orders stay refused.
			base, quote, _ := strings.Cut(id, "-")
			g := d.seen[id]
			l = spot(base, quote, wire.Step(g.price), wire.Step(g.qty), "", "", "")
			l.Symbol, l.Status = id, venue.Unlisted
		}
		out = append(out, l)
	}
	return out
}

// product takes one entry of the product list; anything else has no grid and is passed over.
func (d *discoverer) product(v *fastjson.Value) {
	text := func(key string) string { return string(v.GetStringBytes(key)) }
	id, tick, lot := text("product_id"), text("price_increment"), text("base_increment")
	if id == "" || tick == "" || lot == "" {
		return
	}
	l := spot(text("base_currency_id"), text("quote_currency_id"), tick, lot, text("base_min_size"), text("base_max_size"), text("quote_min_size"))
	l.Symbol, l.Status = id, status(v)
	if f := v.Get("future_product_details"); text("product_type") == "FUTURE" && f != nil {
		l.Kind, l.Base, l.Multiplier = venue.Dated, string(f.GetStringBytes("contract_root_unit")), string(f.GetStringBytes("contract_size"))
		if wire.Is(f.Get("contract_expiry_type"), "PERPETUAL") {
			l.Kind = venue.Perpetual
		}
	}
	d.known[id] = l
}

// status reads the flags of a product, the most severe first.
func status(v *fastjson.Value) venue.Status {
	switch s := string(v.GetStringBytes("status")); {
	case s != "online" && s != "": // futures state none
		return venue.Unlisted
	case v.GetBool("is_disabled"), v.GetBool("trading_disabled"), v.GetBool("view_only"), v.GetBool("auction_mode"):
		return venue.Halted
	case v.GetBool("cancel_only"):
		return venue.CancelOnly
	case v.GetBool("post_only"):
		return venue.PostOnlyMode
	case v.GetBool("limit_only"):
		return venue.LimitOnly
	}
	return venue.Trading
}
