package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"oneprice/engine/mapped"
)

// poll is how often Run looks whether ids or room grow short.
const poll = 5 * time.Millisecond

// Run reserves ids, makes the next file ahead, syncs, and removes what a checkpoint has made needless, until ctx ends. An
// error means that durability is lost: from then on no order is allowed, and the process should stop. A failed sync is
// never tried again: the kernel may have dropped what it could not write, and would say that all is well.
func (j *Journal) Run(ctx context.Context) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	every := max(int(j.cfg.SyncEvery/poll), 1)
	for n := 0; ; n++ {
		if err := j.tend(n%every == 0); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return j.Sync()
		case <-tick.C:
		}
	}
}

// Sync makes everything put so far durable. Any goroutine but the engine's.
func (j *Journal) Sync() error { return j.tend(true) }

// tend is one duty cycle of Run.
func (j *Journal) tend(sync bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken.Load() {
		return errors.New("journal: a sync has failed before; what is durable since is not known")
	}
	err := j.reserve()
	if err == nil {
		err = j.ahead()
	}
	if err == nil && sync {
		err = j.sync()
	}
	if err != nil {
		j.broken.Store(true)
	}
	return err
}

// reserve allows another block of ids when half of the last is used.
func (j *Journal) reserve() error {
	r := &j.fence.Ranges[len(j.fence.Ranges)-1]
	used := j.used.Load()
	if used+j.cfg.Block/2 <= r.Reserved {
		return nil
	}
	r.Reserved = max(r.Reserved, used) + j.cfg.Block
	if err := j.fence.write(j.cfg.Dir); err != nil {
		return err
	}
	j.reserved.Store(r.Reserved)
	return nil
}

// ahead has the next file ready before the engine needs it.
func (j *Journal) ahead() error {
	if j.next.Load() != nil {
		return nil
	}
	last := j.segs[len(j.segs)-1]
	s, err := j.create(last.number+1, last.end())
	if err != nil {
		return err
	}
	j.next.Store(s)
	return nil
}

// sync makes durable what is written, then says so.
func (j *Journal) sync() error {
	at, to := j.cfg.Clock.Now(), j.written.Load() // in this order: all that was put before at is in
	from := j.durable.seq.Load() + 1
	if to >= from {
		for _, s := range j.segs {
			if err := s.sync(from, to+1); err != nil {
				return err
			}
		}
	}
	j.durable.seq.Store(to)
	j.durable.at.Store(uint64(at))
	for len(j.segs) > 1 && to >= j.segs[1].first { // the engine has turned the page for good
		done := j.segs[0]
		done.records = len(done.cells)
		j.old, j.segs = append(j.old, done.file), j.segs[1:]
		if err := mapped.Unmap(done.mem); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	j.segs[0].state(to, at)
	return j.prune()
}

// prune removes files whose every record is older than the last durable checkpoint, but for the newest Keep.
func (j *Journal) prune() error {
	point := j.point.begin.Load()
	if point == 0 || j.point.end.Load() > j.durable.seq.Load() {
		return nil
	}
	n := 0
	for n+j.cfg.Keep < len(j.old) && j.oldEnd(n) <= point {
		if err := os.Remove(j.old[n].path(j.cfg.Dir)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		n++
	}
	j.old = j.old[n:]
	if n == 0 {
		return nil
	}
	return mapped.SyncDir(j.cfg.Dir)
}

// oldEnd is the first record behind an old file.
func (j *Journal) oldEnd(i int) uint64 {
	if i+1 < len(j.old) {
		return j.old[i+1].first
	}
	return j.segs[0].first
}

// Close makes everything durable and gives the folder back. Run and the engine must have stopped: later puts find no room.
func (j *Journal) Close() error {
	err := j.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.next.Swap(nil); s != nil {
		err = errors.Join(err, os.Remove(s.path(j.cfg.Dir)))
	}
	j.cells, j.pos = nil, 0
	return errors.Join(err, j.unmap(), j.lock.Close())
}

func (j *Journal) unmap() error {
	var err error
	for _, s := range j.segs {
		err = errors.Join(err, mapped.Unmap(s.mem))
	}
	j.segs = nil
	return err
}
