package stat

import "iter"

// Point is one point of a curve.
type Point struct{ X, Y float64 }

// ROC yields the points (false positive rate, true positive rate) from (0, 0)
// to (1, 1), one for each distinct score.
func (s *Sample) ROC() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		more := yield(Point{0, 0})
		for c := range s.cuts() {
			if !more {
				return
			}
			more = yield(Point{ratio(c.FalsePositives, s.negatives()), ratio(c.TruePositives, s.positives)})
		}
	}
}

// PR yields the points (recall, precision) from the highest threshold to the
// lowest, one for each distinct score, after the conventional (0, 1): the
// points of scikit-learn's precision_recall_curve, in reverse.
func (s *Sample) PR() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		more := yield(Point{0, 1})
		for c := range s.cuts() {
			if !more {
				return
			}
			more = yield(Point{c.Recall(), c.Precision()})
		}
	}
}

// cuts yields the confusion matrix at each distinct score, the highest first.
func (s *Sample) cuts() iter.Seq[Confusion] {
	return func(yield func(Confusion) bool) {
		c := Confusion{FalseNegatives: s.positives, TrueNegatives: s.negatives()}
		for i := len(s.ties) - 1; i >= 0; i-- {
			g := s.group(i)
			c.TruePositives, c.FalseNegatives = c.TruePositives+g.positives, c.FalseNegatives-g.positives
			c.FalsePositives, c.TrueNegatives = c.FalsePositives+g.negatives, c.TrueNegatives-g.negatives
			if !yield(c) {
				return
			}
		}
	}
}

// AveragePrecision returns Σ (Rᵢ − Rᵢ₋₁) Pᵢ over the points of PR, as
// scikit-learn's average_precision_score: the area without interpolation,
// which would be too kind.
func (s *Sample) AveragePrecision() float64 {
	var sum, recall float64
	for p := range s.PR() {
		sum += (p.X - recall) * p.Y
		recall = p.X
	}
	return sum
}
