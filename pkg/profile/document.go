package profile

import (
	"math"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/jsonfile"
)

// Version is the version of profile.json's shape. A change that a reader would
// stumble over is a new version: 2 has histograms.
const Version = 2

// MaxDocument is the most bytes that profile.json may have.
const MaxDocument = 32 << 20

// Document is profile.json.
type Document struct {
	Version    int              `json:"version"`
	Dataset    string           `json:"dataset"` // the spec's name
	Rows       map[string]Count `json:"rows"`    // by split: holdout, train, validation; and all
	Duplicates Duplicates       `json:"duplicates"`
	Columns    []Column         `json:"columns"` // in the spec's order
	Extra      []string         `json:"extra"`   // columns of the file that the spec does not name
	LineEnds   dataset.LineEnd  `json:"line_ends"`
	BOM        bool             `json:"byte_order_mark"`
}

// Duplicates are rows whose key an earlier row has. They fall into the same
// split as that, so nothing leaks from one to another; but if they are there by
// mistake, each counts as if there were one more customer.
type Duplicates struct {
	Rows    int64    `json:"rows"`
	Keys    int64    `json:"keys"`    // distinct keys that rows were compared with: the file's first 1,048,576
	Repeats []Repeat `json:"repeats"` // the first ten
}

// Repeat is a row whose key was there before, by the lines on which they begin.
type Repeat struct {
	Line  int `json:"line"`
	First int `json:"first"`
}

// Count is a number of rows.
type Count struct {
	Rows      int64 `json:"rows"`
	Positives int64 `json:"positives"`
}

// Column is what one column holds, over all rows.
type Column struct {
	Name   string       `json:"name"`
	Kind   dataset.Kind `json:"kind"`
	Blanks int64        `json:"blanks"`
	// Of a categorical column.
	Categories []Category `json:"categories,omitempty"` // by name
	Other      int64      `json:"other,omitempty"`      // rows of categories beyond the number that are counted
	// Of a numeric column, blanks aside; absent if all are blank.
	Numbers *Numbers `json:"numbers,omitempty"`
}

// Category is one category and how many rows have it.
type Category struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Numbers is the distribution of a numeric column.
type Numbers struct {
	Min       float64   `json:"min"`
	Max       float64   `json:"max"`
	Mean      *float64  `json:"mean"`      // null if it is too large
	Deviation *float64  `json:"deviation"` // of the population; null if it is too large
	Histogram Histogram `json:"histogram"`
}

// Column returns the column of that name; nil if there is none.
func (d *Document) Column(name string) *Column {
	for i := range d.Columns {
		if d.Columns[i].Name == name {
			return &d.Columns[i]
		}
	}
	return nil
}

// JSON returns profile.json, indented. One that Parse would refuse as too large is
// an Invalid error.
func (d *Document) JSON() ([]byte, error) {
	const op = "profile.JSON"
	text, err := jsonfile.Encode(d)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxDocument {
		return nil, churn.Errorf(op, churn.Invalid, "the profile has %d bytes; at most %d are allowed: the data has too many or too long categories", len(text), MaxDocument)
	}
	return text, nil
}

// finite returns v as JSON has it: nothing if it is no finite number.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
