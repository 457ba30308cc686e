package evaluation

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stat"
)

// MaxDocument is the most bytes that evaluation.json may have.
const MaxDocument = 16 << 20

// Parse reads evaluation.json. One of another version, or that does not hold
// together, is an Invalid error.
func Parse(text []byte) (*Document, error) {
	const op = "evaluation.Parse"
	if len(text) > MaxDocument {
		return nil, churn.Errorf(op, churn.Invalid, "evaluation.json has %d bytes; at most %d are allowed", len(text), MaxDocument)
	}
	d := &Document{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "evaluation.json is not of the expected form: %w", err)
	}
	if err := d.validate(); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "evaluation.json: %w", err)
	}
	return d, nil
}

func (d *Document) validate() error {
	if d.Version != Version {
		return fmt.Errorf("version is %d, want %d", d.Version, Version)
	}
	if (d.Champion == nil) != (d.Comparison == nil) {
		return errors.New("champion and comparison must be there together")
	}
	if err := complete("candidate.metrics", d.Candidate.Metrics); err != nil || d.Champion == nil {
		return err
	}
	if err := complete("champion.metrics", d.Champion.Metrics); err != nil {
		return err
	}
	return complete("comparison.differences", d.Comparison.Differences)
}

// complete returns an error unless every metric is there.
func complete(field string, measures map[string]Measure) error {
	for m := stat.AUC; m <= stat.KS; m++ {
		if _, ok := measures[m.String()]; !ok {
			return fmt.Errorf("%s has no %v", field, m)
		}
	}
	return nil
}
