package paper

// fifo is a queue that reuses its array; it grows only when more waits than ever before. push and head return places
// that are valid until the next push.
type fifo[T any] struct {
	q    []T
	from int
}

func newFIFO[T any](n int) fifo[T] { return fifo[T]{q: make([]T, 0, n)} }

func (f *fifo[T]) len() int { return len(f.q) - f.from }

func (f *fifo[T]) head() *T { return &f.q[f.from] }

func (f *fifo[T]) pop() {
	f.from++
	if f.from == len(f.q) {
		f.q, f.from = f.q[:0], 0
	}
}

func (f *fifo[T]) push() *T {
	if len(f.q) == cap(f.q) && f.from > 0 {
		f.q = f.q[:copy(f.q, f.q[f.from:])]
		f.from = 0
	}
	var zero T
	f.q = append(f.q, zero)
	return &f.q[len(f.q)-1]
}
