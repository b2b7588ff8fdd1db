// Package journal keeps what a restart must know: every order before it leaves, what the venues answered, every fill with
// its trade id in full, kills, and small values such as a day's order count. Read turns a folder into plain facts.
//
// A folder holds: lock (one engine at a time), fence.json (the epochs and their reserved ids), journal-NNNNNN (records).
//
// Ownership: whoever owns Step owns Intent, Report, Operator, Room, Note, Checkpoint and End. Run, Sync and Close are the
// cold side, any goroutine. Read reads a folder at any time.
//
// Decisions
//   - 2026-11-25: a record is a copy into mapped memory (engine/mapped) that carries its own CRC-32C over everything and
//     its number: no index to store, none to be wrong. What is written survives a killed process without any system call;
//     Run syncs it every 100 ms for a lost machine, and Durable says up to where.
//   - 2026-11-25: only the pages written are synced, never those ahead, and the page at work is faulted in again by Run, so
//     that the engine's next store seldom meets a page whose write permission the sync has taken.
//   - 2026-11-25: the state machine of recovery is engine/orders' own, fed with the same commands and reports. There is no
//     second idea of what a report does. Positions and balances are those of the last checkpoint; the fills since are
//     listed whole for the ledger to book again, since only the ledger knows exact cost.
//   - 2026-11-25: indices change between runs, so every file begins with the table of names and scales, and State speaks in
//     names.
//   - 2026-11-25: a report that finds no room is not kept for later; that it is missing is (State.Missed), and recovery asks
//     the venue from then on. Rejected: a backlog, which would grow without bound while the disk hangs.
//   - 2026-11-25: the epoch is a counter in fence.json, raised and synced before anything else, and never below
//     what the caller gives: a folder can be lost, and the venues' memory of our ids cannot.
package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"oneprice/books/venue"
	"oneprice/engine/mapped"
)

// Config says where and how to write. Zero fields take the defaults named at them.
type Config struct {
	// Dir is a folder of the journal's own; it is created when missing.
	Dir string
	// Least is the least epoch that the run may have; it is above every earlier one in the folder as well.
	Least uint64
	// Fingerprint is the configuration's.
	Fingerprint uint64
	// Instruments, Venues, Currencies and Strategies name the numbers in commands and reports; entry 0 of each is unused.
	Instruments []*venue.Instrument
	Venues      []string
	Strategies  []string
	Currencies  []string
	// Capacity is the records of one file. Default 65,536.
	Capacity int
	// Keep is how many files behind the last checkpoint stay: the horizon within which a fill is known again. Default 4.
	Keep int
	// Block is how many ids one reservation adds. Default 4,096.
	Block uint64
	// SyncEvery is how often Run makes durable what is written. Default 100 ms.
	SyncEvery time.Duration
	// FreeBytesMin is what must remain free on the file system. Default 64 MiB.
	FreeBytesMin uint64
	// Clock stamps what is durable.
	Clock venue.Clock
}

func (c *Config) complete() error {
	if c.Capacity == 0 {
		c.Capacity = 1 << 16
	}
	if c.Keep == 0 {
		c.Keep = 4
	}
	if c.Block == 0 {
		c.Block = 4096
	}
	if c.SyncEvery == 0 {
		c.SyncEvery = 100 * time.Millisecond
	}
	if c.FreeBytesMin == 0 {
		c.FreeBytesMin = 64 << 20
	}
	if c.Capacity < 16 || c.Capacity%perPage != 0 {
		return fmt.Errorf("journal: the capacity must be a multiple of %d, not %d", perPage, c.Capacity)
	}
	for v, name := range c.Venues {
		if v > 0 && (name == "" || len(killName(name)) > MaxName) {
			return fmt.Errorf("journal: venue %d: the name %q is empty or too long", v, name)
		}
	}
	for s, name := range c.Strategies {
		if s > 0 && (name == "" || len(stopName(name)) > MaxName) {
			return fmt.Errorf("journal: strategy %d: the name %q is empty or too long", s, name)
		}
	}
	return nil
}

// Journal is both sides. Make it with Open.
type Journal struct {
	cfg   Config
	epoch uint64
	state *State

	// The engine's own.
	cells       []record
	pos         int    // in cells
	seq         uint64 // of the last record
	id, limit   uint64 // the last id used, and the last look at reserved
	kept        int    // records that only cancels, reports and values may take
	missed      uint64 // reports that found no room and are not yet confessed
	missedSince venue.Nanos
	fills       uint64 // told since Open
	values      []value
	kills       []int // by venue: its place in values
	stops       []int // by strategy: its place in values
	owing       bool  // missed or a value is still to be written

	_       [64]byte
	written atomic.Uint64                      // seq, for Run
	used    atomic.Uint64                      // an id near the end of the reserved ones, for Run
	point   struct{ begin, end atomic.Uint64 } // of the last checkpoint, for Run; end is stored first
	_       [64]byte
	// The cold side's, read by the engine.
	next     atomic.Pointer[segment]
	reserved atomic.Uint64
	broken   atomic.Bool // a sync failed: nothing written since is sure to be durable
	durable  struct{ seq, at atomic.Uint64 }

	mu    sync.Mutex // guards what follows
	fence fence
	names []byte // the session as each file carries it
	segs  []*segment
	old   []file // of earlier runs, and unmapped ones of this
	lock  *os.File
}

// Open locks the folder, raises and syncs the epoch, reads what earlier runs left, and begins a file. The State is what
// recovery starts from.
func Open(cfg Config) (*Journal, *State, error) {
	if err := cfg.complete(); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	lock, err := mapped.Lock(cfg.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{cfg: cfg, lock: lock, kept: cfg.Capacity / 8}
	if err := j.start(); err != nil {
		return nil, nil, errors.Join(err, j.unmap(), lock.Close())
	}
	return j, j.state, nil
}

// start fences earlier runs off, reads them, and begins this one.
func (j *Journal) start() error {
	var err error
	if j.fence, err = raise(&j.cfg); err != nil {
		return err
	}
	j.epoch = j.fence.last().Epoch
	if j.state, j.old, err = read(j.cfg.Dir); err != nil {
		return err
	}
	if j.epoch <= j.state.Epoch {
		return fmt.Errorf("journal: %s: epoch %d is not after the last one, %d", j.cfg.Dir, j.epoch, j.state.Epoch)
	}
	if err := j.forget(); err != nil {
		return err
	}
	if j.names, err = newSession(j.epoch, &j.cfg).text(); err != nil {
		return err
	}
	number := uint64(1)
	if n := len(j.old); n > 0 {
		number = j.old[n-1].number + 1
	}
	s, err := j.create(number, j.state.last+1)
	if err != nil {
		return err
	}
	j.cells, j.seq = s.cells, j.state.last
	j.limit = j.fence.last().Reserved
	j.reserved.Store(j.limit)
	j.written.Store(j.seq)
	j.durable.seq.Store(j.seq)
	j.durable.at.Store(uint64(j.cfg.Clock.Now()))
	j.adopt(j.state.Values)
	return nil
}

// forget removes the files that a killed run had made ahead and never used.
func (j *Journal) forget() error {
	n := len(j.old)
	for n > 0 && j.old[n-1].records == 0 {
		n--
		if err := os.Remove(j.old[n].path(j.cfg.Dir)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	j.old = j.old[:n]
	return nil
}

// Epoch is the run's number, for orders.New.
func (j *Journal) Epoch() uint64 { return j.epoch }

// Reserved is the highest sequence of a client id that may be used. Any goroutine.
func (j *Journal) Reserved() uint64 { return j.reserved.Load() }

// Durable is up to where a lost machine loses nothing: the number of a record, and an instant before which everything put
// was synced. Any goroutine.
func (j *Journal) Durable() (seq uint64, at venue.Nanos) {
	seq = j.durable.seq.Load()
	return seq, venue.Nanos(j.durable.at.Load())
}
