package stat

import (
	"cmp"
	"math"
)

// Cost returns the mean cost of a row, classes being cut at threshold, if a false
// positive and a false negative cost so much each.
func (s *Sample) Cost(threshold, falsePositive, falseNegative float64) float64 {
	c := s.Confusion(threshold)
	return s.cost(c.FalsePositives, c.FalseNegatives, falsePositive, falseNegative)
}

func (s *Sample) cost(passed, missed int64, falsePositive, falseNegative float64) float64 {
	return (float64(float64(passed)*falsePositive) + float64(float64(missed)*falseNegative)) / float64(s.Len())
}

// Cheapest returns the threshold of least mean cost a row, and that cost, of all
// ways to cut the scores: midway between two neighbours, 0 (every row positive),
// or above the largest score (every row negative). Costs must not be negative,
// and one of them above 0.
//
// Of thresholds that cost the same it returns the closest to the optimum for
// calibrated scores, falsePositive/(falsePositive+falseNegative) (Elkan, IJCAI
// 2001, 973–978); of two that are as close, the lower.
func (s *Sample) Cheapest(falsePositive, falseNegative float64) (threshold, cost float64) {
	optimum := falsePositive / (falsePositive + falseNegative)
	passed, missed := s.negatives(), int64(0) // false positives and false negatives
	cost = s.cost(passed, missed, falsePositive, falseNegative)
	for i := range s.ties {
		g := s.group(i)
		passed, missed = passed-g.negatives, missed+g.positives
		t, c := s.above(i), s.cost(passed, missed, falsePositive, falseNegative)
		if cmp.Or(cmp.Compare(c, cost), cmp.Compare(math.Abs(t-optimum), math.Abs(threshold-optimum))) < 0 {
			threshold, cost = t, c
		}
	}
	return threshold, cost
}

// above returns the threshold midway between the score of group i and the next:
// above the one, at most the other. Behind the last score there is 1, and behind
// 1 the next number.
func (s *Sample) above(i int) float64 {
	score, next := s.group(i).score, 1.0
	if i+1 < len(s.ties) {
		next = s.group(i + 1).score
	} else if score == 1 {
		next = math.Nextafter(1, 2)
	}
	if middle := score + (next-score)/2; middle > score {
		return middle
	}
	return next // neighbouring numbers have no middle
}
