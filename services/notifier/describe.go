package notifier

import (
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// maxRules bounds the rules of one notice.
const maxRules = 20

// describe returns what is told of the event, which happened at the given time.
func describe(e event.Event, at time.Time) (*Notice, error) {
	n := &Notice{
		Run: e.Run(), Event: clean(e.ID, maxWord), Time: at.UTC(),
		Metrics: []Metric{}, Rules: []Rule{}, People: []Person{}, Next: []Step{},
	}
	switch m := e.Data.(type) {
	case *eventv1.ModelPromoted:
		n.promoted(m)
	case *eventv1.ModelRejected:
		n.rejected(m)
	case *eventv1.RunFailed:
		n.failed(m)
	case *eventv1.ApprovalRequested:
		n.approvalRequested(m)
	case *eventv1.ApprovalDecided:
		n.approvalDecided(m)
	default:
		return nil, churn.Errorf("notifier.describe", churn.Invalid, "event %s of type %q holds %T, of which nobody is told", e.ID, e.Type, e.Data)
	}
	return n, nil
}

func (n *Notice) promoted(m *eventv1.ModelPromoted) {
	n.Outcome, n.Model, n.Version, n.Previous = Promoted, m.GetModel(), m.GetVersion(), m.GetPreviousVersion()
	n.Title = fmt.Sprintf("%s version %d is now in %s", n.Model, n.Version, stageOf(m.GetPlan()))
	n.Reason = "every rule passed"
	n.judged(m.GetMetrics(), nil, m.GetRules())
	n.asked(m.GetPlan())
	n.answered(m.GetApproval(), "approved")
	if r := m.GetRollback(); r != nil {
		n.Title += ": rolled back"
		n.Reason = "somebody asked for this version again"
		n.person("asked for the rollback", r.GetRequestedBy(), r.GetReason())
	}
	if o := m.GetOverride(); o != nil {
		n.Title += ": a rejection was overridden"
		n.Reason = "somebody had it promoted though it was rejected"
		n.person("overrode the rejection", o.GetRequestedBy(), o.GetReason())
	}
	n.Report = report(m.GetReport().GetUri(), m.GetEvaluation())
	n.next("show "+n.Run, "see the run and its decision")
	if n.Previous > 0 {
		n.next(fmt.Sprintf("rollback %s --to %d --reason TEXT", n.Model, n.Previous), "go back to the version before")
	}
}

func (n *Notice) rejected(m *eventv1.ModelRejected) {
	n.Outcome, n.Model, n.Previous = Rejected, m.GetModel(), m.GetChampionVersion()
	n.Title = fmt.Sprintf("%s: the candidate was not promoted", n.Model)
	if m.GetDryRun() {
		n.Title = fmt.Sprintf("%s: the candidate passed in a dry run", n.Model)
	}
	n.Reason = clean(m.GetReason(), maxText)
	n.judged(m.GetMetrics(), nil, m.GetRules())
	n.asked(m.GetPlan())
	denied := m.GetApproval() != nil && !m.GetApproval().GetExpired()
	n.answered(m.GetApproval(), "denied")
	n.Report = report(m.GetReport().GetUri(), m.GetEvaluation())
	n.next("gate explain "+n.Run, "see what each rule saw")
	if !denied { // which nothing overrides
		n.next(fmt.Sprintf("override %s --reason TEXT", n.Run), "have it promoted all the same")
	}
}

func (n *Notice) failed(m *eventv1.RunFailed) {
	n.Outcome, n.Model = Failed, m.GetModel()
	of := n.Model
	if of == "" {
		of = "run " + n.Run
	}
	n.Title = fmt.Sprintf("%s: the run failed in the %s", of, clean(m.GetStage(), maxWord))
	n.Reason = clean(m.GetMessage(), maxText)
	n.next("show "+n.Run, "see how far it came")
	if m.GetKind() == churn.Invalid.String() {
		n.next("retrain", "ask again, once what the reason names is changed")
	} else {
		n.next("doctor", "see which part does not answer, before asking again")
	}
}

func (n *Notice) approvalRequested(m *eventv1.ApprovalRequested) {
	n.Outcome, n.Model, n.Previous = ApprovalRequested, m.GetModel(), m.GetChampionVersion()
	n.Title = fmt.Sprintf("%s: a candidate waits for approval", n.Model)
	n.Reason = clean(m.GetSummary(), maxText)
	n.Expires = m.GetExpiresAt()
	n.judged(m.GetMetrics(), m.GetChampionMetrics(), m.GetRules())
	n.asked(m.GetPlan())
	n.Report = report("", m.GetEvaluation())
	n.next("gate explain "+n.Run, "see what each rule saw")
	n.next(fmt.Sprintf("approve %s --reason TEXT", n.Run), "have it promoted")
	n.next(fmt.Sprintf("deny %s --reason TEXT", n.Run), "have it rejected")
}

// approvalDecided tells of an answer. Whether it is the one that counts is the
// gate's to say: what it decides is told of as well.
func (n *Notice) approvalDecided(m *eventv1.ApprovalDecided) {
	n.Outcome, n.Model = ApprovalDecided, m.GetModel()
	switch {
	case m.GetExpired():
		n.Title = fmt.Sprintf("%s: nobody decided on the candidate in time", n.Model)
	case m.GetApproved():
		n.Title = fmt.Sprintf("%s: somebody approves of the candidate", n.Model)
		n.person("approved", m.GetDecidedBy(), m.GetReason())
	default:
		n.Title = fmt.Sprintf("%s: somebody is against the candidate", n.Model)
		n.person("denied", m.GetDecidedBy(), m.GetReason())
	}
	n.next("show "+n.Run, "see what the gate makes of it")
}

// judged tells what the candidate was judged by.
func (n *Notice) judged(m, champion *eventv1.Metrics, rules []*eventv1.Rule) {
	theirs := measures(champion)
	for i, of := range measures(m) {
		if champion != nil {
			of.Champion = &theirs[i].Value
		}
		n.Metrics = append(n.Metrics, of)
	}
	for _, passed := range []bool{false, true} {
		for _, r := range rules {
			if r.GetPassed() == passed && len(n.Rules) < maxRules {
				n.Rules = append(n.Rules, Rule{clean(r.GetName(), maxWord), passed, clean(r.GetExplanation(), maxLine)})
			}
		}
	}
}

func measures(m *eventv1.Metrics) []Metric {
	return []Metric{
		{Name: "AUC", Value: m.GetAuc()}, {Name: "accuracy", Value: m.GetAccuracy()}, {Name: "F1", Value: m.GetF1()},
		{Name: "log loss", Value: m.GetLogLoss()}, {Name: "Brier", Value: m.GetBrier()}, {Name: "KS", Value: m.GetKs()},
	}
}

func (n *Notice) asked(p *eventv1.Plan) {
	if p.GetRequestedBy() != "" {
		n.person("asked for the training", p.GetRequestedBy(), p.GetReason())
	}
}

func (n *Notice) answered(a *eventv1.Approval, did string) {
	if a != nil && !a.GetExpired() {
		n.person(did, a.GetDecidedBy(), a.GetReason())
	}
}

func (n *Notice) person(did, by, reason string) {
	n.People = append(n.People, Person{did, clean(by, maxWord), clean(reason, maxText)})
}

func (n *Notice) next(command, purpose string) {
	n.Next = append(n.Next, Step{"churnctl " + command, purpose})
}

// report returns where the page for people is: the decision's, or the evaluation's.
func report(decision string, e *eventv1.Evaluation) string {
	if decision == "" {
		decision = e.GetReport().GetUri()
	}
	return clean(decision, maxLine)
}

func stageOf(p *eventv1.Plan) string {
	if s := p.GetGate().GetBaselineStage(); s != "" {
		return s
	}
	return churn.ServingStage
}
