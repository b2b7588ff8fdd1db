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
package app
