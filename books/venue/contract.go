package venue

import "context"

// Sink takes one whole message (records up to and including the one flagged Last) and publishes it by one store; readers
// never see half of it. It answers OK, or RingFull when there is no room: the feed then waits (snapshots) or reports a
// Gap (deltas). One goroutine.
type Sink interface{ Put(frame []Event) Reason }

// Reports takes whole reports. One goroutine; a full ring makes the gateway wait.
type Reports interface{ Put(reports []Report) Reason }

// Feed is the market-data side of a venue.
type Feed interface {
	// Run owns its goroutine and socket until ctx ends.
	Run(ctx context.Context, out Sink) error
	// Resync asks for a fresh snapshot of an instrument. Any thread; never blocks; coalesced.
	Resync(Inst)
}

// Gateway is the order side of a venue. What holds for the reports of every one of them:
//
//   - A request without an answer within its time, or whose connection ended, is reported once by a SentReport with Maybe.
//     From then on the gateway itself asks the venue for the order, by its client id and off the hot path, until it knows
//     and has said so: by an Ack flagged Recovered where the order stands, Amended or AmendRejected where an amend was in
//     doubt, its fills and its end, or a NotFound that Proves. Nothing is ever sent again.
//   - An order that is neither placed nor adopted by this process comes with Slot 0: with its Client where its id is ours,
//     and with Client 0 where it is somebody else's, which is then left alone.
//   - A Cancel needs no slot: with Slot 0, or one that the gateway does not hold, Target alone says which order is meant.
//     Nobody looks after its answer then, and it may be repeated. An Amend of such an order may be NotSent.
type Gateway interface {
	// Run owns the private stream, heartbeats and the flushing of an unsent tail until ctx ends.
	Run(ctx context.Context, out Reports) error
	// Submit is called by Step's owner only: kill, not-after, encode, one write that never blocks.
	Submit(*Command) Sent
	// Sweep reports open orders, the executions since the instant with how their orders ended, and every balance and
	// position that is not zero, all flagged Recovered; what was reported before may come again. Its nil says that every
	// page was read: a currency of which nothing came has nothing. It may run beside Run, which must be alive for orders
	// that were just placed to be known. Any goroutine but the engine's.
	Sweep(ctx context.Context, since Nanos, out Reports) error
}
