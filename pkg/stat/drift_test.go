package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// binned draws n rows into bins of the given shares.
func binned(r *rand.Rand, n int, shares []float64) []int64 {
	rows := make([]int64, len(shares))
	for range n {
		u, bin := r.Float64(), 0
		for bin < len(shares)-1 && u >= shares[bin] {
			u -= shares[bin]
			bin++
		}
		rows[bin]++
	}
	return rows
}

// Of two samples of one population p is about uniform, whatever their sizes: by
// PSI about as often below a level as it says, by KS no more often.
func TestDriftOfOnePopulation(t *testing.T) {
	const trials = 1000
	even := slices.Repeat([]float64{0.1}, 10)
	rare := []float64{0.5, 0.3, 0.15, 0.03, 0.01, 0.005, 0.003, 0.002}
	fine := slices.Repeat([]float64{0.01}, 100)
	for name, c := range map[string]struct {
		n, m   int
		shares []float64
		psi    bool // whether there are few enough bins for PSI
	}{
		"even":           {1000, 700, even, true},
		"many and few":   {5000, 150, even, true},
		"rare":           {1000, 500, rare, true},
		"many fine bins": {1000, 1000, fine, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(20240501, 1))
			var psi, ks []float64
			for range trials {
				a, b := binned(r, c.n, c.shares), binned(r, c.m, c.shares)
				_, p := PSI(a, b)
				_, q := KSTest(a, b)
				psi, ks = append(psi, p), append(ks, q)
			}
			for _, level := range []float64{0.01, 0.05, 0.2, 0.5} {
				// Four standard errors, and what the approximation is off by.
				slack := 4*math.Sqrt(level*(1-level)/trials) + 0.15*level
				if got := below(psi, level); c.psi && math.Abs(got-level) > slack {
					t.Errorf("PSI: p ≤ %v in %v of trials", level, got)
				}
				if got := below(ks, level); got > level+slack {
					t.Errorf("KS: p ≤ %v in %v of trials", level, got)
				}
			}
			if got := below(ks, 0.5); !c.psi && got < 0.35 {
				t.Errorf("KS by fine bins: p ≤ 0.5 in %v of trials", got)
			}
		})
	}
}

func below(p []float64, level float64) float64 {
	n := 0
	for _, v := range p {
		if v <= level {
			n++
		}
	}
	return float64(n) / float64(len(p))
}

func TestDriftWithoutRows(t *testing.T) {
	for _, c := range [][2][]int64{{nil, nil}, {{0, 0}, {0, 0}}, {{5, 5}, {0, 0}}, {{0, 0}, {5, 5}}, {{2, 1}, {1, 1}}, {{50}, {60}}, {{0, 50}, {0, 60}}} {
		if psi, p := PSI(c[0], c[1]); psi != 0 || p != 1 {
			t.Errorf("PSI of %v = %v, p = %v", c, psi, p)
		}
	}
	for _, c := range [][2][]int64{{nil, nil}, {{0, 0}, {0, 0}}, {{5, 5}, {0, 0}}, {{50}, {60}}} {
		if distance, p := KSTest(c[0], c[1]); distance != 0 || p != 1 {
			t.Errorf("KSTest of %v = %v, p = %v", c, distance, p)
		}
	}
}

// Bins of a handful of rows count as one.
func TestRareBinsAreTakenTogether(t *testing.T) {
	a, b := []int64{500, 300, 3, 0, 4}, []int64{450, 330, 1, 5, 2}
	got, p := PSI(a, b)
	want, q := PSI([]int64{500, 300, 7}, []int64{450, 330, 8})
	if got != want || p != q {
		t.Errorf("PSI = %v, p = %v; want %v, %v", got, p, want, q)
	}
}

// Which is the expected sample makes no difference, nor, to PSI, the order of the
// bins; and nothing leaves its range.
func TestDriftIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "bins")
		rows := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 20), rapid.Int64Range(0, 1<<40))
		a, b := rapid.SliceOfN(rows, n, n).Draw(t, "a"), rapid.SliceOfN(rows, n, n).Draw(t, "b")
		psi, p := PSI(a, b)
		mirrored, _ := PSI(b, a)
		order := rapid.Permutation(indices(n)).Draw(t, "order")
		shuffled, _ := PSI(pick(a, order), pick(b, order))
		if !(psi >= 0) || math.IsInf(psi, 0) || !(p >= 0 && p <= 1) {
			t.Fatalf("PSI = %v, p = %v", psi, p)
		}
		if math.Abs(mirrored-psi) > 1e-12*(1+psi) || math.Abs(shuffled-psi) > 1e-12*(1+psi) {
			t.Fatalf("PSI = %v, mirrored %v, shuffled %v", psi, mirrored, shuffled)
		}
		distance, p := KSTest(a, b)
		if other, q := KSTest(b, a); math.Abs(distance-other) > 1e-15 || math.Abs(p-q) > 1e-9 || !(distance >= 0 && distance <= 1 && p >= 0 && p <= 1) {
			t.Fatalf("KSTest = %v, %v; mirrored %v, %v", distance, p, other, q)
		}
	})
}

// The two series of Kolmogorov's distribution meet, and its tabled points
// (Smirnov, Annals of Mathematical Statistics 19 (1948) 279–281) are met.
func TestKolmogorov(t *testing.T) {
	for x, want := range map[float64]float64{0: 1, 0.28: 1 - 0.000001, 0.5: 1 - 0.036055, 1: 1 - 0.730000, 1.36: 1 - 0.950514, 1.63: 1 - 0.990154, 100: 0} {
		near(t, "Q", kolmogorov(x), want, 6e-7)
	}
	near(t, "Q(1) from below", kolmogorov(math.Nextafter(1, 0)), kolmogorov(1), 1e-15)
}

func TestBenjaminiHochberg(t *testing.T) {
	if q := BenjaminiHochberg(nil); len(q) != 0 {
		t.Errorf("%v", q)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 30).Draw(t, "p")
		kept := slices.Clone(p)
		q := BenjaminiHochberg(p)
		if !slices.Equal(p, kept) {
			t.Fatal("the p-values have changed")
		}
		for i := range p {
			// By definition: the least of p⁽ʲ⁾ n/j over those that are not smaller.
			want := 1.0
			for _, v := range p {
				if v < p[i] {
					continue
				}
				rank := 0
				for _, w := range p {
					if w <= v {
						rank++
					}
				}
				want = min(want, v*float64(len(p))/float64(rank))
			}
			if q[i] != want {
				t.Fatalf("q of %v is %v, want %v", p[i], q[i], want)
			}
		}
	})
}
