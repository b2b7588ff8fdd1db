package engine

import "oneprice/books/venue"

// Shadow keeps the path from a message to an order warm while nothing arrives. A path that runs once in a millisecond has
// lost its caches and branch predictions in between and takes several times as long as in a loop; playing a message
// through a second instance of everything, every few microseconds, keeps the code of the first one warm. The second
// instance has its own books, orders, limits and rings, and edges that lead nowhere, so that nothing of it is ever
// recorded or sent; this type only says when it plays.
//
// One goroutine, the one that waits.
type Shadow struct {
	clock venue.Clock
	every venue.Nanos
	play  func()
	next  venue.Nanos
	plays uint64
}

// NewShadow makes a shadow that calls play while idle, once in every so often: 5 µs with a play of less than one delays
// a real message, by that play at most, less than one time in five.
func NewShadow(clock venue.Clock, every venue.Nanos, play func()) *Shadow {
	return &Shadow{clock: clock, every: every, play: play}
}

// Idle is called between two looks for work that found none.
func (s *Shadow) Idle() {
	if now := s.clock.Now(); now >= s.next {
		s.plays++
		s.play()
		s.next = now + s.every
	}
}

// Plays is how often it has played.
func (s *Shadow) Plays() uint64 { return s.plays }
