package binance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

func TestQuick(t *testing.T) {
	for _, c := range []struct {
		file string
		a    wire.Adapter
	}{{"binance/spot-btcusdt.jsonl.gz", Spot}, {"binance/usdm-btcusdt.jsonl.gz", USDM}, {"binance/cm-btcusd_perp.jsonl.gz", COINM}, {"binance/us-spot-4sym-20211012.jsonl.gz", Spot}} {
		ls := wiretest.Lines(t, c.file)
		d := c.a.Discover()
		for _, l := range ls {
			d.Line(l.Kind, l.URL, l.Msg)
		}
		t.Logf("%+v", d.Listings())
		ins := wiretest.Instruments(t, d.Listings(), 0, 0)
		dec := c.a.Decoder(wiretest.Venue, ins).(*Decoder)
		n := map[venue.Reason]int{}
		slow := 0
		for _, l := range ls {
			if l.Kind == "rest" {
				ev, why := dec.Rest(l.Recv, l.URL, l.Msg)
				t.Log(len(ev), why, l.URL)
				if why == venue.OK {
					wiretest.WellFormed(t, ev)
				}
				continue
			}
			if l.Kind != "ws" {
				continue
			}
			ev, why := dec.scan(l.Recv, l.Msg[:len(l.Msg)+wire.Slack], len(l.Msg))
			if why == venue.NotMyShape {
				slow++
				if slow < 3 {
					t.Log(string(l.Msg[:min(300, len(l.Msg))]))
				}
			}
			got := append([]venue.Event(nil), ev...)
			ev2, why2 := dec.fallback(l.Recv, l.Msg)
			n[why2]++
			if why == venue.OK {
				require.Equal(t, venue.OK, why2)
				wiretest.WellFormed(t, got)
				wiretest.Same(t, ev2, got)
			}
		}
		t.Log(n, slow)
	}
}
