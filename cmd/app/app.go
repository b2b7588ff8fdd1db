// Package app is the program around the engine: config, assembly of the instrument table, the modes, and the commands.
//
// Ownership: everything here runs before, around or after the engine; nothing here is called within a Step.
//
// Decisions
//   - 2026-11-25: config is walked as YAML nodes into structs whose scalar fields read themselves from text. A decoder
//     that stops at the first fault, or that reads 0.1 as a float, cannot say all faults with lines nor keep money exact.
//   - 2026-11-25: limits are stated in the reporting currency, also where the engine counts in lots. They become
//     quantities once, at start, at the first price seen of each product, so that another coin is another name only.
//   - 2026-11-25: every index (venue, currency, product, instrument) follows file order, first the config's, then what
//     recordings bring; maps are never walked. The same input makes the same table on every run.
//   - 2026-11-25: a venue that shows no price at the start does not stop it: limits in money need a price, and another
//     instrument of the product has one. Where none has, the instrument takes no orders in this run, which is said.
//   - 2026-11-25: a session ends with a disarm on a ring of its own, so that the tape has it, and waits for its orders: what
//     the engine would have done at the operator's word is what happens at an interrupt.
//   - 2026-11-25: what spins has a processor to itself and one is left for everything else; where there are fewer, the
//     connections park first and then the engine, each with a line on the log. A spinner without a processor of its own
//     takes turns with the writers of audit and tape and is slower than a parked one. The number of processors is fixed at
//     the start, so that this sum stays true. The engine's thread is pinned to the last processor the process may use,
//     which keeps its caches; spinning connections are not pinned: which of them matters most changes with the market.
//   - 2026-11-25: the collector runs at GOGC 400 with a soft limit of 1 GiB: a step allocates nothing, the live heap (books,
//     rings, buffers) is some tens of megabytes, and each cycle costs two short stops and a processor's share that would
//     meet a message; so they are made rare, and the limit catches a heap that grows all the same. GOGC and GOMEMLIMIT in
//     the environment go before both.
//   - 2026-11-25: live is confirmed by a code and not by a flag: a start script that says yes to everything would also say it
//     to another config, key or binary. The code is no secret, and the plan that it stands for is shown before it.
//   - 2026-11-25: time on paper counts by the hash of the config's text, so that a changed limit begins anew; a waiver is for
//     the operator to give and stays in the audit's start line.
//   - 2026-11-25: ticks, lots, least sizes and statuses are asked of the venues when a session starts, and stand on its tape
//     with the prices found. On paper the table of the build stands in for a venue that does not answer; live refuses.
package app
