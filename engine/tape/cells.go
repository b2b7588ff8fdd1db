package tape

import (
	"unsafe"

	"oneprice/books/venue"
)

// A cell is 64 bytes, the size of an Event. Events are cells as they are, a Report is two. The casts below are the whole
// of this package's unsafe code; they hold because neither type has pointers or padding (asserted here and in a test).
const (
	cellBytes   = int(unsafe.Sizeof(venue.Event{}))
	reportCells = int(unsafe.Sizeof(venue.Report{})) / cellBytes
)

var (
	_ [64]byte  = [unsafe.Sizeof(venue.Event{})]byte{}
	_ [128]byte = [unsafe.Sizeof(venue.Report{})]byte{}
)

// opening is the Kind of the cell that opens a drain: no Event has it.
const opening venue.EventKind = 0xff

// setOpening makes e the first cell of a drain.
func setOpening(e *venue.Event, now venue.Nanos, drain uint64, events, reports int) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = opening, 0, 0, 0, 0, drain
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(now), int64(events), int64(reports), 0, 0, 0
}

// ofReports sees reports as cells.
func ofReports(rs []venue.Report) []venue.Event {
	if len(rs) == 0 {
		return nil
	}
	return unsafe.Slice((*venue.Event)(unsafe.Pointer(unsafe.SliceData(rs))), len(rs)*reportCells)
}

// bytesOf sees cells as bytes, in the machine's byte order.
func bytesOf(cells []venue.Event) []byte {
	if len(cells) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(cells))), len(cells)*cellBytes)
}
