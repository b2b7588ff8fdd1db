package journal

import (
	"hash/crc32"
	"unsafe"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/mapped"
)

// kind says what a record's body is.
type kind uint8

const (
	noKind kind = iota
	intent      // venue.Command
	report      // venue.Report
	// A checkpoint: begin, what the engine holds, end. Only a whole one counts.
	begin
	holding // position
	balance
	working // desk.Order
	end
	named  // value
	missed // gap
	closed
	kinds // count
)

// record is one fact: 256 bytes of native layout. A file is read by the machine that wrote it, or by one like it.
type record struct {
	// Sum is the CRC-32C of all that follows.
	Sum  uint32
	Kind kind
	_    [3]byte
	// Seq runs on over all files of a folder; a file that was never written to is zeros, and no record has 0.
	Seq  uint64
	At   venue.Nanos
	Body [bodyBytes]byte
}

type position struct {
	Inst           venue.Inst
	Qty            fixed.Qty
	Avg            fixed.Price
	Realised, Fees fixed.Cash
}

type free struct {
	Venue  venue.ID
	Ccy    venue.Ccy
	Amount fixed.Cash
}

// span closes a checkpoint of N records in between. The one that opens it says how many fills the run has seen before.
type span struct{ N uint64 }

type gap struct {
	N     uint64
	Since venue.Nanos
}

// value is a small named fact. Name[0] and Text[0] are lengths.
type value struct {
	Value int64
	At    venue.Nanos
	Scale uint8
	Owed  bool // the engine's: it has not been written as it is now
	Name  [MaxName + 1]byte
	Text  [MaxText + 1]byte
}

// What a value may carry.
const (
	MaxName = 63
	MaxText = 127
)

const (
	recordBytes = 256
	bodyBytes   = recordBytes - 24
	perPage     = mapped.Page / recordBytes
)

// A record is 256 bytes and every body fits. None straddles a sector, so a lost machine leaves whole records or none.
var (
	_ [recordBytes]byte = [unsafe.Sizeof(record{})]byte{}
	_ [bodyBytes - unsafe.Sizeof(venue.Command{})]byte
	_ [bodyBytes - unsafe.Sizeof(venue.Report{})]byte
	_ [bodyBytes - unsafe.Sizeof(desk.Order{})]byte
	_ [bodyBytes - unsafe.Sizeof(value{})]byte
)

// as is the body of a record. T has no pointers and fits: see above.
func as[T any](r *record) *T { return (*T)(unsafe.Pointer(&r.Body)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is what r.Sum must be.
func (r *record) sum() uint32 {
	const after = unsafe.Sizeof(r.Sum)
	return crc32.Checksum(unsafe.Slice((*byte)(unsafe.Pointer(r)), recordBytes)[after:], castagnoli)
}

func text(b []byte) string { return string(b[1 : 1+min(int(b[0]), len(b)-1)]) }
