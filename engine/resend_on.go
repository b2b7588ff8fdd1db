//go:build planted

package engine

import (
	"oneprice/books/desk"
	"oneprice/books/planted"
	"oneprice/books/venue"
)

var kept = map[uint64]venue.Command{}

// keep remembers every order for resend.
func (e *Engine) keep(c *venue.Command) {
	if planted.On(planted.ResendOnTimeout) && c.Op == venue.New {
		kept[c.Client] = *c
	}
}

// resend sends an order again that had no answer in time.
func (e *Engine) resend(o *desk.Order) {
	if c, ok := kept[o.Client]; ok {
		e.out.Commands = append(e.out.Commands, c)
	}
}
