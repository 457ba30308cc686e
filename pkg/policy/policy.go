// Package policy holds the rules of promotion: pure functions of what a run asks
// for and what its evaluation found.
package policy

import (
	"fmt"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// The rules' names.
const (
	MinAUC       = "min_auc"
	MinAccuracy  = "min_accuracy"
	NoRegression = "no_regression"
	NonInferior  = "non_inferior"
	Superior     = "superior"
)

// Evidence is what the rules judge.
type Evidence struct {
	Candidate *eventv1.Metrics
	// Champion's metrics on the same hold-out rows, and its version; nil and 0 if
	// there is none.
	Champion        *eventv1.Metrics
	ChampionVersion int64
	// Comparison holds the paired tests of the two; nil if there is no champion.
	Comparison *eventv1.Comparison
	// Look is how often the hold-out has been looked at for a decision on this
	// model, this time included: 1, 2, 3, …
	Look int64
}

// Judge applies every rule, in a fixed order. Without a champion there is
// nothing to fall behind, and no rule about it.
func Judge(gate *eventv1.Gate, e Evidence) []*eventv1.Rule {
	rules := []*eventv1.Rule{
		atLeast(MinAUC, "hold-out AUC", e.Candidate.GetAuc(), gate.GetMinAuc(), "the threshold"),
		atLeast(MinAccuracy, "hold-out accuracy", e.Candidate.GetAccuracy(), gate.GetMinAccuracy(), "the threshold"),
	}
	if e.Champion != nil {
		rules = append(rules, beside(gate, e))
	}
	return rules
}

// atLeast is the rule that a value is not below a bound.
func atLeast(name, what string, value, bound float64, of string) *eventv1.Rule {
	r := &eventv1.Rule{Name: name, Value: value, Bound: bound, Passed: value >= bound}
	relation := "is at least"
	if !r.Passed {
		relation = "is below"
	}
	r.Explanation = fmt.Sprintf("%s %s %s %s, %s", what, digits(value, bound), relation, digits(bound, value), of)
	return r
}

// digits shows v with four decimals, or with as many as it takes to tell it
// from the other.
func digits(v, other float64) string {
	for decimals := 4; decimals < 17; decimals++ {
		text := fmt.Sprintf("%.*f", decimals, v)
		if v == other || text != fmt.Sprintf("%.*f", decimals, other) {
			return text
		}
	}
	return fmt.Sprint(v)
}

// Failed returns the rules that did not hold.
func Failed(rules []*eventv1.Rule) []*eventv1.Rule {
	var failed []*eventv1.Rule
	for _, r := range rules {
		if !r.GetPassed() {
			failed = append(failed, r)
		}
	}
	return failed
}
