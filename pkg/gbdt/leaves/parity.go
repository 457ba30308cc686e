package leaves

import (
	"context"
	"math"

	"github.com/asfotec/churn/pkg/churn"
)

// Reproduce scores the rows x, as Score does, and returns the largest difference
// from the scores that LightGBM itself gave them. A difference above the
// tolerance is an Invalid error: one of the two reads the model wrongly, and no
// score of it can be trusted.
func (m *Model) Reproduce(ctx context.Context, x, want []float64, tolerance float64) (largest float64, err error) {
	const op = "leaves.Reproduce"
	got, err := m.Score(ctx, x)
	if err != nil {
		return 0, err
	}
	if len(got) != len(want) {
		return 0, churn.Errorf(op, churn.Internal, "%d scores of %d rows", len(want), len(got))
	}
	for i := range got {
		difference := math.Abs(got[i] - want[i])
		if !(difference <= tolerance) { // so that NaN fails
			return 0, churn.Errorf(op, churn.Invalid,
				"LightGBM's score of a row is %v and the independent scorer's %v, which differ by more than %v: the model, its preprocessor or the reference scores are not of one training; train again",
				want[i], got[i], tolerance)
		}
		largest = max(largest, difference)
	}
	return largest, nil
}
