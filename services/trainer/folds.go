package trainer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// crossValidate returns the AUC of each fold that the search asks for, none if it
// asks for none: of the training and validation rows each fold is held against a
// model of the others. The preprocessing stays that of the training rows.
func (t *Trainer) crossValidate(ctx context.Context, ready *eventv1.FeaturesReady, in *input) ([]float64, error) {
	n := int(ready.GetPlan().GetSearch().GetFolds())
	if n == 0 {
		return nil, nil
	}
	split, err := in.split(n, ready.GetPlan().GetSplit().GetSalt())
	if err != nil {
		return nil, err
	}
	params := lightgbm.ParamsOf(settings(ready))
	out := make([]float64, n)
	for f := range n {
		data := told(ctx, in.fold(f, split))
		result, err := t.pool.Train(ctx, params, lightgbm.Options{
			Threads:  t.threads(data.Rows[lightgbm.Train]),
			Progress: progress(ctx, fmt.Sprintf("training fold %d of %d", f+1, n), params),
		}, data)
		if err != nil {
			return nil, err
		}
		out[f] = result.History[result.Iterations-1].AUC
	}
	return out, nil
}

// foldOf returns the row's fold, by its key: rows of one key are in one fold, and
// in the same for every trial.
func foldOf(key, salt string, n int) int {
	sum := sha256.Sum256(fmt.Appendf(nil, "fold %d %d %s%s", n, len(salt), salt, key))
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(n)) //nolint:gosec // below n
}

// folds divides the training and validation rows, in file order.
type folds struct {
	of   []uint8 // each row's fold
	rows []int   // of each fold
}

// split divides the rows.
func (in *input) split(n int, salt string) (*folds, error) {
	out := &folds{rows: make([]int, n)}
	for c, err := range in.table.Chunks(in.preprocessor, dataset.Train, dataset.Validation) {
		if err != nil {
			return nil, err
		}
		for _, key := range c.Keys {
			f := foldOf(key, salt, n)
			out.of = append(out.of, uint8(f)) //nolint:gosec // at most search.MaxFolds
			out.rows[f]++
		}
	}
	return out, nil
}

// fold returns the rows of all folds but one as LightGBM's training set, and those
// of that one as its validation set, in file order.
func (in *input) fold(f int, of *folds) lightgbm.Data {
	chunks := func(yield func(lightgbm.Chunk, error) bool) {
		for _, set := range []lightgbm.Set{lightgbm.Train, lightgbm.Validation} {
			first := 0 // row of the chunk
			for c, err := range in.table.Chunks(in.preprocessor, dataset.Train, dataset.Validation) {
				if err != nil {
					yield(lightgbm.Chunk{}, err)
					return
				}
				some := in.some(c, set, func(row int) bool { return (int(of.of[first+row]) == f) == (set == lightgbm.Validation) })
				if !yield(some, nil) {
					return
				}
				first += len(c.Keys)
			}
		}
	}
	return lightgbm.Data{
		Features: in.preprocessor.Features, Chunks: func() iter.Seq2[lightgbm.Chunk, error] { return chunks },
		Rows: [2]int{lightgbm.Train: len(of.of) - of.rows[f], lightgbm.Validation: of.rows[f]},
	}
}

// some returns the rows of the chunk that are of the set, by their place in it.
func (in *input) some(c feature.Chunk, set lightgbm.Set, is func(row int) bool) lightgbm.Chunk {
	width, all, out := len(in.preprocessor.Features), labels(c), lightgbm.Chunk{Set: set}
	for i, y := range all {
		if is(i) {
			out.X, out.Y = append(out.X, c.X[i*width:(i+1)*width]...), append(out.Y, y)
		}
	}
	return out
}
