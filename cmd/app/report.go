package app

import (
	"bytes"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/recording"
)

// FileReport is what was read of one file.
type FileReport struct {
	Path  string `json:"path"`
	Venue string `json:"venue"`
	Lines int64  `json:"lines"`
	// Bytes is the length of the uncompressed text.
	Bytes        int64  `json:"bytes"`
	Damaged      int64  `json:"damaged_lines"`
	FirstDamaged int64  `json:"first_damaged_line,omitempty"`
	NullTimes    int64  `json:"lines_without_time"`
	Backwards    int64  `json:"lines_with_earlier_time"`
	Fault        string `json:"fault,omitempty"`
}

// VenueReport is what became of the messages of one venue.
type VenueReport struct {
	Venue    string `json:"venue"`
	Messages uint64 `json:"messages"`
	Decoded  uint64 `json:"decoded"`
	Ignored  uint64 `json:"ignored"`
	// Unknown counts messages of symbols that the beginning of the recording did not show.
	Unknown   uint64 `json:"unknown_symbol"`
	Duplicate uint64 `json:"duplicate"`
	// Refused counts messages that are not valid for the venue, by reason; nothing of them was applied.
	Refused          uint64            `json:"refused"`
	RefusedBy        map[string]uint64 `json:"refused_by,omitempty"`
	FirstRefusedLine int64             `json:"first_refused_line,omitempty"`
	DamagedLines     uint64            `json:"damaged_lines"`
	OtherLines       uint64            `json:"other_lines"`
	Reopened         uint64            `json:"connections_reopened"`
	BlindSpots       []string          `json:"blind_spots"`
}

// InstrumentReport is the state of one book and what was counted on the way. Prices and sizes are text with the decimals
// that the venue prints.
type InstrumentReport struct {
	Instrument           string `json:"instrument"`
	Venue                string `json:"venue"`
	Symbol               string `json:"symbol"`
	State                string `json:"state"`
	Why                  string `json:"why,omitempty"`
	Frames               uint64 `json:"frames"`
	SnapshotLastUpdateID uint64 `json:"snapshot_last_update_id"`
	Snapshots            uint64 `json:"snapshots"`
	StaleDropped         uint64 `json:"stale_dropped"`
	DiffsApplied         uint64 `json:"diffs_applied"`
	Gaps                 uint64 `json:"gaps"`
	Resyncs              uint64 `json:"resyncs"`
	FinalUpdateID        uint64 `json:"final_update_id"`
	TouchCompared        uint64 `json:"touch_compared"`
	TouchMismatched      uint64 `json:"touch_mismatched"`
	ChecksumsVerified    uint64 `json:"checksums_verified"`
	ChecksumsFailed      uint64 `json:"checksums_failed"`
	Touches              uint64 `json:"touches"`
	Trades               uint64 `json:"trades"`
	BidLevels            int    `json:"bid_levels"`
	AskLevels            int    `json:"ask_levels"`
	Top10                Ladder `json:"top10"`
	// Offset is receive time less venue time of the deltas, nil when the venue gives none.
	Offset      *OffsetReport `json:"recv_minus_venue_ns,omitempty"`
	Broken      []Break       `json:"broken,omitempty"`
	Checkpoints []Checkpoint  `json:"checkpoints,omitempty"`
}

// Row is a price and a size, as text.
type Row [2]string

// Ladder is the top of both sides, best first.
type Ladder struct {
	Bids []Row `json:"bids"`
	Asks []Row `json:"asks"`
}

// OffsetReport is the spread of receive time less venue time, in nanoseconds.
type OffsetReport struct {
	Count  uint64 `json:"count"`
	Min    int64  `json:"min"`
	Median int64  `json:"median"`
	Max    int64  `json:"max"`
	Spread int64  `json:"spread"`
}

// Break is a moment at which a book left Live.
type Break struct {
	File     int    `json:"file"`
	Line     int64  `json:"line"`
	RecvNs   int64  `json:"recv_ns"`
	UpdateID uint64 `json:"update_id"`
	Why      string `json:"why"`
}

// Checkpoint is the touch of a book at an id.
type Checkpoint struct {
	Applied  uint64 `json:"applied"`
	UpdateID uint64 `json:"update_id"`
	State    string `json:"state"`
	Bid      Row    `json:"bid"`
	Ask      Row    `json:"ask"`
}

// InstrumentReport describes a book with what was decoded for it.
func (m *Market) InstrumentReport(b *books.Book) InstrumentReport {
	in, c := b.Instrument(), b.Counters()
	t := &m.tally[in.Inst]
	r := InstrumentReport{
		Instrument: in.Name, Venue: m.Table.Venues[in.Venue].Name, Symbol: in.Symbol, State: b.State().String(),
		Frames: t.Frames, SnapshotLastUpdateID: c.SnapshotSeq, Snapshots: c.Snapshots, StaleDropped: c.StaleDropped,
		DiffsApplied: c.Applied, Gaps: c.Gaps, Resyncs: c.Resyncs, FinalUpdateID: b.Seq(),
		TouchCompared: c.TouchCompared, TouchMismatched: c.TouchMismatched,
		ChecksumsVerified: c.ChecksumsVerified, ChecksumsFailed: c.ChecksumsFailed,
		Touches: t.Touches, Trades: t.Trades, BidLevels: b.Depth(venue.Buy), AskLevels: b.Depth(venue.Sell),
		Top10: Ladder{rows(b, venue.Buy, 10), rows(b, venue.Sell, 10)},
	}
	if b.State() != books.Live {
		r.Why = b.Why().String()
	}
	if o := &t.Offsets; o.N > 0 {
		r.Offset = &OffsetReport{o.N, int64(o.Min), int64(o.Median()), int64(o.Max), int64(o.Max - o.Min)}
	}
	return r
}

// VenueReports describes every venue of the table.
func (m *Market) VenueReports() []VenueReport {
	out := make([]VenueReport, 0, len(m.venues))
	for id := 1; id < len(m.venues); id++ {
		v, e := &m.venues[id], &m.Table.Venues[id]
		r := VenueReport{
			Venue: e.Name, Messages: v.Messages, Decoded: v.Outcome[venue.OK], Ignored: v.Outcome[venue.Ignored],
			Unknown: v.Outcome[venue.UnknownSymbol], Duplicate: v.Outcome[venue.Duplicate], FirstRefusedLine: v.FirstRefused,
			DamagedLines: v.Damaged, OtherLines: v.Other, Reopened: v.Reopened, BlindSpots: e.Adapter.BlindSpots,
		}
		for why, n := range v.Outcome {
			if n > 0 && refused(venue.Reason(why)) {
				if r.RefusedBy == nil {
					r.RefusedBy = map[string]uint64{}
				}
				r.Refused += n
				r.RefusedBy[venue.Reason(why).String()] = n
			}
		}
		out = append(out, r)
	}
	return out
}

// fileReports describes the files of a run.
func fileReports(in *recording.Merged, t *Table, ids []venue.ID) []FileReport {
	out := make([]FileReport, len(ids))
	for i, f := range in.Files() {
		s := f.Stats()
		out[i] = FileReport{Path: f.Path(), Venue: t.Venues[ids[i]].Name, Lines: s.Lines, Bytes: s.Bytes,
			Damaged: s.Damaged, FirstDamaged: s.FirstDamaged, NullTimes: s.NullTimes, Backwards: s.Backwards}
		if err := f.Err(); err != nil {
			out[i].Fault = err.Error()
		}
	}
	return out
}

// rows is the top of a side as the book has it, as text.
func rows(b *books.Book, side venue.Side, most int) []Row {
	in := b.Instrument()
	out := []Row{}
	for c := b.Rows(side); len(out) < most && c.Next(); {
		out = append(out, Row{textAt(int64(c.Price), in.PriceScale, in.PriceText), textAt(int64(c.Qty), in.QtyScale, in.QtyText)})
	}
	return out
}

// textAt writes a value of some scale with the decimals that its venue prints; digits beyond those, which a venue sends
// only by breaking its own rule, are kept.
func textAt(v int64, scale, decimals uint8) string {
	text := fixed.Append(nil, v, scale)
	if decimals >= scale {
		if scale == 0 && decimals > 0 {
			text = append(text, '.')
		}
		return string(append(text, bytes.Repeat([]byte{'0'}, int(decimals-scale))...))
	}
	for n := scale; n > decimals && text[len(text)-1] == '0'; n-- {
		text = text[:len(text)-1]
	}
	return string(bytes.TrimSuffix(text, []byte{'.'}))
}
