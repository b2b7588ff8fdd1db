package model

import (
	"math"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Buckets of variance per second: from 2^-50 (0.3 basis points a day) to 2^-5, four to an octave, and one for all above.
const (
	lowest  = 1023 - 50 // biased exponent
	octaves = 45
	buckets = octaves*4 + 1
)

// upper is the upper edge of a bucket, as variance per second.
func upper(bucket int) float64 { return math.Float64frombits(uint64(lowest*4+bucket) << 50) }

// bucketOf finds the bucket of a variance: exponent and two bits of mantissa, no logarithm.
func bucketOf(variance float64) int {
	if !(variance > 0) { // also NaN
		return 0
	}
	b := int((math.Float64bits(variance)+1<<50-1)>>50) - lowest*4
	return min(max(b, 0), buckets-1)
}

// BucketOfVol is the bucket of a volatility given as a Rate per square root of a second, for limits from config.
func BucketOfVol(perRootSecond fixed.Rate) int {
	s := float64(perRootSecond) / float64(fixed.One)
	return bucketOf(s * s)
}

// Vol estimates the volatility of a fair value. The zero value is not ready; use NewVol.
type Vol struct {
	window float64 // ns
	sample venue.Nanos
	warm   float64

	last Fair
	at   venue.Nanos
	// squares and time are the decayed sums of squared returns and of nanoseconds.
	squares, time float64
	bucket        int
}

// NewVol makes an estimator; p must be valid.
func NewVol(p Params) Vol {
	return Vol{window: float64(p.Window), sample: p.Sample, warm: float64(p.Window) / 4}
}

// Update takes the fair value at now. Values that come sooner than the sample time after the last one are left out.
func (v *Vol) Update(fair Fair, now venue.Nanos) {
	if fair <= 0 {
		return
	}
	if v.last == 0 {
		v.last, v.at = fair, now
		return
	}
	gap := now - v.at
	if gap <= 0 || gap < v.sample {
		return
	}
	dt := float64(gap)
	r := float64(fair-v.last) / float64(v.last)
	keep := v.window / (v.window + dt)
	v.squares = float64(v.squares*keep) + float64(r*r)
	v.time = float64(v.time*keep) + dt
	v.last, v.at = fair, now
	v.bucket = bucketOf(float64(v.squares/v.time) * float64(venue.Second))
}

// Restart forgets the last value, so that the move across a silence is not taken for a return.
func (v *Vol) Restart() { v.last = 0 }

// Ready reports whether a quarter of the window has been seen, decay included.
func (v *Vol) Ready() bool { return v.time >= v.warm }

// Bucket is the volatility as an index into a Table.
func (v *Vol) Bucket() int { return v.bucket }
