package feature

import (
	"errors"
	"fmt"
	"iter"

	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/dataset"
)

// Keys yields the keys of the part's rows, in the order of Chunks; an error ends
// it. Nobody has to hold them: they can be read again.
func (t *Table) Keys(part dataset.Part) iter.Seq2[string, error] {
	const op = "feature.Keys"
	return func(yield func(string, error) bool) {
		for _, g := range t.file.RowGroups() {
			rows, err := t.rows(g, []dataset.Part{part})
			if err == nil {
				err = t.pick(g, keyColumn, rows, func(_ int, v parquet.Value) error {
					key, err := keyOf(v)
					if err == nil && !yield(key, nil) {
						return errEnough
					}
					return err
				})
			}
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield("", unreadable(op, err))
				return
			}
		}
	}
}

// errEnough ends the reading of a column whose other values nobody wants.
var errEnough = errors.New("enough")

func keyOf(v parquet.Value) (string, error) {
	if n := len(v.ByteArray()); n > dataset.MaxText {
		return "", fmt.Errorf("a key has %d bytes; at most %d are allowed", n, dataset.MaxText)
	}
	return string(v.ByteArray()), nil
}
