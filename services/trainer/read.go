package trainer

import (
	"context"
	"iter"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	// scoreRows is how many validation rows, from the first, reference scores
	// are given of.
	scoreRows = 4096
	// explainRows is how many of them are explained, unless there are so many
	// features that explainCells is less.
	explainRows  = 2000
	explainCells = 4 << 20
)

// parts are the splits that are trained with, by LightGBM's set.
var parts = [2]dataset.Part{lightgbm.Train: dataset.Train, lightgbm.Validation: dataset.Validation}

// input is what a model is trained on. Close it.
type input struct {
	table        *feature.Table
	preprocessor *feature.Preprocessor
	rows         [2]int    // of each set, as the event says
	reference    []int64   // row numbers of the first validation rows, at most scoreRows
	first        []float64 // features of the first of those, at most explain() rows
}

// explain is how many of the first validation rows are to be explained.
func (in *input) explain() int {
	return min(explainRows, explainCells/(len(in.preprocessor.Features)+1))
}

// reading is what is being done until the features are there.
const reading = "reading the features"

// read opens the features that the event names.
func (t *Trainer) read(ctx context.Context, f *eventv1.FeatureSet) (*input, error) {
	text, err := t.store.Get(ctx, f.GetPreprocessor(), feature.MaxPreprocessor)
	if err != nil {
		return nil, err
	}
	preprocessor, err := feature.Parse(text)
	if err != nil {
		return nil, err
	}
	table, err := feature.FetchTable(ctx, t.store, f.GetTable(), func(bytes int64) {
		stage.Report(ctx, stage.Progress{Activity: reading, Done: bytes, Total: f.GetTable().GetSize()})
	})
	if err != nil {
		return nil, err
	}
	rows := [2]int{lightgbm.Train: int(f.GetTrainRows()), lightgbm.Validation: int(f.GetValidationRows())}
	return &input{table: table, preprocessor: preprocessor, rows: rows}, nil
}

func (in *input) close() { _ = in.table.Close() }

// data returns the input as LightGBM takes it.
func (in *input) data() lightgbm.Data {
	return lightgbm.Data{Features: in.preprocessor.Features, Rows: in.rows, Chunks: in.chunks}
}

// chunks yields the training rows, then the validation rows, each in the order
// of the file.
func (in *input) chunks() iter.Seq2[lightgbm.Chunk, error] {
	return func(yield func(lightgbm.Chunk, error) bool) {
		in.reference, in.first = in.reference[:0], in.first[:0]
		for set, part := range parts {
			for c, err := range in.table.Chunks(in.preprocessor, part) {
				if err != nil {
					yield(lightgbm.Chunk{}, err)
					return
				}
				if part == dataset.Validation {
					in.keep(c)
				}
				if !yield(lightgbm.Chunk{Set: lightgbm.Set(set), X: c.X, Y: labels(c)}, nil) {
					return
				}
			}
		}
	}
}

// told reports the rows as LightGBM takes them: of many, that alone takes minutes.
func told(ctx context.Context, d lightgbm.Data) lightgbm.Data {
	chunks, total := d.Chunks, int64(d.Rows[lightgbm.Train]+d.Rows[lightgbm.Validation])
	d.Chunks = func() iter.Seq2[lightgbm.Chunk, error] {
		return func(yield func(lightgbm.Chunk, error) bool) {
			done := int64(0)
			for c, err := range chunks() {
				if !yield(c, err) {
					return
				}
				done += int64(len(c.Y))
				stage.Report(ctx, stage.Progress{Activity: "reading rows", Done: done, Total: total})
			}
		}
	}
	return d
}

// keep keeps what is needed of the first validation rows when the model is there.
func (in *input) keep(c feature.Chunk) {
	in.reference = append(in.reference, c.Rows[:min(len(c.Rows), scoreRows-len(in.reference))]...)
	cells := in.explain() * len(in.preprocessor.Features)
	in.first = append(in.first, c.X[:min(len(c.X), cells-len(in.first))]...)
}

func labels(c feature.Chunk) []float32 {
	y := make([]float32, len(c.Labels))
	for i, label := range c.Labels {
		y[i] = float32(label)
	}
	return y
}

// fits returns an error unless the result is one for this input.
func (in *input) fits(r *lightgbm.Result) error {
	if r.Iterations < 1 || r.Iterations > len(r.History) ||
		len(r.Importances) != len(in.preprocessor.Features) || len(r.Scores) != len(in.reference) {
		return churn.Errorf("trainer.Handle", churn.Internal,
			"a model of %d iterations with a history of %d, %d importances of %d features and %d scores of %d rows",
			r.Iterations, len(r.History), len(r.Importances), len(in.preprocessor.Features), len(r.Scores), len(in.reference))
	}
	return nil
}
