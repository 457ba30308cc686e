package stat

import "math"

// AccuracyPaired returns the difference of the accuracies of a and b, two scores
// of the same rows cut at threshold, with the standard error of the mean of the
// row-wise differences, its normal interval and its test. It costs one pass, where
// a bootstrap costs thousands: for many small groups of rows.
func AccuracyPaired(a, b *Sample, threshold, level float64) (Estimate, error) {
	onlyA, onlyB, err := Disagreement(a, b, threshold)
	if err != nil {
		return Estimate{}, err
	}
	n := float64(a.Len())
	difference := float64(onlyA-onlyB) / n
	// Of differences that are 1, -1 or 0: the mean of squares less the square of the mean.
	variance := (float64(onlyA+onlyB)/n - difference*difference) / n
	return estimate(difference, math.Max(0, variance), level), nil
}
