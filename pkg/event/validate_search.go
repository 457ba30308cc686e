package event

import (
	"fmt"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// search checks a search, which may be missing: what no event may hold. Whether
// it can be made is for pkg/search to say.
func (c *checker) search(s *eventv1.Search) {
	if s == nil {
		return
	}
	c.in("search")
	defer c.out()
	c.within("trials", float64(s.GetTrials()), 1, maxTrials)
	c.text("strategy", s.GetStrategy())
	c.within("min_trials", float64(s.GetMinTrials()), 0, maxTrials)
	c.within("folds", float64(s.GetFolds()), 0, maxTrials)
	c.within("halving", float64(s.GetHalving()), 0, maxTrials)
	c.within("parallel", float64(s.GetParallel()), 0, maxTrials)
	for i, d := range s.GetDimensions() {
		c.in(fmt.Sprintf("dimensions[%d]", i))
		c.required("parameter", d.GetParameter())
		c.finite("low", d.GetLow())
		c.finite("high", d.GetHigh())
		for _, v := range d.GetValues() {
			c.finite("values", v)
		}
		c.out()
	}
}

// own checks a trial's own settings, which may be missing.
func (c *checker) own(t *eventv1.Training) {
	if t != nil {
		c.training(t)
	}
}

// outcome checks what a trial has come to: a model, or a failure.
func (c *checker) outcome(m *eventv1.ModelTrained) {
	f := m.GetFailure()
	if f == nil {
		c.candidate(m.GetCandidate())
		return
	}
	if m.GetCandidate() != nil {
		c.fail("candidate", "is there, and so is a failure")
	}
	c.in("failure")
	defer c.out()
	c.required("kind", f.GetKind())
	c.text("operation", f.GetOperation())
	c.required("message", f.GetMessage())
}
