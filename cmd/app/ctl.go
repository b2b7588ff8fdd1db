package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/console"
)

// ctlRequest is what an operator asks of a running engine: a verb, what it concerns, and for the audit who asks and why.
type ctlRequest struct {
	Verb     string `json:"verb"`
	Venue    string `json:"venue,omitempty"`
	Strategy string `json:"strategy,omitempty"`
	By       string `json:"by,omitempty"`
	Why      string `json:"why,omitempty"`
}

// CtlAnswer is what the engine says: what it has done once it has done it, or why it has not. Where a request takes its
// time, more than one comes, and the last one is Done.
type CtlAnswer struct {
	OK     bool       `json:"ok"`
	Done   bool       `json:"done"`
	Said   string     `json:"said,omitempty"`
	Error  string     `json:"error,omitempty"`
	Usage  bool       `json:"usage,omitempty"` // the request is at fault, and nothing was done
	Status *CtlStatus `json:"status,omitempty"`
	Limits []CtlUse   `json:"limits,omitempty"`
}

// Queries; every other verb is a command.
const (
	verbStatus  = "status"
	verbLimits  = "limits"
	verbBreaker = "breaker"
)

// ctlVerb is what a command tells the engine, and how that is said once it is done.
type ctlVerb struct {
	kind     venue.OpKind
	said     string
	needWhy  bool
	strategy bool // it can concern one strategy
}

var ctlVerbs = map[string]ctlVerb{
	"kill":          {venue.OpKill, "killed", false, true},
	"lift":          {venue.OpLift, "lifted", true, true},
	"arm":           {venue.OpArm, "armed", false, true},
	"disarm":        {venue.OpDisarm, "disarmed", false, true},
	"reduce-only":   {venue.OpReduceOnly, "reducing only", false, true},
	"breaker-reset": {venue.OpBreakerReset, "breaker reset", false, false},
	"flatten":       {venue.OpFlatten, "flattening", false, false},
}

const (
	// appliedWithin is how long the engine may take to carry out a command before that is told as a failure.
	appliedWithin = 10 * time.Second
	mostWhy       = 200
	mostBy        = 40
)

// control answers operators. Any goroutine.
type control struct {
	l *Live
	// mu lets one command through at a time, so that none is answered with what another has done.
	mu sync.Mutex
	// operators are by their number in the audit; 0 is the engine, 1 who started the session.
	operators []string
}

// handle is a console.Handler.
func (c *control) handle(ctx context.Context, uid int, request []byte, answer func(any) error) {
	say := func(a *CtlAnswer) { _ = answer(a) } // nobody listens: what is done is done, and stands in the audit
	var q ctlRequest
	if err := json.Unmarshal(request, &q); err != nil {
		say(declined("the request cannot be read: %s", err))
		return
	}
	if q.Verb == verbStatus || q.Verb == verbLimits || q.Verb == verbBreaker {
		st, err := c.fresh(ctx, 0)
		if err != nil {
			say(&CtlAnswer{Done: true, Error: err.Error()})
			return
		}
		a := &CtlAnswer{OK: true, Done: true, Status: c.l.ctlStatus(st)}
		if q.Verb == verbLimits {
			a.Limits = c.l.ctlLimits(st)
		}
		say(a)
		return
	}
	a := c.command(ctx, uid, &q)
	say(a)
	if a.OK && !a.Done {
		c.follow(ctx, say)
	}
}

func declined(format string, args ...any) *CtlAnswer {
	return &CtlAnswer{Done: true, Usage: true, Error: fmt.Sprintf(format, args...)}
}

// command carries one out.
func (c *control) command(ctx context.Context, uid int, q *ctlRequest) *CtlAnswer {
	v, known := ctlVerbs[q.Verb]
	if !known {
		return declined("there is no command %q", q.Verb)
	}
	s, where, why := c.scope(q, v)
	if why != "" {
		return declined("%s", why)
	}
	switch {
	case v.needWhy && strings.TrimSpace(q.Why) == "":
		return declined("%s needs a reason; give one with --why, for the audit", q.Verb)
	case len(q.Why) > mostWhy || len(q.By) > mostBy:
		return declined("a reason has at most %d bytes and a name %d", mostWhy, mostBy)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	st, err := c.fresh(ctx, 0)
	if err != nil && v.kind != venue.OpKill { // which closes the gate whatever the engine does
		return &CtlAnswer{Done: true, Error: err.Error()}
	}
	if err == nil {
		if why := c.pointless(v.kind, s, where, st); why != "" {
			return declined("%s", why)
		}
	}
	if v.kind == venue.OpKill {
		c.shut(s)
	}
	who := fmt.Sprintf("%s (uid %d)", q.By, uid)
	text := who
	if q.Why != "" {
		text += ": " + ascii(q.Why)
	}
	request, err := c.l.lane.put(v.kind, s, c.number(who), text)
	if err == nil {
		st, err = c.fresh(ctx, request)
	}
	if err != nil {
		a := &CtlAnswer{Done: true, Error: err.Error()}
		if v.kind == venue.OpKill {
			a.Error += "; the gate at the sockets is closed all the same, so that no order leaves, but nothing is cancelled yet"
		}
		return a
	}
	return &CtlAnswer{OK: true, Done: v.kind != venue.OpFlatten, Said: where + ": " + v.said + c.rest(v.kind, s, st), Status: c.l.ctlStatus(st)}
}

// scope finds what a command concerns.
func (c *control) scope(q *ctlRequest, v ctlVerb) (s scope, where, why string) {
	switch {
	case q.Venue != "" && q.Strategy != "":
		return s, "", "give either a venue or a strategy"
	case q.Venue != "":
		i := slices.IndexFunc(c.l.Venues, func(e VenueEntry) bool { return e.Name == q.Venue })
		if i <= 0 {
			return s, "", fmt.Sprintf("there is no venue %s%s", quoted(q.Venue), nearest(q.Venue, c.l.venueNames()))
		}
		return scope{venue: venue.ID(i)}, q.Venue, ""
	case q.Strategy != "" && !v.strategy:
		return s, "", q.Verb + " concerns everything or one venue, not a strategy"
	case q.Strategy != "":
		i := slices.Index(c.l.StrategyNames, q.Strategy)
		if i <= 0 {
			return s, "", fmt.Sprintf("there is no strategy %s%s", quoted(q.Strategy), nearest(q.Strategy, c.l.StrategyNames[1:]))
		}
		return scope{strategy: uint16(i)}, q.Strategy, ""
	}
	return s, "everything", ""
}

// pointless says why a command would change nothing, or cannot be carried out as things are.
func (c *control) pointless(k venue.OpKind, s scope, where string, st *engine.Status) string {
	r := &st.Operator.Risk
	word := r.Word
	switch {
	case s.venue != 0:
		word = r.Venues[s.venue].Word
	case s.strategy != 0:
		word = r.Strategies[s.strategy].Word
	}
	switch {
	case k == venue.OpLift && !word.Killed:
		return fmt.Sprintf("%s is not killed; killed: %s", where, spaced(c.l.ctlStatus(st).killed()))
	case k == venue.OpFlatten && (r.Killed || s.venue != 0 && word.Killed):
		return fmt.Sprintf("%s is killed, and no order leaves; lift it first", where)
	}
	return ""
}

// rest says what a command leaves to know.
func (c *control) rest(k venue.OpKind, s scope, st *engine.Status) string {
	killed := c.l.ctlStatus(st).killed()
	switch {
	case k == venue.OpKill || k == venue.OpDisarm:
		return fmt.Sprintf("; %d orders still open, their cancels are on the way", openOf(st))
	case (k == venue.OpLift || k == venue.OpArm) && len(killed) > 0:
		return "; still killed: " + spaced(killed)
	}
	return ""
}

// shut closes the gate at the sockets at once, before the engine hears of it.
func (c *control) shut(s scope) {
	switch {
	case s.venue != 0:
		c.l.Kill.Venue(s.venue, true)
	case s.strategy != 0:
		c.l.Kill.Strategy(s.strategy, true)
	default:
		c.l.Kill.Set()
	}
}

// number is that of an operator. Under mu.
func (c *control) number(who string) uint16 {
	i := slices.Index(c.operators, who)
	if i < 0 {
		i = len(c.operators)
		c.operators = append(c.operators, who)
	}
	return uint16(min(i, 1<<16-1))
}

// fresh are the engine's figures of a moment after the call, and after it has carried out a request.
func (c *control) fresh(ctx context.Context, request uint64) (*engine.Status, error) {
	late := time.NewTimer(appliedWithin)
	defer late.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	st := new(engine.Status)
	for n := 0; ; {
		if c.l.Loop.Status(st) {
			if n++; n > 1 && st.Operator.Applied >= request { // the first may be older than the call
				return st, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("the session ends")
		case <-late.C:
			return nil, fmt.Errorf("the engine has not answered within %s", appliedWithin)
		case <-look.C:
		}
	}
}

// follow tells how flattening goes on until all is flat, or something ends it.
func (c *control) follow(ctx context.Context, say func(*CtlAnswer)) {
	last := ""
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	for {
		st, err := c.fresh(ctx, 0)
		if err != nil {
			say(&CtlAnswer{Done: true, Error: err.Error()})
			return
		}
		s := c.l.ctlStatus(st)
		text, over := s.closingText()
		switch {
		case len(st.Operator.Closing) == 0:
			say(&CtlAnswer{Done: true, Error: "another command has ended it", Status: s})
			return
		case over:
			say(&CtlAnswer{OK: true, Done: true, Said: text, Status: s})
			return
		case text != last:
			last = text
			say(&CtlAnswer{OK: true, Said: text, Status: s})
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// openOf is how many orders may still fill.
func openOf(st *engine.Status) (n int) {
	for i := range st.Working {
		n += int(st.Working[i].Buys + st.Working[i].Sells)
	}
	return n
}

// ascii is text without what a line of the audit would have to escape byte by byte.
func ascii(text string) string {
	q := strconv.QuoteToASCII(text)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// operatorName is who runs this process, or asks.
func operatorName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username[:min(len(u.Username), mostBy)]
	}
	return "unknown"
}

// starter is who started the session, as the audit names an operator.
func starter() string { return fmt.Sprintf("%s (uid %d)", operatorName(), os.Geteuid()) }

// control opens the control socket of a session. Without it a live session does not begin; another one goes on and says so.
func (l *Live) control(o *LiveOptions) (*console.Socket, error) {
	s, err := console.Listen(o.Out)
	if err == nil || o.Mode == modeLive {
		return s, err
	}
	l.faults.log.Warn(err.Error() + "; the session runs without oneprice ctl")
	return nil, nil
}
