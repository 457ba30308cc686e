package policy

import (
	"fmt"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// plain is the policy of events from before there was a choice: not below.
const plain = ""

// power is what a test of enough rows has: its chance to show what is so.
const power = 0.8

// beside judges the candidate beside the champion.
func beside(gate *eventv1.Gate, e Evidence) *eventv1.Rule {
	if gate.GetPolicy() == plain {
		return atLeast(NoRegression, "hold-out AUC", e.Candidate.GetAuc(), e.Champion.GetAuc(), e.champion())
	}
	r := &eventv1.Rule{Name: NonInferior, Bound: e.alpha(gate)}
	bound, claim := -gate.GetMargin(), fmt.Sprintf("no worse than the champion, version %d, by %v or more", e.ChampionVersion, gate.GetMargin())
	if gate.GetPolicy() == churn.MustBeBetter {
		r.Name, bound, claim = Superior, 0, fmt.Sprintf("better than the champion, version %d", e.ChampionVersion)
	}
	if e.Comparison == nil {
		r.Value = 1
		r.Explanation = "the evaluation has no paired comparison with the champion: it is of an older evaluator; evaluate the candidate again"
		return r
	}
	difference := stat.Estimate{Value: e.Comparison.GetAucDifference(), Error: e.Comparison.GetAucError()}
	r.Value = difference.PAbove(bound)
	r.Passed = r.Value <= r.Bound
	saw := fmt.Sprintf("hold-out AUC differs by %+.4f ± %.4f (standard error) on the same rows", difference.Value, difference.Error)
	verdict := fmt.Sprintf("p = %.2g, at most %.2g is asked for", r.Value, r.Bound)
	if r.Passed {
		r.Explanation = fmt.Sprintf("shown to be %s: %s; %s", claim, saw, verdict)
		return r
	}
	r.Explanation = fmt.Sprintf("not shown to be %s: %s; %s%s", claim, saw, verdict, tooFew(gate, difference, r.Bound))
	return r
}

// tooFew says so if the hold-out is too small to tell: what it would take, and
// what it has.
func tooFew(gate *eventv1.Gate, difference stat.Estimate, alpha float64) string {
	detectable := difference.Detectable(alpha, power)
	if gate.GetPolicy() == churn.MustBeBetter {
		return fmt.Sprintf(". With these rows a difference of %.4f would be shown in %.0f of 100 cases, and a smaller one in fewer", detectable, 100*power)
	}
	if detectable <= gate.GetMargin() {
		return ""
	}
	return fmt.Sprintf(". The hold-out is too small to tell: with these rows a margin of %.4f could be shown of a candidate that is just as good, in %.0f of 100 cases",
		detectable, 100*power)
}

// alpha is what of the gate's is spent on this look at the hold-out: 6/π²n² of it
// on the n-th, so that all looks together spend no more than there is.
func (e Evidence) alpha(gate *eventv1.Gate) float64 {
	n := float64(max(1, e.Look))
	return gate.GetAlpha() * spent / (n * n)
}

const spent = 6 / (3.141592653589793 * 3.141592653589793)

func (e Evidence) champion() string {
	return fmt.Sprintf("that of the champion, version %d, on the same rows", e.ChampionVersion)
}
