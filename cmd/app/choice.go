package app

import (
	"strings"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/quoting"
	"oneprice/risk"
)

// Fields that hold one of a few words.
type (
	// WaitPolicy is how the engine waits for records.
	WaitPolicy engine.Policy
	// FeeIn is the currency in which a fee is charged.
	FeeIn venue.FeeIn
	// QueueModel is where a resting paper order stands in its level's queue.
	QueueModel uint8
	// Shape is the kind of cross.
	Shape desk.Shape
	// LegPolicy is how its legs leave.
	LegPolicy desk.Policy
	// Playbook is what is done when legs fill unequally.
	Playbook desk.Playbook
	// FairSource is where a fair value comes from.
	FairSource quoting.Source
	// SessionConfig is when an instrument trades.
	SessionConfig risk.Session
)

// Queue models.
const (
	// QueueBack: behind everything that was there, and what leaves the level leaves from behind us.
	QueueBack QueueModel = iota
	// QueueProRata: what leaves the level without a trade leaves evenly from before and behind us.
	QueueProRata
)

// choose finds s among words; the answer is its index, or what to write instead.
func choose(s string, words ...string) (int, string) {
	for i, w := range words {
		if s == w {
			return i, ""
		}
	}
	last := len(words) - 1
	return 0, quoted(s) + "; write " + strings.Join(words[:last], ", ") + " or " + words[last]
}

func (p *WaitPolicy) read(s string) string {
	i, what := choose(s, "spin", "park", "inline")
	*p = WaitPolicy(i)
	return what
}

func (f *FeeIn) read(s string) string {
	i, what := choose(s, "settle", "base", "quote")
	*f = FeeIn(i)
	return what
}

func (q *QueueModel) read(s string) string {
	i, what := choose(s, "back", "pro_rata")
	*q = QueueModel(i)
	return what
}

func (p *Shape) read(s string) string {
	i, what := choose(s, desk.TwoVenue.String(), desk.ComplementPair.String(), desk.Triangle.String(), desk.OutcomeSet.String())
	*p = Shape(i + 1)
	return what
}

func (p *LegPolicy) read(s string) string {
	i, what := choose(s, desk.Together.String(), desk.InTurn.String())
	*p = LegPolicy(i)
	return what
}

func (p *Playbook) read(s string) string {
	i, what := choose(s, desk.Complete.String(), desk.Unwind.String(), desk.Hold.String())
	*p = Playbook(i)
	return what
}

func (f *FairSource) read(s string) string {
	i, what := choose(s, quoting.Own.String(), quoting.Weighted.String(), quoting.External.String())
	*f = FairSource(i)
	return what
}

func (p *SessionConfig) read(s string) string {
	if s == "always" {
		*p = SessionConfig(risk.AllDay)
		return ""
	}
	from, to, ok := strings.Cut(s, "-")
	a, okA := clock(from)
	b, okB := clock(to)
	if !ok || !okA || !okB || a == b {
		return quoted(s) + "; write always, or a span of the UTC day such as 13:30-20:00"
	}
	*p = SessionConfig{Open: a, Close: b}
	return ""
}

// clock reads "13:30" as a time since midnight.
func clock(s string) (venue.Nanos, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range [4]int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	if h > 24 || m > 59 || h == 24 && m > 0 {
		return 0, false
	}
	return venue.Nanos(h*60+m) * 60 * venue.Second, true
}
