package books

import (
	"math/bits"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// side is one side of a book: a window of ticks around the touch, held as quantities by offset with a two-level bitmap,
// and every worse level in far. Levels are named by key, the tick number for bids and its negative for asks, so that on
// both sides the higher key is the better price and one code serves both.
//
// Invariants: the best level is in the window; far holds only keys below base; a quantity is not 0 exactly when its bit
// is set; base moves by whole words of 64 ticks.
type side struct {
	qty   []int64
	words [maxWords + 1]uint64    // one bit per quantity, and one empty word so that below may start past the end
	sum   [maxWords/64 + 1]uint64 // one bit per word, and one empty word likewise
	base  int64                   // key of qty[0]
	best  int64                   // offset of the best level, −1 when the side is empty
	n     int                     // levels in window and far
	sign  int64                   // +1 bids, −1 asks
	step  int64                   // sign × tick: price = key × step
	far   far
}

// maxWords bounds the window.
const maxWords = 128

// newSides makes the two empty sides of a book. The touch lies at the same place of every window and windows are a power of
// two long: left alone, the lines that matter of all books would compete for the same few sets of the cache. So the windows
// of each book start at another of 128 lines, in a room that is so much larger.
func newSides(window int, tick fixed.Price, i venue.Inst) [2]side {
	const lines, words = 128, 8
	room := make([]int64, 2*window+lines*words)[int(i)*29%lines*words:]
	return [2]side{newSide(room[:window:window], 1, tick), newSide(room[window:2*window:2*window], -1, tick)}
}

func newSide(qty []int64, sign int64, tick fixed.Price) side {
	return side{qty: qty, base: nowhere, best: -1, sign: sign, step: sign * int64(tick)}
}

// nowhere is the base of an empty side: no key is in its window, so the first level always goes through setOutside and
// puts the window where the touch is.
const nowhere = 1 << 62

// set writes the quantity of a key; 0 deletes. Whether the level was there, is now, and improves the touch is random to
// the processor, so all of these run the same instructions; only the loss of the best level is a branch.
func (s *side) set(k, q int64) {
	i := uint64(k - s.base)
	if i >= uint64(len(s.qty)) {
		s.setOutside(k, q)
		return
	}
	is := bit(q != 0)
	s.n += int(is) - int(bit(s.qty[i] != 0))
	s.qty[i] = q
	w := i >> 6 % maxWords
	x := s.words[w]&^(1<<(i&63)) | is<<(i&63)
	s.words[w] = x
	s.sum[w/64] = s.sum[w/64]&^(1<<(w%64)) | bit(x != 0)<<(w%64)
	best := s.best
	if uint64(q)|(uint64(best)^i) == 0 {
		s.worsen(best)
		return
	}
	s.best = max(best, int64(i|(is-1))) // is−1 is all ones for a deletion, which makes −1 of the offset
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// worsen finds the next best below a deleted offset, fetching it from far when the window has run low or out.
func (s *side) worsen(i int64) {
	s.best = s.below(i)
	if s.best >= int64(len(s.qty))/4 {
		return
	}
	switch {
	case s.best >= 0:
		s.recentre(s.base + s.best)
	case s.far.n > 0:
		s.recentre(s.far.top())
	default:
		s.base = nowhere
	}
}

// setOutside writes a key that is outside the window.
func (s *side) setOutside(k, q int64) {
	if k < s.base && s.n > 0 {
		s.n += s.far.set(k, q)
		return
	}
	if q == 0 {
		return
	}
	s.recentre(k)
	i := k - s.base
	s.qty[i] = q
	s.mark(i)
	s.best = i
	s.n++
}

// mark sets the bits of offset i.
func (s *side) mark(i int64) {
	w := uint64(i) >> 6 % maxWords
	s.words[w] |= 1 << (uint64(i) & 63)
	s.sum[w/64] |= 1 << (w % 64)
}

// below is the highest occupied offset under i, −1 when there is none. i may be one past the window.
func (s *side) below(i int64) int64 {
	w := uint64(i) >> 6
	if x := s.words[w] & (1<<(uint64(i)&63) - 1); x != 0 {
		return int64(w<<6) + int64(bits.Len64(x)) - 1
	}
	v := w / 64
	x := s.sum[v] & (1<<(w%64) - 1)
	for x == 0 {
		if v == 0 {
			return -1
		}
		v--
		x = s.sum[v]
	}
	w = v*64 + uint64(bits.Len64(x)) - 1
	return int64(w<<6) + int64(bits.Len64(s.words[w])) - 1
}

// recentre moves the window so that key k, the best one, stands at three quarters of it: a book is deep behind its touch
// and shallow in front. What leaves at the bottom goes to far, what enters comes from there; nothing can leave at the top
// since k is the best.
func (s *side) recentre(k int64) {
	window := int64(len(s.qty))
	base := (k - window/4*3) &^ 63
	shift := base - s.base
	switch {
	case shift > 0:
		s.evict(min(shift, window))
		if shift < window {
			s.slide(shift)
		}
	case shift < 0 && -shift < window:
		s.slide(shift)
	}
	s.base = base
	if s.best >= 0 {
		s.best -= shift
	}
	s.fetch()
}

// evict moves the levels of the lowest offsets under end into far and leaves them empty.
func (s *side) evict(end int64) {
	for w := range end / 64 {
		x := s.words[w]
		for ; x != 0; x &= x - 1 {
			i := w<<6 + int64(bits.TrailingZeros64(x))
			s.far.push(s.base+i, s.qty[i])
			s.qty[i] = 0
		}
		s.words[w] = 0
		s.sum[w/64] &^= 1 << uint64(w%64)
	}
}

// slide moves the content by shift offsets, a multiple of 64, and empties what it uncovers. What would leave the window
// is empty already.
func (s *side) slide(shift int64) {
	window := int64(len(s.qty))
	words := s.words[:window/64]
	if shift > 0 {
		copy(s.qty, s.qty[shift:])
		clear(s.qty[window-shift:])
		copy(words, words[shift/64:])
		clear(words[(window-shift)/64:])
	} else {
		copy(s.qty[-shift:], s.qty)
		clear(s.qty[:-shift])
		copy(words[-shift/64:], words)
		clear(words[:-shift/64])
	}
	s.sum = [len(s.sum)]uint64{}
	for w, x := range words {
		s.sum[w/64] |= bit(x != 0) << (w % 64)
	}
}

// fetch takes from far every level that the window now covers.
func (s *side) fetch() {
	for s.far.n > 0 && s.far.top() >= s.base {
		k, q := s.far.pop()
		i := k - s.base
		s.qty[i] = q
		s.mark(i)
		s.best = max(s.best, i)
	}
}

// trim cuts the worst levels beyond depth.
func (s *side) trim(depth int) {
	for s.n > depth {
		if s.far.n > 0 {
			s.n += s.far.set(s.far.bottom(), 0)
			continue
		}
		s.set(s.base+s.lowest(), 0)
	}
}

// lowest is the lowest occupied offset of a window that is not empty.
func (s *side) lowest() int64 {
	w := 0
	for w < len(s.words)-1 && s.words[w] == 0 {
		w++
	}
	return int64(w<<6 + bits.TrailingZeros64(s.words[w]))
}

// clear empties the side and keeps its storage.
func (s *side) clear() {
	if s.n == 0 {
		return
	}
	clear(s.qty)
	s.words, s.sum = [len(s.words)]uint64{}, [len(s.sum)]uint64{}
	s.far.clear()
	s.best, s.n, s.base = -1, 0, nowhere
}

// at is the quantity of a key.
func (s *side) at(k int64) int64 {
	i := k - s.base
	if uint64(i) < uint64(len(s.qty)) {
		return s.qty[i]
	}
	if k > s.base {
		return 0
	}
	return s.far.at(k)
}

// touch is the best level, the zero Level when the side is empty.
func (s *side) touch() venue.Level {
	i := s.best
	if i < 0 {
		return venue.Level{}
	}
	return venue.Level{Price: fixed.Price((s.base + i) * s.step), Qty: fixed.Qty(s.qty[i])}
}
