// Package audit writes every decision to disk.
package audit

// Record is one audited fact.
type Record struct{ Seq uint64 }
