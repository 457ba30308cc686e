package evaluator

import (
	"bytes"

	"github.com/parquet-go/parquet-go"

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
	keys                   []string
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

// table returns scores.parquet.
func (s *scored) table() ([]byte, error) {
	rows := make([]scoreRow, len(s.keys))
	for i, key := range s.keys {
		rows[i] = scoreRow{Key: key, Candidate: s.scores[i]}
		if s.labels[i] {
			rows[i].Label = 1
		}
		if s.champion != nil {
			rows[i].Champion = &s.championScores[i]
		}
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[scoreRow](&out, parquet.Compression(&parquet.Snappy))
	if _, err := w.Write(rows); err != nil {
		return nil, churn.E("evaluator.table", churn.Internal, err)
	}
	if err := w.Close(); err != nil {
		return nil, churn.E("evaluator.table", churn.Internal, err)
	}
	return out.Bytes(), nil
}
