package feature

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/jsonfile"
)

const (
	// MaxPreprocessor is the most bytes that a preprocessor may have.
	MaxPreprocessor = 16 << 20
	// MaxCategories is the most categories that a column may have.
	MaxCategories = 1000
	// MaxFeatures is the most features that a preprocessor may make.
	MaxFeatures = 100_000
)

// Preprocessor says how a typed row becomes a row of features. Its JSON form is
// preprocessor.json.
type Preprocessor struct {
	Version  int            `json:"version"`
	Dataset  string         `json:"dataset"`
	Key      string         `json:"key"`
	Target   dataset.Target `json:"target"`
	Split    dataset.Split  `json:"split"`
	Columns  []Column       `json:"columns"`
	Features []string       `json:"features"` // names, in the order of the model's inputs
}

// Column is one fitted column. A categorical one gives a feature per category,
// 1 for the row's and 0 for the others; a category that was not seen in
// training gives zeros. A numeric one gives (x − Mean) / Deviation.
type Column struct {
	Name       string          `json:"name"`
	Kind       dataset.Kind    `json:"kind"`
	Missing    dataset.Missing `json:"missing"`
	Categories []string        `json:"-"` // sorted bytewise
	Fill       *float64        `json:"-"` // put in for a blank; nil if a blank is an error
	Min        *float64        `json:"-"`
	Max        *float64        `json:"-"`
	Mean       float64         `json:"-"`
	Deviation  float64         `json:"-"` // of the population; never 0
}

// categorical and numeric are the JSON forms of a Column.
type categorical struct {
	Name       string          `json:"name"`
	Kind       dataset.Kind    `json:"kind"`
	Missing    dataset.Missing `json:"missing"`
	Categories []string        `json:"categories"`
}

type numeric struct {
	Name      string          `json:"name"`
	Kind      dataset.Kind    `json:"kind"`
	Missing   dataset.Missing `json:"missing"`
	Fill      *float64        `json:"fill"`
	Min       *float64        `json:"min"`
	Max       *float64        `json:"max"`
	Mean      float64         `json:"mean"`
	Deviation float64         `json:"deviation"`
}

// MarshalJSON gives the fields of the column's kind.
func (c Column) MarshalJSON() ([]byte, error) {
	if c.Kind == dataset.Categorical {
		return json.Marshal(categorical{c.Name, c.Kind, c.Missing, c.Categories})
	}
	return json.Marshal(numeric{c.Name, c.Kind, c.Missing, c.Fill, c.Min, c.Max, c.Mean, c.Deviation})
}

// UnmarshalJSON takes the fields of the column's kind and no others.
func (c *Column) UnmarshalJSON(text []byte) error {
	var kind struct {
		Kind dataset.Kind `json:"kind"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return err
	}
	if kind.Kind == dataset.Categorical {
		var x categorical
		if err := jsonfile.Decode(text, &x); err != nil {
			return err
		}
		*c = Column{Name: x.Name, Kind: x.Kind, Missing: x.Missing, Categories: x.Categories}
		return nil
	}
	var x numeric
	if err := jsonfile.Decode(text, &x); err != nil {
		return err
	}
	*c = Column{Name: x.Name, Kind: x.Kind, Missing: x.Missing, Fill: x.Fill, Min: x.Min, Max: x.Max, Mean: x.Mean, Deviation: x.Deviation}
	return nil
}

// JSON returns preprocessor.json. One that Parse would refuse as too large is an
// Invalid error.
func (p *Preprocessor) JSON() ([]byte, error) {
	text, err := jsonfile.Encode(p)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxPreprocessor {
		return nil, churn.Errorf("feature.JSON", churn.Invalid, "the preprocessor has %d bytes; at most %d are allowed: the data has too many or too long categories",
			len(text), MaxPreprocessor)
	}
	return text, nil
}

// Parse reads preprocessor.json. What does not hold together is an Invalid
// error.
func Parse(text []byte) (*Preprocessor, error) {
	const op = "feature.Parse"
	if len(text) > MaxPreprocessor {
		return nil, churn.Errorf(op, churn.Invalid, "the preprocessor has %d bytes; at most %d are allowed", len(text), MaxPreprocessor)
	}
	p := &Preprocessor{}
	if err := jsonfile.Decode(text, p); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the preprocessor is not of the expected form: %w", err)
	}
	if err := p.validate(); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the preprocessor: %w", err)
	}
	return p, nil
}

func (p *Preprocessor) validate() error {
	if p.Version != 1 {
		return fmt.Errorf("version is %d, want 1", p.Version)
	}
	if p.Key == "" || p.Target.Column == "" || p.Target.Positive == p.Target.Negative {
		return fmt.Errorf("key and target must be named, and the target's labels differ")
	}
	seen := map[string]bool{p.Key: true, p.Target.Column: true}
	for _, c := range p.Columns {
		if c.Name == "" || strings.HasPrefix(c.Name, "__") || strings.Contains(c.Name, "=") || seen[c.Name] {
			return fmt.Errorf("column %q: the name is empty, reserved, or there twice", c.Name)
		}
		seen[c.Name] = true
		if err := c.validate(); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	want := p.names()
	if len(want) == 0 || len(want) > MaxFeatures {
		return fmt.Errorf("the columns make %d features, want 1 to %d", len(want), MaxFeatures)
	}
	if !slices.Equal(want, p.Features) {
		return fmt.Errorf("features are not those of the columns")
	}
	return nil
}

func (c Column) validate() error {
	switch c.Kind {
	case dataset.Categorical:
		if c.Missing != dataset.MissingError && c.Missing != dataset.MissingCategory {
			return fmt.Errorf("missing is %q", c.Missing)
		}
		if len(c.Categories) > MaxCategories || !slices.IsSorted(c.Categories) || len(slices.Compact(slices.Clone(c.Categories))) != len(c.Categories) {
			return fmt.Errorf("categories must be sorted, distinct, and at most %d", MaxCategories)
		}
		return nil
	case dataset.Numeric:
		if !finite(c.Mean) || !finite(c.Deviation) || c.Deviation <= 0 || c.Fill != nil && !finite(*c.Fill) {
			return fmt.Errorf("mean, deviation and fill must be finite, and the deviation above 0")
		}
		needsFill := c.Missing == dataset.MissingZero || c.Missing == dataset.MissingMean
		if !needsFill && c.Missing != dataset.MissingError || needsFill != (c.Fill != nil) {
			return fmt.Errorf("missing is %q and fill does not go with it", c.Missing)
		}
		return nil
	default:
		return fmt.Errorf("kind is %q", c.Kind)
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// names returns the features' names: column=category, or the numeric column's.
func (p *Preprocessor) names() []string {
	names := []string{}
	for _, c := range p.Columns {
		if c.Kind == dataset.Numeric {
			names = append(names, c.Name)
			continue
		}
		for _, category := range c.Categories {
			names = append(names, c.Name+"="+category)
		}
	}
	return names
}

// width is the number of features of the column.
func (c Column) width() int {
	if c.Kind == dataset.Numeric {
		return 1
	}
	return len(c.Categories)
}

// number writes the feature of a numeric value. A blank that the column has no
// number for is an error, and so is what is no number.
func (c Column) number(v float64, missing bool, x []float64) error {
	if missing {
		if c.Fill == nil {
			return fmt.Errorf("column %s is blank, which its preprocessor does not allow", c.Name)
		}
		v = *c.Fill
	}
	if !finite(v) {
		return fmt.Errorf("column %s is %v, which is no finite number", c.Name, v)
	}
	x[0] = (v - c.Mean) / c.Deviation
	return nil
}

// category writes the features of a category and reports whether it was seen in
// training. x must be zero.
func (c Column) category(text string, x []float64) bool {
	i, seen := slices.BinarySearch(c.Categories, text)
	if seen {
		x[i] = 1
	}
	return seen
}

// Apply writes the features of a row, whose values are in the order of the
// columns, into x, which has one place per feature. It returns how many
// categories were not seen in training.
func (p *Preprocessor) Apply(values []dataset.Value, x []float64) (unseen int, err error) {
	const op = "feature.Apply"
	if len(values) != len(p.Columns) || len(x) != len(p.Features) {
		return 0, churn.Errorf(op, churn.Invalid, "%d values into %d features; the preprocessor has %d columns and %d features",
			len(values), len(x), len(p.Columns), len(p.Features))
	}
	clear(x)
	for i, c := range p.Columns {
		if c.Kind == dataset.Numeric {
			if err := c.number(values[i].Number, values[i].Missing, x); err != nil {
				return 0, churn.E(op, churn.Invalid, err)
			}
		} else if !c.category(values[i].Text, x) {
			unseen++
		}
		x = x[c.width():]
	}
	return unseen, nil
}
