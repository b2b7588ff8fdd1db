// Package audit writes every decision, verdict, order, report, breaker change, operator action and book trust change to
// disk, in order, so that nothing of it can be lost, doubled or altered unnoticed.
//
// A folder holds: lock (one engine at a time), ring (the memory-mapped hot side), trades_YYYY-MM-DD.jsonl (one line per
// record, each with the SHA-256 of the chain so far and itself) and head.json (where the proven part ends).
//
// Ownership: whoever owns Step owns Ring.Put. The Writer belongs to one goroutine: Run's, or the caller of Drain where
// the engine writes in between its steps (backtest). Verify, Tail and Show read the folder at any time.
//
// Decisions
//   - 2026-11-25: the hot side is a copy into mapped memory (engine/mapped) and one atomic store. It is never synced; it
//     survives a killed process, while fsync of the files is what survives a lost machine. The kernel's own write-back
//     takes the pages' write permission now and then, which costs a Put 3 us; a folder on tmpfs has none of it.
//   - 2026-11-25: a record leaves the ring after its line is on disk and the head that counts it is published. Whatever
//     fails in between, the file is cut back to the head and the batch is written again, byte for byte: no partial
//     state to reason about.
//   - 2026-11-25: the ring carries the session's names and scales, so that the records of a killed session are written
//     with its own table by whatever starts next.
//   - 2026-11-25: a line goes to the file of its record's UTC day, but never to one before the last: file order is chain
//     order even when a clock, or a backtest into the same folder, goes back.
//   - 2026-11-25: 256-byte records with a name for every field instead of a union of 128-byte payloads: twice the copy,
//     none of the casts.
package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"oneprice/engine/mapped"
)

// Config says where and how to write. Zero fields take the defaults named at them.
type Config struct {
	// Dir is the folder; it is created when missing.
	Dir string
	// Epoch numbers the session and must be above every earlier one in the folder. 0: one above the last.
	Epoch uint64
	// Capacity is the records that fit in the ring, a power of two. Default 65,536.
	Capacity int
	// FreeBytesMin is what must remain free on the file system beyond the ring. Default 64 MiB.
	FreeBytesMin uint64
	// NoSync leaves fsync to Close: for backtests, where a lost machine means another run.
	NoSync bool
	// Poll is how long Run sleeps when the ring is empty. Default 1 ms.
	Poll time.Duration
	// Fault, where set, hears from Run when writing begins to fail, and nil when it works again.
	Fault func(error)
	// Catalogue names what the records' numbers mean.
	Catalogue Catalogue
}

const (
	defaultCapacity = 1 << 16
	defaultFree     = 64 << 20
	defaultPoll     = time.Millisecond
	retryAfter      = 250 * time.Millisecond
)

// Recovered says what Open found of the session before.
type Recovered struct {
	// Epoch is the session's, Records how many of its records were still to be written.
	Epoch   uint64 `json:"epoch"`
	Records int    `json:"records"`
	// Torn: a half-written or damaged line was cut off and written anew.
	Torn bool `json:"torn"`
	// Lost counts records that the ring announced but does not hold: the machine, not the process, was lost.
	Lost int `json:"lost"`
}

// Open locks the folder, writes what a killed session left in its ring, and starts a new session with an empty ring. A
// folder whose end does not agree with its head is refused: the error names the first broken record.
func Open(cfg Config) (*Ring, *Writer, error) {
	if cfg.Capacity == 0 {
		cfg.Capacity = defaultCapacity
	}
	if cfg.FreeBytesMin == 0 {
		cfg.FreeBytesMin = defaultFree
	}
	if cfg.Poll == 0 {
		cfg.Poll = defaultPoll
	}
	if cfg.Capacity < 2 || cfg.Capacity&(cfg.Capacity-1) != 0 {
		return nil, nil, fmt.Errorf("audit: the ring's capacity must be a power of two, not %d", cfg.Capacity)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("audit: %w", err)
	}
	lock, err := mapped.Lock(cfg.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("audit: %w", err)
	}
	r, w, err := start(cfg)
	if err != nil {
		_ = lock.Close() // the error at hand is the one to report
		return nil, nil, err
	}
	w.lock = lock
	return r, w, nil
}

// start recovers, then makes the ring and writer of the new session.
func start(cfg Config) (*Ring, *Writer, error) {
	h, got, err := recoverDir(cfg.Dir)
	if err != nil {
		return nil, nil, err
	}
	last := max(h.Epoch, got.Epoch)
	if cfg.Epoch == 0 {
		cfg.Epoch = last + 1
	}
	if cfg.Epoch <= last {
		return nil, nil, fmt.Errorf("audit: %s: session %d is not after the last one, %d", cfg.Dir, cfg.Epoch, last)
	}
	s := newSession(cfg.Epoch, &cfg.Catalogue)
	r, err := createRing(filepath.Join(cfg.Dir, ringName), cfg.Capacity, s, cfg.FreeBytesMin)
	if err != nil {
		return nil, nil, err
	}
	w, err := newWriter(cfg.Dir, r, s, h)
	if err != nil {
		return nil, nil, errors.Join(err, r.unmap())
	}
	w.nosync, w.poll, w.fault, w.recovered = cfg.NoSync, cfg.Poll, cfg.Fault, got
	return r, w, nil
}
