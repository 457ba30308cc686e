package stat

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// At the maximum the recalibrated scores have residuals that add up to nothing,
// and so do their products with the log odds.
func TestRecalibrationSolvesItsEquations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		slope, intercept, err := must(t, labels, scores).Recalibration()
		if err != nil {
			if overlap(labels, scores) {
				t.Fatal(err)
			}
			return
		}
		if !overlap(labels, scores) {
			t.Fatalf("%v, %v of classes that do not overlap", slope, intercept)
		}
		var sum, product, size float64
		for i, score := range scores {
			x := logOdds(score)
			residual := -sigmoid(slope*x + intercept)
			if labels[i] {
				residual++
			}
			sum += residual
			product += residual * x
			size += math.Abs(x)
		}
		if math.Abs(sum) > 1e-8 || math.Abs(product) > 1e-8*(1+size) {
			t.Fatalf("slope %v, intercept %v: residuals add up to %v, with the log odds to %v", slope, intercept, sum, product)
		}
	})
}

// overlap reports whether some positive is below some negative, and some above.
func overlap(labels []bool, scores []float64) bool {
	var below, above bool
	for i := range scores {
		for j := range scores {
			if labels[i] && !labels[j] {
				below = below || logOdds(scores[i]) < logOdds(scores[j])
				above = above || logOdds(scores[i]) > logOdds(scores[j])
			}
		}
	}
	return below && above
}

// Log odds stretched and moved give back by how much.
func TestRecalibrationUndoesWhatWasDone(t *testing.T) {
	a, _ := smooth(t)
	slope, intercept, err := a.Recalibration()
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float64, a.Len())
	for i, score := range a.scores {
		scores[i] = sigmoid(slope*logOdds(score) + intercept)
	}
	slope, intercept, err = sample(t, a.labels, scores).Recalibration()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "slope", slope, 1, 1e-9)
	near(t, "intercept", intercept, 0, 1e-9)
}
