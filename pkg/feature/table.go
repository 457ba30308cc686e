package feature

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/parquetfile"
)

const (
	// maxGroup is the most rows that one row group may have.
	maxGroup = 1 << 20
	// maxCells is the most features that one chunk holds, unless one row has more.
	maxCells = 16 << 20
)

// Table is an open features.parquet. Reading holds one row group at a time.
type Table struct {
	file  *parquet.File
	at    map[string]parquet.LeafColumn
	close func() error // nil: nothing is to be closed
}

// Chunk is some rows, encoded for a model.
type Chunk struct {
	X      []float64        // rows × features, row-major
	Labels []float64        // 1 positive, 0 negative
	Keys   []string         // of the rows
	Rows   []int64          // row numbers in the file, from 0
	Unseen map[string]int64 // by column: rows whose category was not seen in training
}

// OpenTable opens the file of size bytes. A file that is not what Writer makes
// is an Invalid error.
func OpenTable(r io.ReaderAt, size int64) (t *Table, err error) {
	const op = "feature.OpenTable"
	defer recoverAs(op, &err)
	file, err := parquetfile.Open(r, size)
	if err != nil {
		return nil, unreadable(op, fmt.Errorf("the features table cannot be read: %w", err))
	}
	t = &Table{file: file, at: map[string]parquet.LeafColumn{}}
	for _, path := range file.Schema().Columns() {
		leaf, ok := file.Schema().Lookup(path...)
		if ok && len(path) == 1 {
			t.at[path[0]] = leaf
		}
	}
	if err := cmp.Or(t.has(partColumn, parquet.Int32), t.has(labelColumn, parquet.Int32), t.has(keyColumn, parquet.ByteArray)); err != nil {
		return nil, churn.E(op, churn.Invalid, err)
	}
	for _, g := range file.RowGroups() {
		if g.NumRows() < 0 || g.NumRows() > maxGroup {
			return nil, churn.Errorf(op, churn.Invalid, "the features table has a row group of %d rows; at most %d are allowed", g.NumRows(), maxGroup)
		}
	}
	return t, nil
}

// has returns an error unless the column is there and of the kind. Only numbers
// may be null.
func (t *Table) has(name string, kind parquet.Kind) error {
	leaf, ok := t.at[name]
	if !ok {
		return fmt.Errorf("the features table has no column %s", name)
	}
	if got := leaf.Node.Type().Kind(); got != kind || leaf.MaxRepetitionLevel > 0 {
		return fmt.Errorf("column %s of the features table is %v, want %v", name, got, kind)
	}
	if leaf.MaxDefinitionLevel > 0 && kind != parquet.Double {
		return fmt.Errorf("column %s of the features table may be null, which it must not", name)
	}
	return nil
}

// Chunks yields the rows of the parts, in file order, encoded by p, so many at a
// time as are in a row group and fit in memory. An error ends it. The table must
// have p's columns.
func (t *Table) Chunks(p *Preprocessor, parts ...dataset.Part) iter.Seq2[Chunk, error] {
	const op = "feature.Chunks"
	return func(yield func(Chunk, error) bool) {
		if err := t.fits(p); err != nil {
			yield(Chunk{}, unreadable(op, err))
			return
		}
		at := max(1, maxCells/max(1, len(p.Features)))
		first := int64(0)
		for _, g := range t.file.RowGroups() {
			rows, err := t.rows(g, parts)
			if err != nil {
				yield(Chunk{}, unreadable(op, err))
				return
			}
			for some := range slices.Chunk(rows, at) {
				chunk, err := t.chunk(g, some, first, p)
				if err != nil {
					yield(Chunk{}, unreadable(op, err))
					return
				}
				if !yield(chunk, nil) {
					return
				}
			}
			first += g.NumRows()
		}
	}
}

// unreadable is an error of a table: Invalid, but where reading it has failed.
func unreadable(op string, err error) error {
	var failed *churn.Error
	if errors.As(err, &failed) {
		return churn.E(op, failed.Kind, err)
	}
	return churn.E(op, churn.Invalid, err)
}

// fits returns an error unless the table has p's columns.
func (t *Table) fits(p *Preprocessor) error {
	for _, c := range p.Columns {
		kind := parquet.ByteArray
		if c.Kind == dataset.Numeric {
			kind = parquet.Double
		}
		if err := t.has(c.Name, kind); err != nil {
			return err
		}
	}
	return nil
}

// rows returns which rows of the row group, from 0, are in parts.
func (t *Table) rows(g parquet.RowGroup, parts []dataset.Part) (rows []int, err error) {
	err = t.column(g, partColumn, func(i int, v parquet.Value) error {
		if slices.Contains(parts, dataset.Part(v.Int32())) {
			rows = append(rows, i)
		}
		return nil
	})
	return rows, err
}

// chunk encodes rows of a row group, which are in its order. Columns are read
// one by one.
func (t *Table) chunk(g parquet.RowGroup, rows []int, first int64, p *Preprocessor) (Chunk, error) {
	width := len(p.Features)
	c := Chunk{
		X: make([]float64, len(rows)*width), Labels: make([]float64, len(rows)),
		Keys: make([]string, len(rows)), Rows: make([]int64, len(rows)), Unseen: map[string]int64{},
	}
	for place, i := range rows {
		c.Rows[place] = first + int64(i)
	}
	err := t.pick(g, labelColumn, rows, func(place int, v parquet.Value) error {
		if v.Int32() != 0 && v.Int32() != 1 {
			return fmt.Errorf("a label is %d, want 0 or 1", v.Int32())
		}
		c.Labels[place] = float64(v.Int32())
		return nil
	})
	if err != nil {
		return c, err
	}
	err = t.pick(g, keyColumn, rows, func(place int, v parquet.Value) (err error) {
		c.Keys[place], err = keyOf(v)
		return err
	})
	if err != nil {
		return c, err
	}
	at := 0
	for _, column := range p.Columns {
		err := t.pick(g, column.Name, rows, func(place int, v parquet.Value) error {
			x := c.X[place*width+at:][:column.width()]
			if column.Kind == dataset.Numeric {
				return column.number(v.Double(), v.IsNull(), x)
			}
			if !column.category(string(v.ByteArray()), x) {
				c.Unseen[column.Name]++
			}
			return nil
		})
		if err != nil {
			return c, err
		}
		at += column.width()
	}
	return c, nil
}

// pick calls f for the value of the column in each of the rows.
func (t *Table) pick(g parquet.RowGroup, name string, rows []int, f func(place int, v parquet.Value) error) error {
	place := 0
	return t.column(g, name, func(i int, v parquet.Value) error {
		if place == len(rows) || i != rows[place] {
			return nil
		}
		place++
		return f(place-1, v)
	})
}

// column calls f for each value of the column in the row group. It is an error
// if there are more or fewer values than rows.
func (t *Table) column(g parquet.RowGroup, name string, f func(i int, v parquet.Value) error) (err error) {
	defer recoverAs("feature.column", &err)
	pages := g.ColumnChunks()[t.at[name].ColumnIndex].Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	rows, i := int(g.NumRows()), 0
	values := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		reader := page.Values()
		for {
			n, err := reader.ReadValues(values)
			for _, v := range values[:n] {
				if i == rows {
					return fmt.Errorf("column %s has more values than the table has rows", name)
				}
				if err := f(i, v); err != nil {
					return err
				}
				i++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
			if n == 0 {
				return fmt.Errorf("column %s: a page cannot be read", name)
			}
		}
		parquet.Release(page)
	}
	if i != rows {
		return fmt.Errorf("column %s has %d values for %d rows", name, i, rows)
	}
	return nil
}

// recoverAs turns a panic of the parquet reader, on a file made to cause one,
// into an Invalid error.
func recoverAs(op string, err *error) {
	if r := recover(); r != nil {
		*err = churn.Errorf(op, churn.Invalid, "the table is damaged: %v", r)
	}
}
