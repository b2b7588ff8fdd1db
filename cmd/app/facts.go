package app

import (
	"fmt"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds"
	"oneprice/feeds/recording"
	"oneprice/feeds/wire"
)

// Facts is what a run takes from its recordings before it starts: with the config's text it determines the instrument
// table and every limit, so a tape that holds both can be replayed without the recordings. It survives JSON.
type Facts struct {
	Found  []Found      `json:"found"`
	Prices []FoundPrice `json:"prices"`
}

// Found is what recordings said of one adapter's instruments.
type Found struct {
	Adapter  string         `json:"adapter"`
	Listings []FoundListing `json:"listings"`
}

// FoundListing is a wire.Listing whose checksum is stated by name only: an adapter has one.
type FoundListing struct {
	wire.Listing
	Checksum bool `json:"Checksum"`
}

// FoundPrice is the first price seen of an instrument, as decimal text.
type FoundPrice struct {
	Instrument string `json:"instrument"`
	Price      string `json:"price"`
}

// Facts gathers what the survey found; Prices are added by FindPrices.
func (s *Survey) Facts() *Facts {
	f := &Facts{}
	for i := range s.Files {
		file := &s.Files[i]
		at := f.of(file.Adapter.Name)
		if at == nil {
			f.Found = append(f.Found, Found{Adapter: file.Adapter.Name})
			at = &f.Found[len(f.Found)-1]
		}
		for _, l := range file.Listings {
			if at.find(l.Symbol) == nil {
				at.Listings = append(at.Listings, FoundListing{l, l.Checksum != nil})
			}
		}
	}
	return f
}

func (f *Facts) of(adapter string) *Found {
	for i := range f.Found {
		if f.Found[i].Adapter == adapter {
			return &f.Found[i]
		}
	}
	return nil
}

func (f *Found) find(symbol string) *FoundListing {
	for i := range f.Listings {
		if f.Listings[i].Symbol == symbol {
			return &f.Listings[i]
		}
	}
	return nil
}

// listing is what is known of an instrument: by a recording, else by the adapter's own table. Nil when nothing is. f may
// be nil.
func (f *Facts) listing(a *wire.Adapter, symbol string) *wire.Listing {
	if f != nil {
		if at := f.of(a.Name); at != nil {
			if l := at.find(symbol); l != nil {
				return l.whole(a)
			}
		}
	}
	for i := range a.Listings {
		if a.Listings[i].Symbol == symbol {
			return &a.Listings[i]
		}
	}
	return nil
}

// whole is the listing with its checksum, which JSON cannot carry.
func (l *FoundListing) whole(a *wire.Adapter) *wire.Listing {
	out := l.Listing
	if l.Checksum && out.Checksum == nil {
		for i := range a.Listings {
			if out.Checksum = a.Listings[i].Checksum; out.Checksum != nil {
				break
			}
		}
	}
	return &out
}

// Watch adds to the table every instrument found that is not in it yet, each as a product of its own that no order may
// name.
func (f *Facts) Watch(t *Table) error {
	for i := range f.Found {
		a, err := feeds.ByName(f.Found[i].Adapter)
		if err != nil {
			return &InputError{err}
		}
		id := t.venueOf(a)
		for j := range f.Found[i].Listings {
			l := f.Found[i].Listings[j].whole(a)
			name := t.Venues[id].Name + ":" + l.Symbol
			if t.Find(name) != nil {
				continue
			}
			if err := t.AddProduct(name, []member{{venue: id, listing: *l}}, nil, nil); err != nil {
				return &InputError{fmt.Errorf("watching: %w", err)}
			}
		}
	}
	return nil
}

// FindPrices reads the beginning of the recordings until each of the instruments has shown a price, and notes the first
// of each in facts. An instrument that shows none there has none.
func (s *Survey) FindPrices(t *Table, want []venue.Inst, f *Facts) error {
	in, err := s.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	price := make([]fixed.Price, len(t.Instruments))
	left := len(want)
	wanted := make([]bool, len(t.Instruments))
	for _, i := range want {
		wanted[i] = true
	}
	note := func(i venue.Inst, p fixed.Price) {
		if wanted[i] && price[i] == 0 && p > 0 {
			price[i] = p
			left--
		}
	}
	shelf := NewShelf(t, func(b *books.Book, o books.Outcome) {
		if bid, ask := b.Best(venue.Buy), b.Best(venue.Sell); b.State() == books.Live && bid.Qty > 0 && ask.Qty > 0 {
			note(b.Instrument().Inst, bid.Price)
		}
	})
	m := NewMarket(t, s)
	for l := in.Next(); l != nil && left > 0 && l.Offset < surveyBytes; l = in.Next() {
		ev := m.Decode(l)
		for i := range ev {
			switch e := &ev[i]; e.Kind {
			case venue.Touch, venue.Trade: // both begin with a price
				note(e.Inst, fixed.Price(e.W[0]))
			}
		}
		shelf.Apply(ev)
	}
	for _, i := range want {
		if inst := t.Instruments[i]; price[i] != 0 {
			f.Prices = append(f.Prices, FoundPrice{inst.Name, string(fixed.AppendTrim(nil, int64(price[i]), inst.PriceScale))})
		}
	}
	return nil
}

// Venues is the venue of each file.
func (s *Survey) Venues(t *Table) []venue.ID {
	ids := make([]venue.ID, len(s.Files))
	for i := range s.Files {
		ids[i] = t.venueOf(s.Files[i].Adapter)
	}
	return ids
}

// Open opens every file of the survey, merged on receive time.
func (s *Survey) Open() (*recording.Merged, error) {
	var rs []*recording.Reader
	for _, f := range s.Files {
		r, err := recording.OpenFile(f.Path)
		if err != nil {
			recording.Merge(rs...).Close()
			return nil, &InputError{err}
		}
		rs = append(rs, r)
	}
	return recording.Merge(rs...), nil
}

func symbols(a *wire.Adapter) []string {
	out := make([]string, len(a.Listings))
	for i := range a.Listings {
		out[i] = a.Listings[i].Symbol
	}
	return out
}
