package profile

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/stat"
)

func numbersOf(limit int, values []float64) *Numbers {
	if len(values) == 0 {
		return nil
	}
	return &Numbers{Histogram: histogramOf(limit, values)}
}

// Two columns are compared as if both had been counted by the fewer bits of the
// two: every row is there, in the order of the numbers.
func TestBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := func(label string) (v []float64) {
			for range rapid.IntRange(0, 40).Draw(t, label) {
				v = append(v, number(t, label))
			}
			return v
		}
		a, b := values("a"), values("b")
		left, right := numbersOf(rapid.IntRange(1, 40).Draw(t, "limit"), a), numbersOf(40, b)
		x, y := Bins(left, right)
		bits := maxBits
		for _, n := range []*Numbers{left, right} {
			if n != nil {
				bits = min(bits, n.Histogram.Bits)
			}
		}
		all := newCounter(1000)
		all.bits = bits
		for _, v := range slices.Concat(a, b) {
			all.add(v)
		}
		bins := all.histogram().Bins
		if len(x) != len(bins) || len(y) != len(bins) {
			t.Fatalf("%d and %d bins, want %d", len(x), len(y), len(bins))
		}
		for i, bin := range bins {
			if x[i] != within(a, bin.At, bits) || y[i] != within(b, bin.At, bits) {
				t.Fatalf("the bin at %v has %d and %d rows", bin.At, x[i], y[i])
			}
		}
	})
}

func within(values []float64, at float64, bits int) (rows int64) {
	for _, v := range values {
		if cut(v, bits) == at {
			rows++
		}
	}
	return rows
}

func TestCategories(t *testing.T) {
	a := &Column{Categories: []Category{{"a", 1}, {"c", 2}}, Other: 3, Blanks: 4}
	b := &Column{Categories: []Category{{"b", 5}, {"c", 6}, {"d", 7}}, Blanks: 8}
	x, y := Categories(a, b)
	if !slices.Equal(x, []int64{1, 0, 2, 0, 3, 4}) || !slices.Equal(y, []int64{0, 5, 6, 7, 0, 8}) {
		t.Errorf("%v and %v", x, y)
	}
}

func TestDeciles(t *testing.T) {
	ones := slices.Repeat([]int64{1}, 100)
	for name, c := range map[string]struct{ x, y, groupX, groupY []int64 }{
		"even":                  {ones, ones, slices.Repeat([]int64{10}, 10), slices.Repeat([]int64{10}, 10)},
		"two values":            {[]int64{84, 16}, []int64{3, 5}, []int64{84, 16}, []int64{3, 5}},
		"one holds half":        {[]int64{50, 10, 10, 10, 10, 10}, []int64{1, 2, 3, 4, 5, 6}, []int64{50, 10, 10, 10, 10, 10}, []int64{1, 2, 3, 4, 5, 6}},
		"new at both ends":      {[]int64{0, 50, 50, 0, 0}, []int64{1, 2, 3, 4, 5}, []int64{50, 50}, []int64{3, 12}},
		"nothing is expected":   {[]int64{0, 0}, []int64{1, 2}, []int64{0}, []int64{3}},
		"there is nothing":      {nil, nil, nil, nil},
		"fewer than ten":        {[]int64{1, 1, 1}, []int64{0, 0, 1}, []int64{1, 1, 1}, []int64{0, 0, 1}},
		"small ones and a tail": {[]int64{4, 4, 4, 4, 84}, []int64{1, 1, 1, 1, 1}, []int64{12, 88}, []int64{3, 2}},
	} {
		if x, y := Deciles(c.x, c.y); !slices.Equal(x, c.groupX) || !slices.Equal(y, c.groupY) {
			t.Errorf("%s: %v and %v, want %v and %v", name, x, y, c.groupX, c.groupY)
		}
	}
}

// Rows are neither lost nor made, and there are ten groups at most.
func TestDecilesKeepRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(t, "bins")
		x := rapid.SliceOfN(rapid.Int64Range(0, 30), n, n).Draw(t, "x")
		y := rapid.SliceOfN(rapid.Int64Range(0, 30), n, n).Draw(t, "y")
		groupX, groupY := Deciles(x, y)
		if sum(groupX) != sum(x) || sum(groupY) != sum(y) || len(groupX) > groups || len(groupX) != len(groupY) {
			t.Fatalf("%v and %v of %v and %v", groupX, groupY, x, y)
		}
		if sum(x) > 0 && slices.Contains(groupX, 0) {
			t.Fatalf("a group of %v has nothing that is expected", groupX)
		}
	})
}

func sum(rows []int64) (n int64) {
	for _, r := range rows {
		n += r
	}
	return n
}

// What the tests of drift are for: a column that has moved is found, by bins of
// two profiles made apart, and one that has not is not.
func TestDriftIsFound(t *testing.T) {
	values := func(scale float64) (v []float64) {
		for i := range 2000 {
			v = append(v, scale*(20+float64(i*7919%2000)/20))
		}
		return v
	}
	for scale, drifted := range map[float64]bool{1: false, 1.1: true} {
		x, y := Bins(numbersOf(maxBins, values(1)), numbersOf(500, values(scale)))
		_, ks := stat.KSTest(x, y)
		_, psi := stat.PSI(Deciles(x, y))
		if (ks < 0.01) != drifted || (psi < 0.01) != drifted {
			t.Errorf("scaled by %v: p = %v by KS, %v by PSI", scale, ks, psi)
		}
	}
}
