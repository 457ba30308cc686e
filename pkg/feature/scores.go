package feature

import (
	"bytes"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/parquetfile"
)

// MaxScores is the most reference scores that a model may come with.
const MaxScores = 1 << 20

// Score is a row of reference_scores.parquet: what the trainer's engine itself
// says to a validation row.
type Score struct {
	Row   int64   `parquet:"row"`   // row number in features.parquet, from 0
	Score float64 `parquet:"score"` // probability of the positive class
}

// EncodeScores returns reference_scores.parquet.
func EncodeScores(scores []Score) ([]byte, error) {
	const op = "feature.EncodeScores"
	var b bytes.Buffer
	w := parquet.NewGenericWriter[Score](&b, parquet.Compression(&parquet.Snappy), parquet.CreatedBy("asfotec-churn", "1", ""))
	if _, err := w.Write(scores); err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	if err := w.Close(); err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	return b.Bytes(), nil
}

// DecodeScores reads reference_scores.parquet. A file that is not that is an
// Invalid error.
func DecodeScores(file []byte) (scores []Score, err error) {
	const op = "feature.DecodeScores"
	defer recoverAs(op, &err)
	f, err := parquetfile.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the reference scores cannot be read: %w", err)
	}
	if f.NumRows() < 1 || f.NumRows() > MaxScores {
		return nil, churn.Errorf(op, churn.Invalid, "there are %d reference scores, want 1 to %d", f.NumRows(), MaxScores)
	}
	r := parquet.NewGenericReader[Score](f)
	defer r.Close()
	scores = make([]Score, f.NumRows())
	n, err := r.Read(scores)
	if n != len(scores) || err != nil && !errors.Is(err, io.EOF) {
		return nil, churn.Errorf(op, churn.Invalid, "%d of %d reference scores could be read: %v", n, len(scores), err)
	}
	return scores, nil
}
