package flavor

import (
	"slices"
	"strconv"

	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

// split is a data frame as pandas spells it by orient="split".
type split struct {
	Columns []string `json:"columns"`
	Data    [][]any  `json:"data"`
}

// example returns two rows that could be sent: one of the first categories, one
// of the last, which leaves blank what may be.
func example(p *feature.Preprocessor) split {
	s := split{Data: make([][]any, 2)}
	for _, c := range p.Columns {
		s.Columns = append(s.Columns, c.Name)
		first, last := values(c)
		s.Data[0] = append(s.Data[0], first)
		s.Data[1] = append(s.Data[1], last)
	}
	return s
}

func values(c feature.Column) (first, last any) {
	if c.Kind == dataset.Categorical {
		seen := slices.DeleteFunc(slices.Clone(c.Categories), func(text string) bool { return text == "" })
		if len(seen) == 0 {
			return "", ""
		}
		return seen[0], seen[len(seen)-1]
	}
	if c.Fill != nil {
		return typical(c), nil
	}
	return typical(c), typical(c)
}

// typical returns the mean, to two places and within the column's bounds.
func typical(c feature.Column) float64 {
	v, _ := strconv.ParseFloat(strconv.FormatFloat(c.Mean, 'f', 2, 64), 64) // of a finite number, and so one
	if c.Min != nil {
		v = max(v, *c.Min)
	}
	if c.Max != nil {
		v = min(v, *c.Max)
	}
	return v
}
