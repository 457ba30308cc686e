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

// A row group, which writer and reader hold at once, ends with so many rows or
// so many bytes, whichever come first.
const (
	rowsPerGroup  = 64 << 10
	bytesPerGroup = 64 << 20
)

// Writer writes features.parquet: typed columns, lossless, so that another
// model's preprocessing can be applied to the same rows. Equal rows make equal
// bytes.
type Writer struct {
	w       *parquet.GenericWriter[any]
	spec    *dataset.Spec
	at      []int // index of the split, the label, the key, and the spec's columns
	batch   []parquet.Row
	pending int
	rows    int // in the row group at hand
	bytes   int
}

// NewWriter writes to out. Close ends the file.
func NewWriter(out io.Writer, spec *dataset.Spec) *Writer {
	schema := schemaOf(spec)
	w := &Writer{
		w:     parquet.NewGenericWriter[any](out, schema, parquet.Compression(&parquet.Snappy), parquet.CreatedBy("asfotec-churn", "1", "")),
		spec:  spec,
		batch: make([]parquet.Row, 256),
	}
	index := map[string]int{} // by name, as the schema sorts them
	for i, path := range schema.Columns() {
		index[path[0]] = i
	}
	w.at = append(w.at, index[partColumn], index[labelColumn], index[keyColumn])
	for _, c := range spec.Columns {
		w.at = append(w.at, index[c.Name])
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
	set := func(column, definition int, v parquet.Value) {
		i := w.at[column]
		out[i] = v.Level(0, definition, i)
	}
	set(0, 0, parquet.Int32Value(int32(row.Part)))
	set(1, 0, parquet.Int32Value(label(row.Positive)))
	set(2, 0, parquet.ByteArrayValue([]byte(row.Key)))
	for i, c := range w.spec.Columns {
		switch v := row.Values[i]; {
		case c.Kind == dataset.Categorical:
			set(3+i, 0, parquet.ByteArrayValue([]byte(v.Text)))
		case v.Missing:
			set(3+i, 0, parquet.NullValue())
		default:
			set(3+i, 1, parquet.DoubleValue(v.Number))
		}
	}
	w.batch[w.pending] = out
	w.pending++
	w.rows++
	w.bytes += size(row)
	switch {
	case w.rows == rowsPerGroup || w.bytes >= bytesPerGroup:
		return w.endGroup()
	case w.pending == len(w.batch):
		return w.flush()
	}
	return nil
}

// size is about how many bytes the row takes in memory.
func size(row *dataset.Row) int {
	n := len(row.Key)
	for _, v := range row.Values {
		n += 8 + len(v.Text)
	}
	return n
}

func (w *Writer) flush() error {
	_, err := w.w.WriteRows(w.batch[:w.pending])
	w.pending = 0
	return churn.E("feature.Write", churn.Internal, err)
}

func (w *Writer) endGroup() error {
	if err := w.flush(); err != nil {
		return err
	}
	w.rows, w.bytes = 0, 0
	return churn.E("feature.Write", churn.Internal, w.w.Flush())
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
