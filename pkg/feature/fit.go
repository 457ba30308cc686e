package feature

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
)

// Fitter learns a Preprocessor from rows as they pass by.
type Fitter struct {
	spec    *dataset.Spec
	split   dataset.Split
	columns []columnFit
	room    int // bytes left for categories
}

// categoryCost is what a category takes beside its text.
const categoryCost = 64

// columnFit is what is known of a column so far, from the training rows.
type columnFit struct {
	categories map[string]bool
	moments    Moments
	missing    int64
}

// NewFitter returns a Fitter that has seen no row.
func NewFitter(spec *dataset.Spec, split dataset.Split) *Fitter {
	f := &Fitter{spec: spec, split: split, columns: make([]columnFit, len(spec.Columns)), room: MaxPreprocessor}
	for i := range f.columns {
		f.columns[i].categories = map[string]bool{}
	}
	return f
}

// Add takes a row in. Rows that are not for training teach it nothing.
func (f *Fitter) Add(row *dataset.Row) error {
	if row.Part != dataset.Train {
		return nil
	}
	for i := range f.columns {
		c, v := &f.columns[i], row.Values[i]
		switch {
		case f.spec.Columns[i].Kind == dataset.Numeric && v.Missing:
			c.missing++
		case f.spec.Columns[i].Kind == dataset.Numeric:
			c.moments.Add(v.Number)
		case !c.categories[v.Text]:
			if err := f.addCategory(c, v.Text); err != nil {
				return churn.Errorf("feature.Fit", churn.Invalid, "line %d, column %s: %w: it looks like an identifier or a number; change its kind in the spec, or leave it out",
					row.Line, f.spec.Columns[i].Name, err)
			}
		}
	}
	return nil
}

// addCategory takes a new category in, of those that are allowed for.
func (f *Fitter) addCategory(c *columnFit, text string) error {
	if len(c.categories) == MaxCategories {
		return fmt.Errorf("more than %d categories", MaxCategories)
	}
	if f.room -= len(text) + categoryCost; f.room < 0 {
		return fmt.Errorf("the categories of all columns together are more than fit in a preprocessor of %d bytes", MaxPreprocessor)
	}
	c.categories[strings.Clone(text)] = true
	return nil
}

// Preprocessor returns what was learned.
func (f *Fitter) Preprocessor() (*Preprocessor, error) {
	p := &Preprocessor{
		Version: 1, Dataset: f.spec.Name, Key: f.spec.Key, Target: f.spec.Target, Split: f.split,
		Columns: make([]Column, len(f.columns)),
	}
	for i, s := range f.spec.Columns {
		c, err := f.columns[i].column(s)
		if err != nil {
			return nil, err
		}
		p.Columns[i] = c
	}
	p.Features = p.names()
	if err := p.validate(); err != nil {
		return nil, churn.Errorf("feature.Fit", churn.Invalid, "%w", err)
	}
	return p, nil
}

func (f *columnFit) column(s dataset.Column) (Column, error) {
	c := Column{Name: s.Name, Kind: s.Kind, Missing: s.Missing, Min: s.Min, Max: s.Max}
	if s.Kind == dataset.Categorical {
		c.Categories = make([]string, 0, len(f.categories))
		for category := range f.categories {
			c.Categories = append(c.Categories, category)
		}
		slices.Sort(c.Categories)
		return c, nil
	}
	m := f.moments
	switch s.Missing {
	case dataset.MissingZero:
		c.Fill = new(float64)
	case dataset.MissingMean:
		if m.Count() == 0 {
			return c, churn.Errorf("feature.Fit", churn.Invalid, "column %s: every training row is blank, so there is no mean to put in", s.Name)
		}
		fill := m.Mean()
		c.Fill = &fill
	}
	if c.Fill != nil {
		m.addMany(*c.Fill, f.missing)
	}
	c.Mean, c.Deviation = m.Mean(), m.Deviation()
	if c.Deviation == 0 {
		c.Deviation = 1 // a constant column: its feature is 0 for every row
	}
	if !finite(c.Mean) || !finite(c.Deviation) {
		return c, churn.Errorf("feature.Fit", churn.Invalid, "column %s: its numbers are too large to standardize", s.Name)
	}
	return c, nil
}
