package books

import "slices"

// far keeps the levels that are too far from the touch for the window, in ascending key order, as short sorted runs: an
// update moves at most one run of memory however many levels there are, and levels that cross the window's edge are
// pushed and popped at the end. Runs are recycled, so a book that has once been as wide as it gets allocates no more.
type far struct {
	low  []int64 // lowest key of each run
	runs []*run
	free []*run
	n    int
}

// runLen is the capacity of a run: 1 KiB, what a core moves in about 20 ns.
const runLen = 64

type run struct {
	n   int
	key [runLen]int64
	qty [runLen]int64
}

// find is the run that holds k or would, and the offset of the first key in it that is not under k. Which half a search
// goes into is random to the processor, so both searches halve without a branch.
func (f *far) find(k int64) (r, i int) {
	if len(f.runs) == 0 {
		return 0, 0
	}
	low := f.low
	for n := len(low); n > 1; {
		half := n / 2
		m := r + half
		if low[m] <= k {
			r = m
		}
		n -= half
	}
	x := f.runs[r]
	for n := x.n; n > 0; {
		half := (n + 1) / 2
		m := i + half
		if x.key[(m-1)%runLen] < k {
			i = m
		}
		n -= half
	}
	return r, i
}

// at is the quantity of a key, 0 when it is not there.
func (f *far) at(k int64) int64 {
	if f.n == 0 {
		return 0
	}
	r, i := f.find(k)
	if x := f.runs[r]; i < x.n && x.key[i] == k {
		return x.qty[i]
	}
	return 0
}

// set writes the quantity of a key, 0 deletes, and returns the change in the number of levels.
func (f *far) set(k, q int64) int {
	if f.n == 0 {
		if q == 0 {
			return 0
		}
		f.push(k, q)
		return 1
	}
	r, i := f.find(k)
	x := f.runs[r]
	switch hit := i < x.n && x.key[i] == k; {
	case hit && q != 0:
		x.qty[i] = q
		return 0
	case hit:
		f.remove(r, i)
		return -1
	case q == 0:
		return 0
	}
	f.insert(r, i, k, q)
	return 1
}

func (f *far) insert(r, i int, k, q int64) {
	x := f.runs[r]
	if x.n == runLen {
		if r == len(f.runs)-1 && i == runLen {
			f.push(k, q)
			return
		}
		r, i = f.split(r, i)
		x = f.runs[r]
	}
	copy(x.key[i+1:x.n+1], x.key[i:x.n])
	copy(x.qty[i+1:x.n+1], x.qty[i:x.n])
	x.key[i], x.qty[i] = k, q
	x.n++
	f.low[r] = x.key[0]
	f.n++
}

// split halves the full run r and returns where offset i of it is now.
func (f *far) split(r, i int) (int, int) {
	const half = runLen / 2
	x, y := f.runs[r], f.fresh()
	copy(y.key[:half], x.key[half:])
	copy(y.qty[:half], x.qty[half:])
	x.n, y.n = half, half
	f.runs = slices.Insert(f.runs, r+1, y)
	f.low = slices.Insert(f.low, r+1, y.key[0])
	if i > half {
		return r + 1, i - half
	}
	return r, i
}

func (f *far) remove(r, i int) {
	x := f.runs[r]
	copy(x.key[i:], x.key[i+1:x.n])
	copy(x.qty[i:], x.qty[i+1:x.n])
	x.n--
	f.n--
	if x.n > 0 {
		f.low[r] = x.key[0]
	}
	if x.n < runLen/4 {
		f.merge(r)
	}
}

// merge drops the run r when it is empty, or joins a short run with a neighbour that leaves room for more.
func (f *far) merge(r int) {
	if f.runs[r].n == 0 {
		f.drop(r)
		return
	}
	for _, a := range [2]int{r - 1, r} {
		if a < 0 || a+1 >= len(f.runs) {
			continue
		}
		x, y := f.runs[a], f.runs[a+1]
		if x.n+y.n > runLen/4*3 {
			continue
		}
		copy(x.key[x.n:], y.key[:y.n])
		copy(x.qty[x.n:], y.qty[:y.n])
		x.n += y.n
		f.drop(a + 1)
		return
	}
}

func (f *far) drop(r int) {
	f.free = append(f.free, f.runs[r])
	f.runs = slices.Delete(f.runs, r, r+1)
	f.low = slices.Delete(f.low, r, r+1)
}

// fresh is an empty run, from the free ones where there are any.
func (f *far) fresh() *run {
	if n := len(f.free); n > 0 {
		x := f.free[n-1]
		f.free = f.free[:n-1]
		x.n = 0
		return x
	}
	return new(run)
}

// push adds a key above all others.
func (f *far) push(k, q int64) {
	last := len(f.runs) - 1
	if last < 0 || f.runs[last].n == runLen {
		f.runs = append(f.runs, f.fresh())
		f.low = append(f.low, k)
		last++
	}
	x := f.runs[last]
	x.key[x.n], x.qty[x.n] = k, q
	x.n++
	f.n++
}

// pop removes and returns the highest key. The far must not be empty.
func (f *far) pop() (k, q int64) {
	last := len(f.runs) - 1
	x := f.runs[last]
	x.n--
	f.n--
	k, q = x.key[x.n], x.qty[x.n]
	if x.n == 0 {
		f.drop(last)
	}
	return k, q
}

// top and bottom are the highest and lowest key. The far must not be empty.
func (f *far) top() int64 {
	x := f.runs[len(f.runs)-1]
	return x.key[x.n-1]
}

func (f *far) bottom() int64 { return f.low[0] }

func (f *far) clear() {
	f.free = append(f.free, f.runs...)
	clear(f.runs)
	f.runs, f.low, f.n = f.runs[:0], f.low[:0], 0
}
