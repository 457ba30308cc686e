package dataset

import (
	"fmt"
	"math"
	"slices"
)

// maxSliced is the most columns that rows may be sliced by.
const maxSliced = 20

// Slices says which groups of hold-out rows are judged by themselves: those with
// one value in one of the columns, if there are enough of them.
type Slices struct {
	Columns        []string `yaml:"columns"` // categorical ones of the spec
	MinRows        int64    `yaml:"min_rows"`
	MinOfEachClass int64    `yaml:"min_of_each_class"` // rows of the rarer class
}

// validateSlices spells the sliced columns as the spec's columns are spelled.
func (s *Spec) validateSlices() error {
	if n := len(s.Slices.Columns); n > maxSliced {
		return fmt.Errorf("slices.columns: there are %d; at most %d are allowed", n, maxSliced)
	}
	seen := map[string]bool{}
	for i, name := range s.Slices.Columns {
		where := fmt.Sprintf("slices.columns[%d]", i)
		at := slices.IndexFunc(s.Columns, func(c Column) bool { return fold(c.Name) == fold(name) })
		switch {
		case at < 0:
			return fmt.Errorf("%s is %.80q, which is none of the columns", where, name)
		case s.Columns[at].Kind != Categorical:
			return fmt.Errorf("%s is %s, which is not categorical", where, s.Columns[at].Name)
		case seen[fold(name)]:
			return fmt.Errorf("%s: %s is there twice", where, s.Columns[at].Name)
		}
		seen[fold(name)], s.Slices.Columns[i] = true, s.Columns[at].Name
	}
	if s.Slices.MinRows < 1 {
		return fmt.Errorf("slices.min_rows is %d, less than 1", s.Slices.MinRows)
	}
	if s.Slices.MinOfEachClass < 2 { // fewer have no variance
		return fmt.Errorf("slices.min_of_each_class is %d, less than 2", s.Slices.MinOfEachClass)
	}
	return nil
}

// Cost is what a wrong class costs, in any one unit.
type Cost struct {
	FalsePositive float64 `yaml:"false_positive"`
	FalseNegative float64 `yaml:"false_negative"`
}

// maxCost bounds a cost, so that no sum of costs overflows.
const maxCost = 1e12

func (c *Cost) validate() error {
	if c == nil {
		return nil
	}
	for _, v := range []struct {
		field string
		cost  float64
	}{{"cost.false_positive", c.FalsePositive}, {"cost.false_negative", c.FalseNegative}} {
		if math.IsNaN(v.cost) || v.cost <= 0 || v.cost > maxCost {
			return fmt.Errorf("%s is %v, not above 0 and at most %v", v.field, v.cost, float64(maxCost))
		}
	}
	return nil
}
