package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	"github.com/asfotec/churn/pkg/parquetfile"
	"github.com/asfotec/churn/pkg/stat"
)

const (
	// maxScores is the most bytes that a file of scores may have.
	maxScores = blob.MaxObject
	// maxRows is the most rows of it: about 70 bytes of each are held.
	maxRows = 32 << 20
)

// holdout is scores.parquet: the rows of a hold-out with their scores, in file
// order.
type holdout struct {
	keys                *keys
	labels              []bool
	candidate, champion []float64    // champion is nil if there was none
	sample              *stat.Sample // the candidate's scores
}

// columns are those of the file.
var columns = []struct {
	name string
	kind parquet.Kind
}{{"__key", parquet.ByteArray}, {"label", parquet.Int32}, {"candidate", parquet.Double}, {"champion", parquet.Double}}

// decode reads scores.parquet. A file that is not that is an Invalid error.
func decode(file io.ReaderAt, size int64) (h *holdout, err error) {
	const op = "audit.decode"
	defer func() { // the parser of a damaged file may panic
		if p := recover(); p != nil {
			h, err = nil, churn.Errorf(op, churn.Invalid, "the scores cannot be read: %v", p)
		}
	}()
	f, err := parquetfile.Open(file, size)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the scores cannot be read: %w", err)
	}
	if f.NumRows() < 1 || f.NumRows() > maxRows {
		return nil, churn.Errorf(op, churn.Invalid, "there are scores of %d rows, want 1 to %d", f.NumRows(), maxRows)
	}
	n := int(f.NumRows())
	room := min(n, int(size)) // whatever number of rows the file claims
	h = &holdout{keys: newKeys(), labels: make([]bool, 0, room), candidate: make([]float64, 0, room)}
	for _, c := range columns {
		leaf, ok := f.Schema().Lookup(c.name)
		if !ok || leaf.Node.Type().Kind() != c.kind || leaf.MaxRepetitionLevel > 0 {
			return nil, churn.Errorf(op, churn.Invalid, "the scores have no column %s of %v", c.name, c.kind)
		}
		for _, g := range f.RowGroups() {
			if err := h.column(g.ColumnChunks()[leaf.ColumnIndex], c.name); err != nil {
				return nil, churn.Errorf(op, churn.Invalid, "column %s of the scores: %w", c.name, err)
			}
		}
	}
	if h.keys.rows != n || len(h.labels) != n || len(h.candidate) != n || len(h.champion) != n && len(h.champion) != 0 {
		return nil, churn.Errorf(op, churn.Invalid, "the columns of the scores are not of %d rows each", n)
	}
	h.sample, err = stat.New(h.labels, h.candidate)
	return h, err
}

// column takes in the values of one column, a row group at a time.
func (h *holdout) column(chunk parquet.ColumnChunk, name string) (err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	values := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		reader := page.Values()
		for err == nil {
			var n int
			n, err = reader.ReadValues(values)
			if err := h.take(name, values[:n]); err != nil {
				return err
			}
			if n == 0 && err == nil || max(h.keys.rows, len(h.labels), len(h.candidate), len(h.champion)) > maxRows {
				return errors.New("a page cannot be read")
			}
		}
		parquet.Release(page)
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
}

func (h *holdout) take(name string, values []parquet.Value) error {
	for _, v := range values {
		switch name {
		case "__key":
			if n := len(v.ByteArray()); n > dataset.MaxText {
				return fmt.Errorf("a key has %d bytes; at most %d are allowed", n, dataset.MaxText)
			}
			h.keys.add(v.ByteArray())
		case "label":
			h.labels = append(h.labels, v.Int32() == 1)
		case "candidate":
			h.candidate = append(h.candidate, v.Double())
		default:
			if !v.IsNull() {
				h.champion = append(h.champion, v.Double())
			}
		}
	}
	return nil
}

// beside returns the scores of another file, its candidate's or its champion's, if
// they are of the same rows; else nil.
func (h *holdout) beside(other *holdout, champion bool) (*stat.Sample, error) {
	switch {
	case !h.keys.equal(other.keys) || !slices.Equal(h.labels, other.labels):
		return nil, nil
	case !champion:
		return other.sample, nil
	case len(other.champion) == 0:
		return nil, nil
	}
	return stat.New(h.labels, other.champion)
}

// score scores a model on the rows of an evaluation, as the evaluator does.
func (s *shelf) score(ctx context.Context, e *judged, own *holdout, m *model) (*stat.Sample, error) {
	const op = "audit.score"
	text, err := s.get(ctx, m.champion.GetModel(), leaves.MaxModel)
	if err != nil {
		return nil, err
	}
	scorer, err := leaves.Load(text)
	if err != nil {
		return nil, err
	}
	if text, err = s.get(ctx, m.champion.GetPreprocessor(), feature.MaxPreprocessor); err != nil {
		return nil, err
	}
	preprocessor, err := feature.Parse(text)
	if err != nil {
		return nil, err
	}
	if takes, makes := len(scorer.Features()), len(preprocessor.Features); takes != makes {
		return nil, churn.Errorf(op, churn.Invalid, "the model of run %s takes %d features and its preprocessor makes %d", m.champion.GetRun(), takes, makes)
	}
	s.reads.Add(1)
	features, err := feature.FetchTable(ctx, s.store, e.GetFeatures().GetTable(), nil)
	if err != nil {
		return nil, err
	}
	defer features.Close()
	keys := newKeys()
	var scores []float64
	for c, err := range features.Chunks(preprocessor, dataset.Holdout) {
		if err != nil {
			return nil, err
		}
		some, err := scorer.Score(ctx, c.X)
		if err != nil {
			return nil, err
		}
		for _, key := range c.Keys {
			keys.add([]byte(key))
		}
		scores = append(scores, some...)
	}
	if !keys.equal(own.keys) {
		return nil, churn.Errorf(op, churn.Invalid, "the features of run %s are not of the rows that its scores are of", e.run.ID)
	}
	return stat.New(own.labels, scores)
}
