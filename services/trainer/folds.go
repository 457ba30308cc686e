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
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// crossValidate returns the AUC of each fold that the search asks for, none if it
// asks for none: of the training and validation rows each fold is held against a
// model of the others. The preprocessing stays that of the training rows.
func (t *Trainer) crossValidate(ctx context.Context, ready *eventv1.FeaturesReady, in *input) ([]float64, error) {
	folds := int(ready.GetPlan().GetSearch().GetFolds())
	if folds == 0 {
		return nil, nil
	}
	rows, err := in.countFolds(folds, ready.GetPlan().GetSplit().GetSalt())
	if err != nil {
		return nil, err
	}
	params := lightgbm.ParamsOf(settings(ready))
	out := make([]float64, folds)
	for f := range folds {
		data := in.fold(f, rows, ready.GetPlan().GetSplit().GetSalt())
		result, err := t.pool.Train(ctx, params, lightgbm.Options{
			Threads: t.threads(data.Rows[lightgbm.Train]),
			Progress: func(i lightgbm.Iteration) {
				stage.Report(ctx, stage.Progress{
					Activity: fmt.Sprintf("training fold %d of %d", f+1, folds), Done: int64(i.Number), Total: int64(params.NumIterations),
					Metric: metricAUC, Value: i.AUC,
				})
			},
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
func foldOf(key, salt string, folds int) int {
	sum := sha256.Sum256(fmt.Appendf(nil, "fold %d %d %s%s", folds, len(salt), salt, key))
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(folds)) //nolint:gosec // below folds
}

// countFolds returns the number of rows of each fold.
func (in *input) countFolds(folds int, salt string) ([]int, error) {
	rows := make([]int, folds)
	for c, err := range in.table.Chunks(in.preprocessor, dataset.Train, dataset.Validation) {
		if err != nil {
			return nil, err
		}
		for _, key := range c.Keys {
			rows[foldOf(key, salt, folds)]++
		}
	}
	return rows, nil
}

// fold returns the rows of all folds but one as LightGBM's training set, and those
// of that one as its validation set, in file order.
func (in *input) fold(f int, rows []int, salt string) lightgbm.Data {
	others := -rows[f]
	for _, n := range rows {
		others += n
	}
	chunks := func(yield func(lightgbm.Chunk, error) bool) {
		for _, set := range []lightgbm.Set{lightgbm.Train, lightgbm.Validation} {
			for c, err := range in.table.Chunks(in.preprocessor, dataset.Train, dataset.Validation) {
				if err != nil {
					yield(lightgbm.Chunk{}, err)
					return
				}
				some := in.some(c, set, func(key string) bool {
					return (foldOf(key, salt, len(rows)) == f) == (set == lightgbm.Validation)
				})
				if !yield(some, nil) {
					return
				}
			}
		}
	}
	return lightgbm.Data{
		Features: in.preprocessor.Features, Chunks: func() iter.Seq2[lightgbm.Chunk, error] { return chunks },
		Rows: [2]int{lightgbm.Train: others, lightgbm.Validation: rows[f]},
	}
}

// some returns the rows of the chunk whose key is of the set.
func (in *input) some(c feature.Chunk, set lightgbm.Set, is func(key string) bool) lightgbm.Chunk {
	width, all, out := len(in.preprocessor.Features), labels(c), lightgbm.Chunk{Set: set}
	for i, key := range c.Keys {
		if is(key) {
			out.X, out.Y = append(out.X, c.X[i*width:(i+1)*width]...), append(out.Y, all[i])
		}
	}
	return out
}
