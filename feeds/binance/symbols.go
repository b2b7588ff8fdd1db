package binance

import (
	"math/bits"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// listed is one instrument of the connection with what its scanners remember of the venue's way to print it.
type listed struct {
	inst   venue.Inst
	symbol string
	// width is the length of the symbol with its closing quote; lo and hi are those bytes as words, under masks.
	width            int
	lo, hi, mlo, mhi uint64
	price            shape
	qty              size
}

// symbols finds an instrument by the symbol in a message. Most sockets carry one instrument, or the same one many times
// in a row: so the last answer is compared first, as two masked words that include the closing quote, which needs no
// search for the end of the text. Otherwise the symbol is hashed into an open-addressing table. Symbols of more than 15
// bytes (there are a few, in UTF-8) do not fit the two words and wait in a list.
type symbols struct {
	last *listed   // nil until a symbol of at most 15 bytes is known
	slot []*listed // power of two, at most half full
	long []*listed
	only *listed // the single instrument of the connection, else nil
}

// newSymbols indexes the instruments of a connection.
func newSymbols(ins []*venue.Instrument) symbols {
	n := 4
	for n < 2*len(ins) {
		n *= 2
	}
	s := symbols{slot: make([]*listed, n)}
	for _, in := range ins {
		e := &listed{inst: in.Inst, symbol: in.Symbol, width: len(in.Symbol) + 1, price: shape{scale: in.PriceScale}, qty: size{scale: in.QtyScale}}
		e.price.guess(5, min(int(in.PriceText), 8), false)
		e.qty.guess(min(int(in.QtyText), 8))
		if len(ins) == 1 {
			s.only = e
		}
		if e.width > 16 {
			s.long = append(s.long, e)
			continue
		}
		if s.last == nil {
			s.last = e
		}
		var b [16]byte
		copy(b[:], in.Symbol+`"`)
		e.lo, e.hi = wire.Load8(b[:], 0), wire.Load8(b[:], 8)
		e.mlo, e.mhi = ones(e.width), ones(e.width-8)
		for i := hash(e.lo, e.hi); ; i++ {
			if p := &s.slot[i&uint64(n-1)]; *p == nil {
				*p = e
				break
			}
		}
	}
	return s
}

// ones is a word whose lowest n bytes are set; n is clipped to 0 and 8.
func ones(n int) uint64 {
	n = min(max(n, 0), 8)
	return uint64(1)<<(8*n) - 1 // a shift by 64 gives 0, hence all ones
}

func hash(lo, hi uint64) uint64 {
	h := (lo ^ bits.RotateLeft64(hi, 29)) * 0x9e3779b97f4a7c15
	return h >> 40
}

// at reads the symbol at b[i:], up to and with its closing quote. next is behind the quote, negative when the text does
// not look like a symbol; e is nil when the symbol is not one of the connection's.
func (s *symbols) at(b []byte, i, n int) (e *listed, next int) {
	if i >= n {
		return nil, bad
	}
	if e = s.last; e != nil && (wire.Load8(b, i)^e.lo)&e.mlo|(wire.Load8(b, i+8)^e.hi)&e.mhi == 0 {
		return e, i + e.width
	}
	return s.search(b, i, n)
}

// search is at for another symbol than the last one.
func (s *symbols) search(b []byte, i, n int) (*listed, int) {
	j := i
	for ; b[j] != '"'; j++ {
		if j >= n || b[j] == '\\' || b[j] < ' ' {
			return nil, bad
		}
	}
	return s.named(b[i:j]), j + 1
}

// named is at for a symbol whose end is known.
func (s *symbols) named(text []byte) *listed {
	if e := s.last; e != nil && e.symbol == string(text) {
		return e
	}
	e := s.find(text)
	if e != nil && e.width <= 16 {
		s.last = e
	}
	return e
}

// find looks a symbol up by its text.
func (s *symbols) find(text []byte) *listed {
	if len(text) > 15 {
		for _, e := range s.long {
			if e.symbol == string(text) {
				return e
			}
		}
		return nil
	}
	var w [16]byte
	copy(w[:], text)
	w[len(text)] = '"'
	lo, hi := wire.Load8(w[:], 0), wire.Load8(w[:], 8)
	for i := hash(lo, hi); ; i++ {
		e := s.slot[i&uint64(len(s.slot)-1)]
		if e == nil || e.lo == lo && e.hi == hi && e.width == len(text)+1 {
			return e
		}
	}
}
