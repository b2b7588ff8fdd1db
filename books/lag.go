package books

import "oneprice/books/venue"

// lag is receive time less venue time, against its own rolling minimum: two halves of lagHalf each, so that the minimum
// covers between one and two halves. The offset between the two clocks cancels; what is left is lateness.
type lag struct {
	now       venue.Nanos
	least     venue.Nanos // in the half that began at since
	before    venue.Nanos // in the half before
	since     venue.Nanos
	has, last bool // least and before are set
}

const lagHalf = 30 * venue.Second

// note takes one message's times.
func (l *lag) note(recv, at venue.Nanos) {
	d := recv - at
	switch gone := recv - l.since; {
	case !l.has || gone >= 2*lagHalf:
		l.least, l.since, l.has, l.last = d, recv, true, false
	case gone >= lagHalf:
		l.before, l.last = l.least, true
		l.least, l.since = d, recv
	default:
		l.least = min(l.least, d)
	}
	l.now = d
}

// value is the last message's lateness, never negative.
func (l *lag) value() venue.Nanos {
	if !l.has {
		return 0
	}
	least := l.least
	if l.last {
		least = min(least, l.before)
	}
	return l.now - least
}
