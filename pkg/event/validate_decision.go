package event

import (
	"fmt"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func (c *checker) promoted(m *eventv1.ModelPromoted) {
	c.plan(m.GetPlan())
	c.segment("model", m.GetModel())
	c.within("version", float64(m.GetVersion()), 1, maxCount)
	c.within("generation", float64(m.GetGeneration()), 1, maxCount)
	c.within("previous_version", float64(m.GetPreviousVersion()), 0, maxCount)
	c.segment("run", m.GetRun())
	c.features(m.GetFeatures())
	c.candidate(m.GetCandidate())
	c.evaluation(m.GetEvaluation())
	c.metrics("metrics", m.GetMetrics())
	c.rules(m.GetRules())
	c.artifact("decision", m.GetDecision())
	c.operatingPoint(m.GetOperatingPoint())
	c.approval(m.GetApproval())
	c.written("report", m.GetReport())
	if r := m.GetRollback(); r != nil {
		c.in("rollback")
		c.required("requested_by", r.GetRequestedBy())
		c.required("reason", r.GetReason())
		c.out()
	}
	if o := m.GetOverride(); o != nil {
		c.in("override")
		c.required("requested_by", o.GetRequestedBy())
		c.required("reason", o.GetReason())
		c.required("rejection_id", o.GetRejectionId())
		c.out()
	}
}

func (c *checker) rejected(m *eventv1.ModelRejected) {
	c.plan(m.GetPlan())
	c.segment("model", m.GetModel())
	c.segment("run", m.GetRun())
	c.required("reason", m.GetReason())
	c.within("champion_version", float64(m.GetChampionVersion()), 0, maxCount)
	c.metrics("metrics", m.GetMetrics())
	c.rules(m.GetRules())
	c.artifact("decision", m.GetDecision())
	c.evaluation(m.GetEvaluation())
	c.approval(m.GetApproval())
	c.written("report", m.GetReport())
}

// approval checks a person's decision, which may be missing.
func (c *checker) approval(a *eventv1.Approval) {
	if a == nil {
		return
	}
	c.in("approval")
	defer c.out()
	c.required("approval_id", a.GetApprovalId())
	c.decided(a.GetDecidedBy(), a.GetExpired())
	c.text("reason", a.GetReason())
	c.time("decided_at", a.GetDecidedAt())
}

// decided checks who decided: somebody, unless nobody did in time.
func (c *checker) decided(by string, expired bool) {
	if !expired {
		c.required("decided_by", by)
	} else if by != "" {
		c.fail("decided_by", "is %.200q of a request that nobody decided in time", by)
	}
}

func (c *checker) approvalRequested(m *eventv1.ApprovalRequested) {
	c.segment("model", m.GetModel())
	c.segment("run", m.GetRun())
	c.within("champion_version", float64(m.GetChampionVersion()), 0, maxCount)
	c.within("champion_generation", float64(m.GetChampionGeneration()), 0, maxCount)
	c.time("expires_at", m.GetExpiresAt())
	c.text("summary", m.GetSummary())
	c.plan(m.GetPlan())
	c.within("round", float64(m.GetRound()), 0, maxRounds)
	c.metrics("metrics", m.GetMetrics())
	if m.GetChampionMetrics() != nil {
		c.metrics("champion_metrics", m.GetChampionMetrics())
	}
	c.rules(m.GetRules())
	c.evaluation(m.GetEvaluation())
}

func (c *checker) approvalDecided(m *eventv1.ApprovalDecided) {
	c.segment("model", m.GetModel())
	c.segment("run", m.GetRun())
	c.required("approval_id", m.GetApprovalId())
	c.decided(m.GetDecidedBy(), m.GetExpired())
	c.text("reason", m.GetReason())
	if m.GetExpired() && m.GetApproved() {
		c.fail("approved", "is true of a request that nobody decided in time")
	}
}

func (c *checker) rules(rules []*eventv1.Rule) {
	for i, r := range rules {
		c.in(fmt.Sprintf("rules[%d]", i))
		c.required("name", r.GetName())
		c.text("explanation", r.GetExplanation())
		c.finite("value", r.GetValue())
		c.finite("bound", r.GetBound())
		c.text("expression", r.GetExpression())
		for j, v := range r.GetValues() {
			c.in(fmt.Sprintf("values[%d]", j))
			c.text("name", v.GetName())
			c.text("value", v.GetValue())
			c.out()
		}
		c.out()
	}
}
