package app

import (
	"fmt"

	"oneprice/feeds"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// FeedFormat is how a venue's market data are written on the wire.
type FeedFormat wire.Format

var feedFormats = []string{wire.JSON: "json", wire.SBE: "sbe"}

func (f FeedFormat) String() string { return feedFormats[f] }

func (f *FeedFormat) read(s string) string {
	i, what := choose(s, feedFormats...)
	*f = FeedFormat(i)
	return what
}

// feed checks that a venue has market data in the form that is asked for, and that there is a key to ask for them with.
func (v *VenueConfig) feed(w *walker, path string) {
	a, err := feeds.ByName(string(v.Adapter))
	if err != nil || wire.Format(v.Feed) != wire.SBE {
		return
	}
	path += ".feed"
	switch {
	case !a.SBE:
		w.fault(w.line(path), path, "%s has no binary market data; write json, or take the line out", a.Name)
	case v.Account == nil:
		w.fault(w.line(path), path, "the venue gives its binary market data to holders of an Ed25519 key; add to the venue: %s, or write json", accountLines)
	}
}

// form completes a feed's config with the form that c asks for at a venue, and the key for it: that of the venue's account,
// unless the edges have another.
func (e *Edges) form(c *Config, name string, f *wire.FeedConfig) error {
	v := c.Venues.Find(name)
	if f.Format = wire.Format(v.Feed); f.Format == wire.JSON {
		return nil
	}
	var known bool
	if f.Key, known = e.Keys[name]; known {
		return nil
	}
	var err error
	if f.Key, err = sign.Load(string(v.Account.Key)); err != nil {
		return &UsageError{fmt.Errorf("venues.%s.account.key, which its feed needs: %w", name, err)}
	}
	return nil
}
