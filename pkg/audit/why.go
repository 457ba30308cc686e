package audit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// explain says why rules failed, as the gate does.
func explain(failed []*eventv1.Rule) string {
	why := make([]string, len(failed))
	for i, r := range failed {
		why[i] = fmt.Sprintf("%s (%s)", r.GetExplanation(), r.GetName())
	}
	return strings.Join(why, "; ")
}

// versionZero is what rules call a champion that is none in fact.
var versionZero = regexp.MustCompile(`\bversion 0\b`)

// unversioned makes rules name a champion that never was one by its run.
func unversioned(rules []*eventv1.Rule, run string) {
	for _, r := range rules {
		r.Explanation = versionZero.ReplaceAllLiteralString(r.GetExplanation(), "run "+run+", which is no version in fact")
	}
}

// difference says which rule makes it that a candidate would be promoted that was
// not: one that failed and now holds, or is not asked for.
func difference(were, are []*eventv1.Rule, otherwise string) string {
	var why []string
	for _, failed := range policy.Failed(were) {
		i := slices.IndexFunc(are, func(r *eventv1.Rule) bool { return r.GetName() == failed.GetName() })
		if i >= 0 {
			why = append(why, fmt.Sprintf("now %s (%s)", are[i].GetExplanation(), failed.GetName()))
		} else {
			why = append(why, fmt.Sprintf("no longer asked for: %s (%s)", failed.GetExplanation(), failed.GetName()))
		}
	}
	if len(why) == 0 {
		return otherwise
	}
	return strings.Join(why, "; ")
}

// unknowable returns the names of the rules that look at what is not known of a
// comparison that was made anew: the other champion in slices, and drift from its
// data. A rule that does not apply is among them: whether it does is not known either.
func unknowable(m *eventv1.ModelEvaluated, p *policy.Policy) []string {
	if m.GetChampion() == nil {
		return nil // then there is neither
	}
	var names []string
	for _, r := range p.Rules {
		text := r.When + " " + r.Holds
		if len(m.GetSlices()) > 0 && strings.Contains(text, "slices") || m.GetDrift() == nil && strings.Contains(text, "drift") {
			names = append(names, r.Name)
		}
	}
	return names
}

// without returns the rules but for the named ones.
func without(rules []*eventv1.Rule, names []string) []*eventv1.Rule {
	var rest []*eventv1.Rule
	for _, r := range rules {
		if !slices.Contains(names, r.GetName()) {
			rest = append(rest, r)
		}
	}
	return rest
}
