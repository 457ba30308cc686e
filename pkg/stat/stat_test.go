package stat

import (
	"context"
	"math"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/churn"
)

// anySample draws labels of both classes, at least two rows of each, and
// scores with many ties and the ends of the range among them.
func anySample(t *rapid.T) ([]bool, []float64) {
	n := rapid.IntRange(4, 60).Draw(t, "rows")
	labels := append([]bool{true, true, false, false}, rapid.SliceOfN(rapid.Bool(), n-4, n-4).Draw(t, "labels")...)
	return labels, anyScores(t, n)
}

func anyScores(t *rapid.T, n int) []float64 {
	score := rapid.OneOf(rapid.SampledFrom([]float64{0, 0.25, 0.5, 1}), rapid.Float64Range(0, 1))
	return rapid.SliceOfN(score, n, n).Draw(t, "scores")
}

func must(t *rapid.T, labels []bool, scores []float64) *Sample {
	s, err := New(labels, scores)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The AUC by its definition: every positive against every negative.
func TestAUCIsTheShareOfPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		var won, pairs float64
		for i := range labels {
			for j := range labels {
				if !labels[i] || labels[j] {
					continue
				}
				pairs++
				if scores[i] > scores[j] {
					won++
				} else if scores[i] == scores[j] {
					won += 0.5
				}
			}
		}
		if got := must(t, labels, scores).Metrics(0.5)[AUC]; got != won/pairs {
			t.Fatalf("AUC = %v, want %v", got, won/pairs)
		}
	})
}

func TestRankMetricsAgreeWithGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		s := must(t, labels, scores)
		var of [2][]float64
		for i, score := range scores {
			class := 0
			if labels[i] {
				class = 1
			}
			of[class] = append(of[class], score)
		}
		slices.Sort(of[0])
		slices.Sort(of[1])
		if got, want := s.Metrics(0.5)[KS], stat.KolmogorovSmirnov(of[0], nil, of[1], nil); math.Abs(got-want) > 1e-14 {
			t.Fatalf("KS = %v, want %v", got, want)
		}
		var x, y []float64
		for p := range s.ROC() {
			x, y = append(x, p.X), append(y, p.Y)
		}
		if got, want := s.Metrics(0.5)[AUC], integrate.Trapezoidal(x, y); math.Abs(got-want) > 1e-14 {
			t.Fatalf("AUC = %v, area under ROC %v", got, want)
		}
	})
}

// The order of the rows says nothing, and neither do labels and scores turned
// round together.
func TestSymmetries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		s := must(t, labels, scores)
		order := rapid.Permutation(indices(len(labels))).Draw(t, "order")
		shuffled := must(t, pick(labels, order), pick(scores, order))
		same(t, shuffled.Metrics(0.5), s.Metrics(0.5))

		notLabels, notScores := make([]bool, len(labels)), make([]float64, len(scores))
		for i := range labels {
			notLabels[i], notScores[i] = !labels[i], 1-scores[i]
		}
		mirror, err := New(notLabels, notScores)
		if err != nil {
			t.Fatal(err)
		}
		a, b := s.Metrics(0.5), mirror.Metrics(0.5)
		if distinct(scores) != distinct(notScores) {
			return // 1-x has rounded two scores into a tie
		}
		for _, m := range []Metric{AUC, KS, Brier} {
			if math.Abs(a[m]-b[m]) > 1e-12 {
				t.Fatalf("%v = %v, mirrored %v", m, a[m], b[m])
			}
		}
	})
}

func TestMetricsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		s := must(t, labels, scores)
		threshold := rapid.Float64Range(-0.1, 1.1).Draw(t, "threshold")
		for m, v := range s.Metrics(threshold) {
			upper := 1.0
			if Metric(m) == LogLoss {
				upper = -math.Log(0x1p-52)
			}
			if !(v >= 0 && v <= upper) {
				t.Fatalf("%v = %v", Metric(m), v)
			}
		}
		c := s.Confusion(threshold)
		if c.Rows() != int64(s.Len()) || c.Accuracy() != s.Metrics(threshold)[Accuracy] {
			t.Fatalf("Confusion = %+v", c)
		}
		bins, ece := s.Calibration(10, 0.95)
		var rows, positives int64
		for _, b := range bins {
			rows, positives = rows+b.Rows, positives+b.Positives
			if b.Score < b.Low-1e-12 || b.Score > b.High+1e-12 || b.Rate < b.Interval.Low || b.Rate > b.Interval.High {
				t.Fatalf("bin %+v", b)
			}
		}
		if rows != int64(s.Len()) || int(positives) != s.Positives() || !(ece >= 0 && ece <= 1) {
			t.Fatalf("bins hold %d rows, %d positives, ECE %v", rows, positives, ece)
		}
	})
}

// DeLong's components by their definition, O(PN).
func TestDeLongByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		var pos, neg []float64
		for i, score := range scores {
			if labels[i] {
				pos = append(pos, score)
			} else {
				neg = append(neg, score)
			}
		}
		v10, v01 := make([]float64, len(pos)), make([]float64, len(neg))
		for i, x := range pos {
			for j, y := range neg {
				kernel := 0.0
				if x > y {
					kernel = 1
				} else if x == y {
					kernel = 0.5
				}
				v10[i] += kernel / float64(len(neg))
				v01[j] += kernel / float64(len(pos))
			}
		}
		want := math.Sqrt(stat.Variance(v10, nil)/float64(len(pos)) + stat.Variance(v01, nil)/float64(len(neg)))
		got, err := must(t, labels, scores).DeLong(0.95)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Error-want) > 1e-7 { // the square root of a rounding error
			t.Fatalf("standard error %v, want %v", got.Error, want)
		}
	})
}

func TestDeLongPairedIsAntisymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		a, b := must(t, labels, scores), must(t, labels, anyScores(t, len(labels)))
		ab, err := DeLongPaired(a, b, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		ba, err := DeLongPaired(b, a, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		if ab.Value != -ba.Value || ab.Error != ba.Error || ab.P != ba.P || ab.Interval.Low != -ba.Interval.High {
			t.Fatalf("%+v and %+v", ab, ba)
		}
		self, err := DeLongPaired(a, a, 0.9)
		if err != nil || self != (Estimate{P: 1}) {
			t.Fatalf("a model against itself: %+v, %v", self, err)
		}
	})
}

func TestBootstrapIsTheSameOnAnyNumberOfCPUs(t *testing.T) {
	a, b := smooth(t)
	boot := Bootstrap{Replicates: 100, Seed: 7, Threshold: 0.5}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, err := boot.Draw(context.Background(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(8)
	eight, err := boot.Draw(context.Background(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range one {
		if !slices.Equal(one[i], eight[i]) {
			t.Errorf("sample %d differs", i)
		}
	}
}

// A replicate must be what the metrics of the drawn rows themselves are.
func TestReplicateIsASampleOfDrawnRows(t *testing.T) {
	a, _ := smooth(t)
	out, err := Bootstrap{Replicates: 5, Seed: 1, Threshold: 0.4}.Draw(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	for r, got := range out[0] {
		counts := make([]uint32, a.Len())
		draw(newStream(1, r), a, counts)
		var labels []bool
		var scores []float64
		for row, c := range counts {
			for range c {
				labels, scores = append(labels, a.labels[row]), append(scores, a.scores[row])
			}
		}
		want := sample(t, labels, scores).Metrics(0.4)
		for m := range want {
			near(t, Metric(m).String(), got[m], want[m], 1e-12)
		}
	}
}

// Bootstrap and DeLong are different roads to the same interval.
func TestBootstrapAgreesWithDeLong(t *testing.T) {
	a, b := smooth(t)
	out, err := Bootstrap{Replicates: 4000, Seed: 1, Threshold: 0.5}.Draw(context.Background(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	one, err := a.DeLong(0.95)
	if err != nil {
		t.Fatal(err)
	}
	got := Intervals(out[0], 0.95)[AUC]
	near(t, "low", got.Low, one.Interval.Low, 0.01)
	near(t, "high", got.High, one.Interval.High, 0.01)
	both, err := DeLongPaired(a, b, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	got = Intervals(Differences(out[0], out[1]), 0.95)[AUC]
	near(t, "difference low", got.Low, both.Interval.Low, 0.01)
	near(t, "difference high", got.High, both.Interval.High, 0.01)
}

func TestBootstrapStops(t *testing.T) {
	a, _ := smooth(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Bootstrap{Replicates: 1e6}).Draw(ctx, a); err == nil {
		t.Error("Draw ignores the context")
	}
}

func TestBadInput(t *testing.T) {
	both := []bool{true, false}
	for name, f := range map[string]func() error{
		"NaN":           func() error { _, err := New(both, []float64{math.NaN(), 0}); return err },
		"infinite":      func() error { _, err := New(both, []float64{math.Inf(1), 0}); return err },
		"above one":     func() error { _, err := New(both, []float64{1.5, 0}); return err },
		"negative":      func() error { _, err := New(both, []float64{-1e-9, 0}); return err },
		"empty":         func() error { _, err := New(nil, nil); return err },
		"lengths":       func() error { _, err := New(both, []float64{0}); return err },
		"only positive": func() error { _, err := New([]bool{true, true}, []float64{0, 1}); return err },
		"only negative": func() error { _, err := New([]bool{false}, []float64{0}); return err },
		"one of a class": func() error {
			_, err := sample(t, both, []float64{0, 1}).DeLong(0.95)
			return err
		},
		"other rows": func() error {
			_, err := DeLongPaired(sample(t, both, []float64{0, 1}), sample(t, []bool{false, true}, []float64{0, 1}), 0.95)
			return err
		},
		"other number of rows": func() error {
			_, _, err := Disagreement(sample(t, both, []float64{0, 1}), sample(t, []bool{true, false, true}, []float64{0, 1, 1}), 0.5)
			return err
		},
		"no replicates": func() error {
			_, err := Bootstrap{}.Draw(context.Background(), sample(t, both, []float64{0, 1}))
			return err
		},
	} {
		if err := f(); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("%s: error %v, want an Invalid one", name, err)
		}
	}
}

func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      int64
		low, high float64
	}{
		{0, 0, 0, 1}, // nothing is known
		{0, 10, 0, 0.27753279986288},
		{10, 10, 0.72246720013712, 1},
		{5, 10, 0.23659309051256, 0.76340690948744},
	} {
		got := Wilson(c.k, c.n, 0.95)
		near(t, "low", got.Low, c.low, 1e-12)
		near(t, "high", got.High, c.high, 1e-12)
	}
}

func TestMcNemar(t *testing.T) {
	near(t, "no disagreement", McNemar(0, 0), 1, 0)
	near(t, "even", McNemar(7, 7), 1, 0)
	near(t, "5 of 5", McNemar(5, 0), 2*math.Pow(0.5, 5), 1e-15)
	near(t, "either way round", McNemar(3, 11), McNemar(11, 3), 0)
}

// BenchmarkDraw is all metrics of two models, and of their difference, on a
// hold-out of the Telco data's size, with intervals and errors.
func BenchmarkDraw(b *testing.B) {
	labels, first, second := make([]bool, 1409), make([]float64, 1409), make([]float64, 1409)
	pcg := newStream(1, 1)
	for i := range labels {
		labels[i] = pcg.Uint64()%4 == 0
		first[i], second[i] = float64(pcg.Uint64()>>11)/0x1p53, float64(pcg.Uint64()>>11)/0x1p53
	}
	x, err := New(labels, first)
	if err != nil {
		b.Fatal(err)
	}
	y, err := New(labels, second)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		out, err := Bootstrap{Replicates: 2000, Threshold: 0.5}.Draw(context.Background(), x, y)
		if err != nil {
			b.Fatal(err)
		}
		Intervals(out[0], 0.95)
		Intervals(out[1], 0.95)
		differences := Differences(out[0], out[1])
		Intervals(differences, 0.95)
		Errors(differences)
	}
}

func smooth(t *testing.T) (a, b *Sample) {
	t.Helper()
	p := referenceSamples(t)["smooth"]
	return sample(t, p.labels, p.a), sample(t, p.labels, p.b)
}

func same(t *rapid.T, got, want Metrics) {
	for m := range got {
		if math.Abs(got[m]-want[m]) > 1e-12 {
			t.Fatalf("%v = %v, want %v", Metric(m), got[m], want[m])
		}
	}
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func pick[T any](from []T, order []int) []T {
	out := make([]T, len(order))
	for i, j := range order {
		out[i] = from[j]
	}
	return out
}

func distinct(scores []float64) int {
	s := slices.Clone(scores)
	slices.Sort(s)
	return len(slices.Compact(s))
}
