package krakensim

import (
	"fmt"

	"oneprice/feeds/venuesim"
)

// NewReplay serves a recording of a v2 connection, whatever a client subscribes to. A fresh book is in no recording: a client
// that loses one has to connect again.
func NewReplay(cfg venuesim.ReplayConfig) (*venuesim.Replay, error) {
	r, err := venuesim.NewReplay(cfg, venuesim.ReplayVenue{Sockets: []string{"/v2"}, Asked: true})
	if err != nil {
		return nil, fmt.Errorf("krakensim: %w", err)
	}
	return r, nil
}
