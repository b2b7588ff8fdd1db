// Package peers holds stock clients of the venues against our simulators: a client that others wrote, unchanged but for its
// address, must read a simulated venue as it reads the real one, and must read what our decoders read.
//
// Decisions
//   - 2026-11-25: a module of its own, so that no stock client becomes a dependency of the program. Its tests run in `make
//     test` where its modules are at hand.
package peers
