package policy

import (
	"errors"
	"fmt"
	"math"
	"strings"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// maxExplanation is the most bytes of a rule's words.
const maxExplanation = 4 << 10

// Rule is one rule of a policy.
type Rule struct {
	Name  string
	When  string // in CEL: what must be so for the rule to apply; empty: it always does
	Holds string // in CEL: what must be so for the rule to hold

	guard           *expression // nil: it always applies
	condition       *expression
	value, bound    *expression // the sides of a comparison of two numbers; else nil
	says, otherwise words       // nil: see saw
	notes           []note
}

// note is what is added to the words of a rule that does not hold.
type note struct {
	when *expression // nil: always
	says words
}

// judge returns the verdict, or nil if the rule does not apply. Whatever cannot be
// told makes the rule fail.
func (r *Rule) judge(e Evidence) *eventv1.Rule {
	out := &eventv1.Rule{Name: r.Name, Expression: r.Holds}
	if r.guard != nil {
		applies, err := r.guard.truth(e, &trace{})
		if err != nil {
			out.Explanation = clip("it cannot be told whether the rule applies: "+err.Error(), maxExplanation)
			return out
		}
		if !applies {
			return nil
		}
	}
	seen := &trace{}
	holds, err := r.condition.truth(e, seen)
	out.Values = seen.all()
	if r.value != nil {
		value, valueErr := finite(r.value, e)
		bound, boundErr := finite(r.bound, e)
		out.Value, out.Bound = value, bound
		if err == nil {
			err = errors.Join(valueErr, boundErr)
		}
	}
	if err != nil {
		out.Explanation = clip("it cannot be judged: "+err.Error(), maxExplanation)
		return out
	}
	out.Passed = holds
	out.Explanation = clip(r.explain(e, out), maxExplanation)
	return out
}

// finite returns the value of a comparison's side, which no verdict can rest on
// unless it is a finite number; else it is 0.
func finite(x *expression, e Evidence) (float64, error) {
	v, err := x.evaluate(e, &trace{})
	if err != nil {
		return 0, err
	}
	f := float(v)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%s is %v, which is no finite number", x.text, f)
	}
	return f, nil
}

// explain puts the verdict into words.
func (r *Rule) explain(e Evidence, out *eventv1.Rule) string {
	w := r.says
	if !out.GetPassed() && r.otherwise != nil {
		w = r.otherwise
	}
	text := w.say(e, out.GetValue(), out.GetBound())
	if w == nil {
		text = saw(out)
	}
	if out.GetPassed() {
		return text
	}
	for _, n := range r.notes {
		if n.when != nil {
			if so, err := n.when.truth(e, nil); err != nil || !so {
				continue
			}
		}
		text += ". " + n.says.say(e, out.GetValue(), out.GetBound())
	}
	return text
}

// saw says what a rule without words of its own has seen: the first few values.
func saw(r *eventv1.Rule) string {
	const few = 4
	text := r.GetExpression() + map[bool]string{true: " holds", false: " does not hold"}[r.GetPassed()]
	var values []string
	for i, v := range r.GetValues() {
		if i == few {
			values = append(values, "…")
			break
		}
		values = append(values, fmt.Sprintf("%s = %s", v.GetName(), v.GetValue()))
	}
	if len(values) == 0 {
		return text
	}
	return text + ": " + strings.Join(values, ", ")
}
