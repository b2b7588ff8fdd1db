// Package audit writes every decision, verdict, order, report, breaker change, operator action and book trust change to
// disk, in order, so that nothing of it can be lost, doubled or altered unnoticed.
//
// Ownership: the engine goroutine owns Ring.Put; the Writer's goroutine owns everything behind it.
package audit
