package app

import (
	"fmt"

	"oneprice/books/venue"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/venuesim"
)

// replayed is a venue that says what was recorded of it.
type replayed struct{ *venuesim.Replay }

// Matches implements simulator: a recording knows no other truth than its own messages.
func (replayed) Matches(string, uint64, []venue.Level, []venue.Level) (same, known bool) {
	return false, false
}

// NewReplays serves recordings, each venue's together, so many times faster than they were recorded.
func NewReplays(e Edges, o SimOptions, paths []string, speed int64) (*Simulators, error) {
	if speed < 1 {
		return nil, &UsageError{fmt.Errorf("--speed %d: a whole number from 1 on belongs there", speed)}
	}
	survey, err := NewSurvey(paths, "", Quick)
	if err != nil {
		return nil, err
	}
	t := NewTable()
	if err := survey.Facts().Watch(t); err != nil {
		return nil, err
	}
	s, files := &Simulators{edges: e}, map[venue.ID][]string{}
	for i, id := range survey.Venues(t) {
		files[id] = append(files[id], paths[i])
	}
	for id := venue.ID(1); int(id) < len(t.Venues); id++ {
		x, err := o.venue(len(s.Venues), t.Venues[id].Name, nil)
		if err != nil {
			return nil, err
		}
		r, err := replay(t.Venues[id].Name, venuesim.ReplayConfig{Net: e.Net, Clock: e.Clock, Faults: x.faults, Address: x.address, Files: files[id], Speed: speed,
			Adapter: *t.Venues[id].Adapter, Instruments: t.Of(id)})
		if err != nil {
			return nil, err
		}
		x.sim = replayed{r}
		s.Venues = append(s.Venues, x)
	}
	return s, nil
}

func replay(adapter string, cfg venuesim.ReplayConfig) (*venuesim.Replay, error) {
	switch adapter {
	case "binance":
		return binancesim.NewReplay(binancesim.Spot, cfg)
	case "binance-usdm":
		return binancesim.NewReplay(binancesim.USDM, cfg)
	case "binance-coinm":
		return binancesim.NewReplay(binancesim.COINM, cfg)
	case "coinbase":
		return coinbasesim.NewReplay(cfg)
	}
	return krakensim.NewReplay(cfg)
}
