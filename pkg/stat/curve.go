package stat

import "gonum.org/v1/gonum/stat"

// Point is one point of a curve.
type Point struct{ X, Y float64 }

// ROC returns the points (false positive rate, true positive rate) from (0, 0)
// to (1, 1), one for each distinct score.
func (s *Sample) ROC() []Point {
	scores, classes := make([]float64, s.Len()), make([]bool, s.Len())
	for i, row := range s.rows {
		scores[i], classes[i] = s.scores[row], s.labels[row]
	}
	tpr, fpr, _ := stat.ROC(nil, scores, classes, nil)
	points := make([]Point, len(tpr))
	for i := range points {
		points[i] = Point{fpr[i], tpr[i]}
	}
	return points
}

// PR returns the points (recall, precision) from the highest threshold to the
// lowest, one for each distinct score, after the conventional (0, 1): the
// points of scikit-learn's precision_recall_curve, in reverse.
func (s *Sample) PR() []Point {
	points := make([]Point, 1, len(s.groups)+1)
	points[0] = Point{0, 1}
	var c Confusion
	c.FalseNegatives = s.positives
	for i := len(s.groups) - 1; i >= 0; i-- {
		c.TruePositives += s.groups[i].positives
		c.FalseNegatives -= s.groups[i].positives
		c.FalsePositives += s.groups[i].negatives
		points = append(points, Point{c.Recall(), c.Precision()})
	}
	return points
}

// AveragePrecision returns Σ (Rᵢ − Rᵢ₋₁) Pᵢ over the points of PR, as
// scikit-learn's average_precision_score: the area without interpolation,
// which would be too kind.
func (s *Sample) AveragePrecision() float64 {
	var sum float64
	points := s.PR()
	for i, p := range points[1:] {
		sum += (p.X - points[i].X) * p.Y
	}
	return sum
}
