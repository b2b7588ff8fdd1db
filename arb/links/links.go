// Package links holds reviewed records that say which instruments of different venues settle alike.
//
// Two venues may write "Fed cuts in September" and mean different sources, times or void rules. A person reads both rule
// texts once and records what was read: a digest of each text, the source, the settlement time and what voids it. When a
// venue's text later differs from what was reviewed, the record is disarmed and stays so until a new review.
//
// Ownership: a Record is owned by whoever loads the config; arb reads it in New only. Observe is for edges (the operator's
// listing poll), never the hot path.
//
// Decisions
//   - 2026-11-25: a digest of the normalised text, not of the bytes: venues re-wrap their texts, and a record that is
//     disarmed by a line break teaches the operator to re-arm without reading.
//   - 2026-11-25: disarming is one way. Re-arming is a new Record by a person; there is no Arm.
package links

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Rules is what was read of one instrument.
type Rules struct {
	// Instrument is its name, venue:symbol.
	Instrument string
	// TextHash is Hash of the rule text as it was read.
	TextHash string
	// Source is whose word decides.
	Source string
	// Settles is when, at the latest, it is decided.
	Settles time.Time
	// Void says what makes it void and what it then pays; "none" when the text has no such rule.
	Void string
}

// Record is one review of instruments that settle alike.
type Record struct {
	Rules []Rules
	// Reviewer and Reviewed are who read the texts and when.
	Reviewer string
	Reviewed time.Time
	// SettleSlack is how far apart the settlement times may lie; the reviewer's judgement.
	SettleSlack time.Duration
	// DifferentSources is set when the reviewer accepts that the sources have different names.
	DifferentSources bool
	// Disarmed says why the record is no longer in force; "" while it is.
	Disarmed string
}

// Hash is the digest of a rule text with runs of white space taken as one space: sha256 in lower-case hexadecimal.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(strings.Join(strings.Fields(text), " ")))
	return hex.EncodeToString(sum[:])
}

// Validate returns all faults of the record, joined.
func (r *Record) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(r.Rules) < 2 {
		add("rules: unexpected number; got %d; want 2 or more", len(r.Rules))
	}
	if r.Reviewer == "" {
		add("reviewer: missing")
	}
	if r.Reviewed.IsZero() {
		add("reviewed: missing")
	}
	if r.SettleSlack < 0 {
		add("settle_slack: unexpected %s; want 0 or more", r.SettleSlack)
	}
	for i := range r.Rules {
		for _, err := range r.Rules[i].faults() {
			add("rules[%d] %s: %w", i, r.Rules[i].Instrument, err)
		}
		if i > 0 {
			errs = append(errs, r.differ(&r.Rules[0], &r.Rules[i])...)
		}
		for j := range i {
			if r.Rules[i].Instrument == r.Rules[j].Instrument {
				add("rules[%d]: %s is named twice", i, r.Rules[i].Instrument)
			}
		}
	}
	return errors.Join(errs...)
}

// differ says where two instruments settle unlike each other beyond what the reviewer accepted.
func (r *Record) differ(a, b *Rules) (errs []error) {
	if gap := a.Settles.Sub(b.Settles).Abs(); gap > r.SettleSlack {
		errs = append(errs, fmt.Errorf("settles: %s and %s are %s apart; the review accepts %s", a.Instrument, b.Instrument, gap, r.SettleSlack))
	}
	if a.Source != b.Source && !r.DifferentSources {
		errs = append(errs, fmt.Errorf("source: %s is decided by %q, %s by %q", a.Instrument, a.Source, b.Instrument, b.Source))
	}
	return errs
}

func (u *Rules) faults() (errs []error) {
	for _, f := range []struct{ name, value string }{{"instrument", u.Instrument}, {"source", u.Source}, {"void", u.Void}} {
		if strings.TrimSpace(f.value) == "" {
			errs = append(errs, fmt.Errorf("%s: missing", f.name))
		}
	}
	if b, err := hex.DecodeString(u.TextHash); err != nil || len(b) != sha256.Size || strings.ToLower(u.TextHash) != u.TextHash {
		errs = append(errs, fmt.Errorf("text_hash: unexpected %q; want the sha256 of the rule text in lower-case hexadecimal", u.TextHash))
	}
	if u.Settles.IsZero() {
		errs = append(errs, errors.New("settles: missing"))
	}
	return errs
}

// Covers reports whether the review read the rules of the instrument.
func (r *Record) Covers(instrument string) bool { return r.of(instrument) != nil }

func (r *Record) of(instrument string) *Rules {
	for i := range r.Rules {
		if r.Rules[i].Instrument == instrument {
			return &r.Rules[i]
		}
	}
	return nil
}

// Armed reports whether the record is in force.
func (r *Record) Armed() bool { return r.Disarmed == "" }

// Disarm takes the record out of force, for good. The first reason stands.
func (r *Record) Disarm(why string) {
	if why == "" {
		why = "no reason given"
	}
	if r.Armed() {
		r.Disarmed = why
	}
}

// Observe compares what a venue says now with what was reviewed, and disarms on any difference. It returns Armed. An
// instrument that the review does not cover changes nothing.
func (r *Record) Observe(instrument, text string, settles time.Time) bool {
	u := r.of(instrument)
	if u == nil {
		return r.Armed()
	}
	if now := Hash(text); now != u.TextHash {
		r.Disarm(fmt.Sprintf("the rule text of %s changed: reviewed %.12s, now %.12s", instrument, u.TextHash, now))
	}
	if !settles.Equal(u.Settles) {
		r.Disarm(fmt.Sprintf("the settlement time of %s changed from %s to %s", instrument,
			u.Settles.UTC().Format(time.RFC3339), settles.UTC().Format(time.RFC3339)))
	}
	return r.Armed()
}
