package profile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/jsonfile"
)

const (
	// maxColumns is the most columns that a profile may have: as many as a spec.
	maxColumns = 2000
	// maxRows bounds every number of rows, so that no sum of them overflows.
	maxRows = 1 << 40
)

// ErrTooOld is in the chain of Parse's error of a profile of an older version: it
// is sound, but has no histograms to compare with.
var ErrTooOld = errors.New("the profile is of an older version, without histograms: retrain on its data to have a new one")

// Parse reads profile.json. What does not hold together is an Invalid error.
func Parse(text []byte) (*Document, error) {
	const op = "profile.Parse"
	if len(text) > MaxDocument {
		return nil, churn.Errorf(op, churn.Invalid, "the profile has %d bytes; at most %d are allowed", len(text), MaxDocument)
	}
	var of struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the profile is not of the expected form: %w", err)
	}
	if of.Version >= 1 && of.Version < Version {
		return nil, churn.E(op, churn.Invalid, ErrTooOld)
	}
	if of.Version != Version {
		return nil, churn.Errorf(op, churn.Invalid, "the profile's version is %d, want %d: is a newer release needed?", of.Version, Version)
	}
	d, err := decode(text)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the profile is not of the expected form: %w", err)
	}
	if err := d.validate(); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the profile: %w", err)
	}
	return d, nil
}

// decode counts the columns before it decodes them: a column takes some hundred
// times the memory of the two bytes that an empty one has in the text.
func decode(text []byte) (*Document, error) {
	d := &Document{}
	shell := struct {
		*Document
		Columns []json.RawMessage `json:"columns"` // in the place of the document's
	}{Document: d}
	if err := jsonfile.Decode(text, &shell); err != nil {
		return nil, err
	}
	if n := len(shell.Columns); n == 0 || n > maxColumns {
		return nil, fmt.Errorf("there are %d columns, want 1 to %d", n, maxColumns)
	}
	d.Columns = make([]Column, len(shell.Columns))
	for i, column := range shell.Columns {
		if err := jsonfile.Decode(column, &d.Columns[i]); err != nil {
			return nil, fmt.Errorf("columns[%d]: %w", i, err)
		}
	}
	return d, nil
}

func (d *Document) validate() error {
	if err := d.validateRows(); err != nil {
		return err
	}
	rows := d.Rows["all"].Rows
	if u := d.Duplicates; u.Rows < 0 || u.Keys < 0 || u.Rows+u.Keys > rows || len(u.Repeats) > maxRepeats {
		return fmt.Errorf("duplicates: %d rows, %d keys and %d repeats do not go with %d rows", u.Rows, u.Keys, len(u.Repeats), rows)
	}
	seen := map[string]bool{}
	for _, c := range d.Columns {
		if c.Name == "" || seen[c.Name] {
			return fmt.Errorf("column %q: the name is empty, or there twice", c.Name)
		}
		seen[c.Name] = true
		if err := c.validate(rows); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
	}
	return nil
}

func (d *Document) validateRows() error {
	var sum Count
	for _, part := range []string{"train", "validation", "holdout"} {
		c, there := d.Rows[part]
		if !there || c.Positives < 0 || c.Rows < c.Positives || c.Rows > maxRows {
			return fmt.Errorf("rows: those of %s are missing, or %d rows with %d positive ones are none", part, c.Rows, c.Positives)
		}
		sum = Count{sum.Rows + c.Rows, sum.Positives + c.Positives}
	}
	if len(d.Rows) != 4 || d.Rows["all"] != sum || sum.Rows > maxRows {
		return fmt.Errorf("rows: they are those of train, validation and holdout, and all: their sum, at most %d", maxRows)
	}
	return nil
}

// validate checks the column of a file with so many rows.
func (c Column) validate(rows int64) error {
	var counted int64
	switch c.Kind {
	case dataset.Categorical:
		if c.Numbers != nil || len(c.Categories) > maxCategories {
			return fmt.Errorf("it has numbers, or more than %d categories", maxCategories)
		}
		if !ascending(c.Categories, func(a, b Category) int { return cmp.Compare(a.Name, b.Name) }) {
			return fmt.Errorf("categories must be sorted and distinct")
		}
		for _, category := range c.Categories {
			if category.Rows < 1 || category.Rows > rows {
				return fmt.Errorf("category %q has %d rows of %d", category.Name, category.Rows, rows)
			}
			counted += category.Rows
		}
	case dataset.Numeric:
		if c.Categories != nil || c.Other != 0 {
			return fmt.Errorf("it is numeric and has categories")
		}
		if c.Numbers != nil {
			if err := c.Numbers.validate(rows); err != nil {
				return err
			}
			counted = c.Numbers.Histogram.rows()
		}
	default:
		return fmt.Errorf("kind is %q", c.Kind)
	}
	if c.Blanks < 0 || c.Blanks > rows || c.Other < 0 || c.Other > rows || counted+c.Other+c.Blanks != rows {
		return fmt.Errorf("%d counted, %d other and %d blank rows are not the file's %d", counted, c.Other, c.Blanks, rows)
	}
	return nil
}

func (n *Numbers) validate(rows int64) error {
	h := n.Histogram
	if h.Bits < minBits || h.Bits > maxBits || len(h.Bins) == 0 || len(h.Bins) > maxBins {
		return fmt.Errorf("histogram: %d bins by %d bits; there are 1 to %d by %d to %d", len(h.Bins), h.Bits, maxBins, minBits, maxBits)
	}
	if !ascending(h.Bins, func(a, b Bin) int { return cmp.Compare(a.At, b.At) }) {
		return fmt.Errorf("histogram: bins must be sorted and distinct")
	}
	for _, b := range h.Bins {
		if cut(b.At, h.Bits) != b.At || b.Rows < 1 || b.Rows > rows {
			return fmt.Errorf("histogram: no bin by %d bits is at %v, or its %d rows are not of the file's %d", h.Bits, b.At, b.Rows, rows)
		}
	}
	if n.Min > n.Max || cut(n.Min, h.Bits) != h.Bins[0].At || cut(n.Max, h.Bits) != h.Bins[len(h.Bins)-1].At {
		return fmt.Errorf("min %v and max %v are not in the histogram's first and last bin", n.Min, n.Max)
	}
	if n.Deviation != nil && *n.Deviation < 0 {
		return fmt.Errorf("deviation is %v", *n.Deviation)
	}
	return nil
}

// rows returns how many there are in all bins.
func (h Histogram) rows() (n int64) {
	for _, b := range h.Bins {
		n += b.Rows
	}
	return n
}

// ascending reports whether each element is above the one before.
func ascending[T any](all []T, compare func(T, T) int) bool {
	for i := 1; i < len(all); i++ {
		if compare(all[i-1], all[i]) >= 0 {
			return false
		}
	}
	return true
}
