package app

import (
	"time"
	_ "time/tzdata" // the same zones on every machine

	"oneprice/books/venue"
)

// Zone is where the day of limits begins, by its IANA name.
type Zone struct{ at *time.Location }

func (z *Zone) read(s string) string {
	at, err := time.LoadLocation(s)
	if err != nil || s == "" || s == "Local" {
		return "is no time zone; write its IANA name, such as Europe/Zurich, or take the line out for UTC"
	}
	z.at = at
	return ""
}

// next is when the first day after now begins, at an hour of the zone's own clock: its days have 23 to 25 hours.
func (z Zone) next(now venue.Nanos, starts ZeroSpan) venue.Nanos {
	t := time.Unix(0, int64(now)).In(z.at)
	for day := t.Day() - 1; ; day++ {
		at := time.Date(t.Year(), t.Month(), day, 0, 0, 0, 0, z.at)
		at = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, int(time.Duration(starts)/time.Second), 0, z.at)
		if n := venue.Nanos(at.UnixNano()); n > now {
			return n
		}
	}
}
