package profile

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// number draws finite numbers of every size, and those that are often there.
func number(t *rapid.T, label string) float64 {
	return rapid.OneOf(
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, 64, 65, 128, 129, 0.1, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64}),
		rapid.Float64Range(-100, 100),
		rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64),
	).Draw(t, label)
}

func histogramOf(limit int, values []float64) Histogram {
	c := newCounter(limit)
	for _, v := range values {
		c.add(v)
	}
	return c.histogram()
}

// By all numbers of bits a bin's place is in the bin, no further from 0 than the
// number, of its sign, and in the order of the numbers.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(minBits, maxBits).Draw(t, "bits")
		v, w := number(t, "v"), number(t, "w")
		a, b := cut(v, bits), cut(w, bits)
		if cut(a, bits) != a || math.Abs(a) > math.Abs(v) || a*v < 0 || math.Signbit(a) && a == 0 {
			t.Fatalf("%v is cut to %v, and that to %v", v, a, cut(a, bits))
		}
		if v < w && a > b {
			t.Fatalf("%v < %v, but %v > %v", v, w, a, b)
		}
		if bits >= 0 && math.Abs(v) >= 0x1p-1022 && math.Abs(v-a) >= math.Ldexp(math.Abs(a), -bits) {
			t.Fatalf("%v is in the bin at %v, by %d bits", v, a, bits)
		}
	})
}

func TestWholeNumbersHaveABinEach(t *testing.T) {
	var values []float64
	for i := -127; i <= 127; i++ {
		values = append(values, float64(i))
	}
	h := histogramOf(maxBins, append(values, 128, 129))
	if len(h.Bins) != 256 || h.Bits != maxBits || h.Bins[255] != (Bin{128, 2}) {
		t.Errorf("%d bins by %d bits, the last %v", len(h.Bins), h.Bits, h.Bins[len(h.Bins)-1])
	}
	for i, b := range h.Bins[:255] {
		if b != (Bin{float64(i - 127), 1}) {
			t.Errorf("bin %d is %v", i, b)
		}
	}
}

// The histogram is that of the most bits that the limit allows, whatever the
// order of the numbers.
func TestHistogramByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		n := rapid.IntRange(1, 60).Draw(t, "n")
		values := make([]float64, n)
		for i := range values {
			values[i] = number(t, "value")
		}
		var want Histogram
		for bits := maxBits; bits >= minBits; bits-- {
			rows := map[float64]int64{}
			for _, v := range values {
				rows[cut(v, bits)]++
			}
			if len(rows) > limit {
				continue
			}
			want.Bits = bits
			for at, r := range rows {
				want.Bins = append(want.Bins, Bin{at, r})
			}
			slices.SortFunc(want.Bins, func(a, b Bin) int {
				if a.At < b.At {
					return -1
				}
				return 1
			})
			break
		}
		if got := histogramOf(limit, values); !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
		if got := histogramOf(limit, rapid.Permutation(values).Draw(t, "order")); !reflect.DeepEqual(got, want) {
			t.Fatalf("in another order %v\nwant %v", got, want)
		}
	})
}

// All numbers that there are fit into the bins of a column without a bit of the
// fraction.
func TestEveryExponentFits(t *testing.T) {
	c := newCounter(maxBins)
	for e := -1074; e <= 1023; e++ {
		for _, v := range []float64{1, 1.75, -1, -1.75} {
			c.add(math.Ldexp(v, e))
		}
	}
	if c.bits != 0 || len(c.rows) != 2*2046+1 {
		t.Errorf("%d bins by %d bits", len(c.rows), c.bits)
	}
}
