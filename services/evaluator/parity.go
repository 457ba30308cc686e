package evaluator

import (
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/feature"
)

// parity holds this scorer against the trainer's: both must give the same scores
// to the validation rows that the reference scores are of, in file order.
func (s *scorer) parity(ctx context.Context, table *feature.Table, reference []feature.Score, tolerance float64) (evaluation.Parity, error) {
	p := evaluation.Parity{Rows: int64(len(reference)), Tolerance: tolerance}
	for c, err := range table.Chunks(s.preprocessor, dataset.Validation) {
		if err != nil {
			return p, err
		}
		x, want := s.pick(c, reference)
		largest, err := s.model.Reproduce(ctx, x, want, tolerance)
		if err != nil {
			return p, err
		}
		p.LargestDifference = max(p.LargestDifference, largest)
		if reference = reference[len(want):]; len(reference) == 0 {
			return p, nil
		}
	}
	return p, churn.Errorf("evaluator.parity", churn.Invalid,
		"a reference score is of row %d, which is no validation row of these features or out of order: the scores are of other features", reference[0].Row)
}

// pick returns the rows of the chunk that the next reference scores are of, and
// those scores.
func (s *scorer) pick(c feature.Chunk, reference []feature.Score) (x, want []float64) {
	width := len(s.preprocessor.Features)
	for i, row := range c.Rows {
		if next := len(want); next < len(reference) && reference[next].Row == row {
			x, want = append(x, c.X[i*width:(i+1)*width]...), append(want, reference[next].Score)
		}
	}
	return x, want
}
