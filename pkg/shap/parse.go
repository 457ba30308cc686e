package shap

import (
	"encoding/json"
	"math"

	"github.com/asfotec/churn/pkg/churn"
)

// MaxDocument is the most bytes that contributions.json may have.
const MaxDocument = 64 << 20

// Parse reads contributions.json. One of another version, or that holds what can
// be no mean or no point, is an Invalid error.
func Parse(text []byte) (*Document, error) {
	const op = "shap.Parse"
	if len(text) > MaxDocument {
		return nil, churn.Errorf(op, churn.Invalid, "contributions.json has %d bytes; at most %d are allowed", len(text), MaxDocument)
	}
	d := &Document{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "contributions.json is not of the expected form: %w", err)
	}
	if d.Version != Version {
		return nil, churn.Errorf(op, churn.Invalid, "contributions.json is of version %d, want %d", d.Version, Version)
	}
	for i, f := range d.Features {
		if len(f.Points) > pointRows || len(f.Points) > 0 && i >= pointFeatures {
			return nil, churn.Errorf(op, churn.Invalid, "contributions.json has %d points of feature %.100q; at most %d of %d features are allowed",
				len(f.Points), f.Feature, pointRows, pointFeatures)
		}
		if f.MeanAbs < math.Abs(f.Mean)*(1-1e-9) {
			return nil, churn.Errorf(op, churn.Invalid, "contributions.json gives feature %.100q a mean of %v and a mean size of %v", f.Feature, f.Mean, f.MeanAbs)
		}
	}
	return d, nil
}
