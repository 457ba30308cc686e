package gate

import (
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// answer returns the event that says what was decided.
func (d *decision) answer(e event.Event, m *eventv1.ModelEvaluated, w written) event.Event {
	switch d.Outcome {
	case Promoted:
		return e.Reply(churn.Gate, churn.ModelPromoted, 0, d.Model, d.promoted(m, w))
	case Rejected:
		return e.Reply(churn.Gate, churn.ModelRejected, 0, d.Model, &eventv1.ModelRejected{
			Plan: m.GetPlan(), Model: d.Model, Run: d.Run, Reason: d.Reason, DryRun: d.passedDryRun(),
			ChampionVersion: m.GetChampion().GetVersion(), Metrics: m.GetMetrics(), Evaluation: m.GetEvaluation(),
			Rules: d.rules, Decision: w.decision, Approval: d.approval(), Report: w.report,
		})
	default: // superseded: to the evaluator again
		return e.Reply(churn.Gate, churn.ModelTrained, 0, d.Run, &eventv1.ModelTrained{
			Plan: m.GetPlan(), Features: m.GetFeatures(), Candidate: m.GetCandidate(), Training: m.GetTraining(),
			Trial: 0, Trials: 1, Round: m.GetRound() + 1,
		})
	}
}

// promoted returns what is announced of the promotion.
func (d *decision) promoted(m *eventv1.ModelEvaluated, w written) *eventv1.ModelPromoted {
	return &eventv1.ModelPromoted{
		Plan: m.GetPlan(), Model: d.Model, Run: d.TrainedBy,
		Version: d.Promotion.Version, Generation: d.Promotion.Generation, PreviousVersion: d.Promotion.PreviousVersion,
		Features: m.GetFeatures(), Candidate: m.GetCandidate(), Evaluation: m.GetEvaluation(), Metrics: m.GetMetrics(),
		Rules: d.rules, Decision: w.decision, OperatingPoint: m.GetOperatingPoint(), Approval: d.approval(), Report: w.report,
	}
}

// approval returns the answer of an approval as events carry it; nil if nobody was
// asked.
func (d *decision) approval() *eventv1.Approval {
	a := d.Approval
	if a == nil {
		return nil
	}
	return &eventv1.Approval{ApprovalId: a.ID, DecidedBy: a.DecidedBy, Reason: a.Reason, DecidedAt: a.DecidedAt, Expired: a.Expired}
}
