package feature

import (
	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/dataset"
)

// Groups divides rows by their value in a categorical column.
type Groups struct {
	Values []string // in the order in which they first occur
	Of     []int32  // by row, in file order: its value's place in Values; -1 of values beyond the limit
	Others int64    // rows of those
}

// Groups returns the groups of the part's rows, whose order is that of Chunks, for
// as many values as limit. A table without such a column is an Invalid error.
func (t *Table) Groups(column string, part dataset.Part, limit int) (*Groups, error) {
	const op = "feature.Groups"
	if err := t.has(column, parquet.ByteArray); err != nil {
		return nil, unreadable(op, err)
	}
	out, places := &Groups{}, map[string]int32{}
	for _, g := range t.file.RowGroups() {
		rows, err := t.rows(g, []dataset.Part{part})
		if err != nil {
			return nil, unreadable(op, err)
		}
		err = t.pick(g, column, rows, func(_ int, v parquet.Value) error {
			place, known := places[string(v.ByteArray())]
			switch {
			case known:
			case len(places) == limit:
				place = -1
				out.Others++
			default:
				place = int32(len(places))
				places[string(v.ByteArray())], out.Values = place, append(out.Values, string(v.ByteArray()))
			}
			out.Of = append(out.Of, place)
			return nil
		})
		if err != nil {
			return nil, unreadable(op, err)
		}
	}
	return out, nil
}
