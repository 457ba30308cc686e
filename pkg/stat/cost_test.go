package stat

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Cheapest beside every threshold that makes a difference.
func TestCheapestByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels, scores := anySample(t)
		s := must(t, labels, scores)
		// Whole numbers, so that ways that cost the same are seen to.
		falsePositive := float64(rapid.IntRange(0, 10).Draw(t, "false positive"))
		falseNegative := float64(rapid.IntRange(1, 10).Draw(t, "false negative"))

		sorted := slices.Clone(scores)
		slices.Sort(sorted)
		sorted = slices.Compact(sorted)
		thresholds := []float64{0}
		for i, score := range sorted[1:] {
			thresholds = append(thresholds, middle(sorted[i], score))
		}
		last := sorted[len(sorted)-1]
		thresholds = append(thresholds, middle(last, max(1, math.Nextafter(last, 2))))
		want, least, away := 0.0, math.Inf(1), math.Inf(1)
		for _, threshold := range thresholds {
			var cost float64
			for i, positive := range labels {
				if predicted := scores[i] >= threshold; predicted && !positive {
					cost += falsePositive
				} else if !predicted && positive {
					cost += falseNegative
				}
			}
			cost /= float64(len(labels))
			if got := s.Cost(threshold, falsePositive, falseNegative); got != cost {
				t.Fatalf("cut at %v costs %v, want %v", threshold, got, cost)
			}
			distance := math.Abs(threshold - falsePositive/(falsePositive+falseNegative))
			if cost < least || cost == least && distance < away {
				want, least, away = threshold, cost, distance
			}
		}
		threshold, cost := s.Cheapest(falsePositive, falseNegative)
		if threshold != want || cost != least {
			t.Fatalf("Cheapest = %v, %v, want %v, %v", threshold, cost, want, least)
		}
	})
}

func middle(low, high float64) float64 {
	if m := low + (high-low)/2; m > low {
		return m
	}
	return high
}

func TestCheapest(t *testing.T) {
	labels := []bool{false, false, true, false, true, true}
	scores := []float64{0.1, 0.2, 0.3, 0.4, 0.8, 0.9}
	for name, c := range map[string]struct {
		falsePositive, falseNegative, threshold, cost float64
	}{
		"a missed one is dear":              {1, 5, 0.25, 1.0 / 6},
		"a false alarm is dear":             {5, 1, 0.6, 1.0 / 6},
		"as dear, two ways, one is closer":  {1, 1, 0.6, 1.0 / 6},
		"a false alarm costs nothing":       {0, 1, 0, 0},
		"a missed one costs nothing":        {1, 0, 0.95, 0},
		"nothing costs anything: all alike": {0, 0, 0, 0},
	} {
		threshold, cost := sample(t, labels, scores).Cheapest(c.falsePositive, c.falseNegative)
		if math.Abs(threshold-c.threshold) > 1e-12 || cost != c.cost {
			t.Errorf("%s: Cheapest = %v, %v, want %v, %v", name, threshold, cost, c.threshold, c.cost)
		}
	}
}

// Every row negative needs a threshold above the largest score, which may be 1;
// and between neighbouring numbers there is none.
func TestThresholdsAtTheEdges(t *testing.T) {
	one := math.Nextafter(1, 2)
	next := math.Nextafter(0.5, 1)
	for name, c := range map[string]struct {
		labels    []bool
		scores    []float64
		threshold float64
	}{
		"above 1":    {[]bool{true, false, false}, []float64{0.5, 1, 1}, one},
		"neighbours": {[]bool{false, true}, []float64{0.5, next}, next},
	} {
		s := sample(t, c.labels, c.scores)
		threshold, cost := s.Cheapest(2, 1)
		if threshold != c.threshold || cost != s.Cost(threshold, 2, 1) {
			t.Errorf("%s: Cheapest = %v, %v", name, threshold, cost)
		}
	}
}
