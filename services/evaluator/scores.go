package evaluator

import (
	"iter"

	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/shap"
	"github.com/asfotec/churn/pkg/stat"
)

// scored is the hold-out with its scores, in file order, and what came to
// light on the way.
type scored struct {
	keys                   iter.Seq2[string, error] // read anew each time: they are long
	labels                 []bool
	candidate, champion    *stat.Sample // champion is nil if there is none
	scores, championScores []float64
	unseen, championUnseen map[string]int64
	parity                 evaluation.Parity
	warnings               []string

	spec                     *dataset.Spec
	slices                   []slice
	validation               *stat.Sample      // the candidate's scores of the validation rows; nil if they are of one class
	profile, championProfile *profile.Document // nil if there is none, or of an older featurizer

	importances   []byte
	contributions *shap.Document // nil: of an older trainer
}

// scoreRow is a row of scores.parquet.
type scoreRow struct {
	Key       string   `parquet:"__key"`
	Label     int32    `parquet:"label"`
	Candidate float64  `parquet:"candidate"`
	Champion  *float64 `parquet:"champion,optional"`
}

// rowsPerGroup is how many rows of scores.parquet are held at a time.
const rowsPerGroup = 64 << 10

// table writes scores.parquet to a temporary file.
func (s *scored) table() (_ *blob.Temporary, err error) {
	const op = "evaluator.table"
	file, err := blob.NewTemporary()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	w := parquet.NewGenericWriter[scoreRow](file, parquet.Compression(&parquet.Snappy))
	row := 0
	for key, err := range s.keys {
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]scoreRow{s.row(row, key)}); err != nil {
			return nil, churn.E(op, churn.Internal, err)
		}
		if row++; row%rowsPerGroup == 0 {
			if err := w.Flush(); err != nil {
				return nil, churn.E(op, churn.Internal, err)
			}
		}
	}
	return file, churn.E(op, churn.Internal, w.Close())
}

func (s *scored) row(i int, key string) scoreRow {
	out := scoreRow{Key: key, Candidate: s.scores[i]}
	if s.labels[i] {
		out.Label = 1
	}
	if s.champion != nil {
		out.Champion = &s.championScores[i]
	}
	return out
}
