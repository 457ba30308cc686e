package profile

import (
	"cmp"
	"math"
	"slices"
)

const (
	// maxBits is how many bits of the fraction tell bins apart at most: bins are at
	// most 1/64 of their numbers wide, and whole numbers up to 127 have one each.
	maxBits = 6
	// minBits leaves a single bin, of all numbers.
	minBits = -11
	// fractionBits is how many bits of a float64 are behind its exponent.
	fractionBits = 52
	// maxBins is the most bins of a column.
	maxBins = 4096
	// allBins is the most bins of all columns together.
	allBins = 1 << 17
)

// Histogram counts numbers in bins that do not depend on the data, so any two are
// compared bin by bin: a bin has all numbers that agree in sign, exponent and the
// first Bits bits of the fraction. Where that would be too many bins, there are
// fewer bits (and below 0, bits of the exponent): as many as there can be for the
// numbers that there are, in whatever order they come.
type Histogram struct {
	Bits int   `json:"bits"`
	Bins []Bin `json:"bins"` // those that have rows, in order
}

// Bin is the rows with a number in the bin.
type Bin struct {
	At   float64 `json:"at"` // the bin's end that is closer to 0, which belongs to it
	Rows int64   `json:"rows"`
}

// cut returns the bin of v by so many bits: v with the others cleared.
func cut(v float64, bits int) float64 {
	v = math.Float64frombits(math.Float64bits(v) >> (fractionBits - bits) << (fractionBits - bits))
	return v + 0 // -0 is 0
}

// counter makes a histogram of at most limit bins.
type counter struct {
	limit int
	bits  int
	rows  map[float64]int64 // by Bin.At
}

func newCounter(limit int) *counter {
	return &counter{limit, maxBits, map[float64]int64{}}
}

// add takes in a finite number. A bit is given up as soon as the numbers so far
// have too many bins. More numbers have no fewer, so in the end it is as if all
// had been cut by the most bits that the limit allows, whatever their order.
func (c *counter) add(v float64) {
	c.rows[cut(v, c.bits)]++
	for len(c.rows) > c.limit {
		c.bits--
		coarse := make(map[float64]int64, len(c.rows))
		for at, rows := range c.rows {
			coarse[cut(at, c.bits)] += rows
		}
		c.rows = coarse
	}
}

func (c *counter) histogram() Histogram {
	h := Histogram{Bits: c.bits, Bins: make([]Bin, 0, len(c.rows))}
	for at, rows := range c.rows {
		h.Bins = append(h.Bins, Bin{at, rows})
	}
	slices.SortFunc(h.Bins, func(a, b Bin) int { return cmp.Compare(a.At, b.At) })
	return h
}

// coarsen returns the bins by so many bits, which must not be more than h's.
func (h Histogram) coarsen(bits int) []Bin {
	var out []Bin
	for _, b := range h.Bins {
		at := cut(b.At, bits)
		if n := len(out); n > 0 && out[n-1].At == at {
			out[n-1].Rows += b.Rows
		} else {
			out = append(out, Bin{at, b.Rows})
		}
	}
	return out
}
