package app

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Text writes the report for a person.
func (r *InspectReport) Text(w io.Writer) {
	fmt.Fprintf(w, "%d lines, %d damaged, %s to %s (%s)\n\n", r.Lines, r.Damaged, r.Span.From, r.Span.To, r.Span.Seconds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tVENUE\tLINES\tDAMAGED\tFAULT")
	for _, f := range r.Files {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\n", f.Path, f.Venue, f.Lines, f.Damaged, dash(f.Fault))
	}
	t.Flush()
	fmt.Fprintln(w)
	instrumentsText(w, r.Instruments)
	for _, v := range r.Venues {
		fmt.Fprintf(w, "\n%s: %d messages: %d decoded, %d ignored, %d of unknown symbols, %d duplicate, %d refused", v.Venue, v.Messages, v.Decoded, v.Ignored, v.Unknown, v.Duplicate, v.Refused)
		if v.FirstRefusedLine > 0 {
			fmt.Fprintf(w, " (first on line %d)", v.FirstRefusedLine)
		}
		fmt.Fprintln(w, ". What its rules cannot show:")
		for _, s := range v.BlindSpots {
			fmt.Fprintf(w, "  - %s\n", s)
		}
	}
}

// instrumentsText writes the instruments as a table.
func instrumentsText(w io.Writer, ins []InstrumentReport) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INSTRUMENT\tSTATE\tFRAMES\tAPPLIED\tDROPPED\tGAPS\tRESYNCS\tTOUCH=\tTOUCH≠\tCRC=\tCRC≠\tLEVELS\tBID\tASK\tRECV−VENUE (SPREAD)")
	for i := range ins {
		r := &ins[i]
		state := r.State
		if r.Why != "" {
			state += " (" + r.Why + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d+%d\t%s\t%s\t%s\n", r.Instrument, state, r.Frames, r.DiffsApplied,
			r.StaleDropped, r.Gaps, r.Resyncs, r.TouchCompared, r.TouchMismatched, r.ChecksumsVerified, r.ChecksumsFailed,
			r.BidLevels, r.AskLevels, topText(r.Top10.Bids), topText(r.Top10.Asks), offsetText(r.Offset))
	}
	t.Flush()
	for i := range ins {
		for _, b := range ins[i].Broken {
			fmt.Fprintf(w, "%s left live at line %d of file %d: %s (after update %d)\n", ins[i].Instrument, b.Line, b.File+1, b.Why, b.UpdateID)
		}
	}
}

func topText(rs []Row) string {
	if len(rs) == 0 {
		return "-"
	}
	return rs[0][1] + " @ " + rs[0][0]
}

func offsetText(o *OffsetReport) string {
	if o == nil {
		return "-"
	}
	return fmt.Sprintf("%v (%v)", time.Duration(o.Median).Round(time.Microsecond), time.Duration(o.Spread).Round(time.Microsecond))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
