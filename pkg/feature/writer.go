package feature

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
)

// Columns of features.parquet beside the spec's.
const (
	partColumn  = "__split" // int32: dataset.Part
	labelColumn = "__label" // int32: 1 positive, 0 negative
	keyColumn   = "__key"   // string
)

// rowsPerGroup bounds what a reader holds at once.
const rowsPerGroup = 64 << 10

// Writer writes features.parquet: typed columns, lossless, so that another
// model's preprocessing can be applied to the same rows. Equal rows make equal
// bytes.
type Writer struct {
	w       *parquet.Writer
	spec    *dataset.Spec
	at      map[string]int // column index by name
	batch   []parquet.Row
	pending int
}

// NewWriter writes to out. Close ends the file.
func NewWriter(out io.Writer, spec *dataset.Spec) *Writer {
	schema := schemaOf(spec)
	w := &Writer{
		w: parquet.NewWriter(out, schema, parquet.Compression(&parquet.Snappy),
			parquet.MaxRowsPerRowGroup(rowsPerGroup), parquet.CreatedBy("asfotec-churn", "1", "")),
		spec:  spec,
		at:    map[string]int{},
		batch: make([]parquet.Row, 256),
	}
	for i, path := range schema.Columns() {
		w.at[path[0]] = i
	}
	return w
}

func schemaOf(spec *dataset.Spec) *parquet.Schema {
	group := parquet.Group{
		partColumn:  parquet.Int(32),
		labelColumn: parquet.Int(32),
		keyColumn:   parquet.String(),
	}
	for _, c := range spec.Columns {
		if c.Kind == dataset.Numeric {
			group[c.Name] = parquet.Optional(parquet.Leaf(parquet.DoubleType))
		} else {
			group[c.Name] = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
		}
	}
	return parquet.NewSchema("features", group)
}

// Write adds a row.
func (w *Writer) Write(row *dataset.Row) error {
	out := w.batch[w.pending]
	if out == nil {
		out = make(parquet.Row, len(w.at))
	}
	set := func(name string, definition int, v parquet.Value) {
		i := w.at[name]
		out[i] = v.Level(0, definition, i)
	}
	set(partColumn, 0, parquet.Int32Value(int32(row.Part)))
	set(labelColumn, 0, parquet.Int32Value(label(row.Positive)))
	set(keyColumn, 0, parquet.ByteArrayValue([]byte(row.Key)))
	for i, c := range w.spec.Columns {
		switch v := row.Values[i]; {
		case c.Kind == dataset.Categorical:
			set(c.Name, 0, parquet.ByteArrayValue([]byte(v.Text)))
		case v.Missing:
			set(c.Name, 0, parquet.NullValue())
		default:
			set(c.Name, 1, parquet.DoubleValue(v.Number))
		}
	}
	w.batch[w.pending] = out
	if w.pending++; w.pending < len(w.batch) {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	_, err := w.w.WriteRows(w.batch[:w.pending])
	w.pending = 0
	return churn.E("feature.Write", churn.Internal, err)
}

// Close writes what is left, and the file's end.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return churn.E("feature.Close", churn.Internal, w.w.Close())
}

func label(positive bool) int32 {
	if positive {
		return 1
	}
	return 0
}
