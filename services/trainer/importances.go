package trainer

import (
	"cmp"
	"slices"

	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// Importances is importances.json: what each feature contributes to the model,
// and what each column does, whose features are summed. Both are in falling
// order of gain.
type Importances struct {
	Version  int          `json:"version"`
	Features []Importance `json:"features"`
	Columns  []Importance `json:"columns"`
}

// Importance is one feature's, or one column's.
type Importance struct {
	Feature string  `json:"feature,omitempty"` // column=category, or the column's name if it is numeric
	Column  string  `json:"column"`
	Gain    float64 `json:"gain"`  // total gain of the splits on it
	Splits  int64   `json:"split"` // number of splits on it
}

// importances gives the features, which are in the order of the preprocessor,
// their columns.
func importances(p *feature.Preprocessor, features []lightgbm.Importance) *Importances {
	out := &Importances{Version: 1}
	for _, c := range p.Columns {
		width := 1
		if c.Kind == dataset.Categorical {
			width = len(c.Categories)
		}
		column := Importance{Column: c.Name}
		for _, f := range features[:width] {
			out.Features = append(out.Features, Importance{f.Feature, c.Name, f.Gain, f.Splits})
			column.Gain += f.Gain
			column.Splits += f.Splits
		}
		features = features[width:]
		out.Columns = append(out.Columns, column)
	}
	byGain := func(a, b Importance) int { return cmp.Compare(b.Gain, a.Gain) }
	slices.SortStableFunc(out.Features, byGain)
	slices.SortStableFunc(out.Columns, byGain)
	return out
}
