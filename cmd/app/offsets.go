package app

import (
	"slices"

	"oneprice/books/venue"
)

// Offsets keeps the spread of a long series in little memory: least and greatest exactly, the median over a sample of
// every stride-th value. The zero value is empty.
type Offsets struct {
	N         uint64
	Min, Max  venue.Nanos
	stride    uint64
	sample    []venue.Nanos
	remaining uint64 // values to pass over before the next is sampled
}

// samplesMax bounds the sample; when it is full every second value is dropped and the stride doubles.
const samplesMax = 1 << 14

// Add takes one value.
func (o *Offsets) Add(v venue.Nanos) {
	if o.N == 0 || v < o.Min {
		o.Min = v
	}
	if o.N == 0 || v > o.Max {
		o.Max = v
	}
	o.N++
	if o.remaining > 0 {
		o.remaining--
		return
	}
	if o.stride == 0 {
		o.stride = 1
	}
	if len(o.sample) == samplesMax {
		for i := range samplesMax / 2 {
			o.sample[i] = o.sample[2*i]
		}
		o.sample = o.sample[:samplesMax/2]
		o.stride *= 2
	}
	o.sample = append(o.sample, v)
	o.remaining = o.stride - 1
}

// Median is the middle of the sample; 0 when there is none.
func (o *Offsets) Median() venue.Nanos {
	if len(o.sample) == 0 {
		return 0
	}
	s := slices.Clone(o.sample)
	slices.Sort(s)
	return s[len(s)/2]
}
