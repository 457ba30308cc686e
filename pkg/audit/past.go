package audit

import (
	"cmp"
	"slices"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// name is a model's stage.
type name struct{ model, stage string }

// item is something that happened to a model's stage: one of the four is set.
type item struct {
	at        time.Time
	judged    *judged        // the gate judged
	approved  *judged        // a person agreed to what it judged
	change    *fold.Champion // the champion changed
	elsewhere *judged        // the gate judged for another stage: a look at the hold-out
}

// order tells what happened at one time apart: what led to a change goes before it.
func (i item) order() int {
	switch {
	case i.judged != nil || i.elsewhere != nil:
		return 0
	case i.approved != nil:
		return 1
	}
	return 2
}

// id tells apart what nothing else does.
func (i item) id() string {
	switch {
	case i.judged != nil:
		return i.judged.event.ID
	case i.approved != nil:
		return i.approved.event.ID
	case i.elsewhere != nil:
		return i.elsewhere.event.ID
	}
	return i.change.Asked
}

// judged is one evaluation with what came of it.
type judged struct {
	event event.Event
	*eventv1.ModelEvaluated
	run    *fold.Run
	answer churn.Topic    // of the gate's answer to it; empty while there is none
	asked  *fold.Approval // if it asked a person
	back   bool           // it was sent back to be evaluated again, at once or after a person agreed
}

// holdout returns the id of the rows that it looked at.
func (e *judged) holdout() string { return churn.Holdout(e.GetPlan()) }

// past returns what happened to each model's stage, in order. A run's rounds are
// evaluations of their own. The order is that of the gate's answers: it decides on
// one after the other.
func past(runs fold.Runs, model string) map[name][]item {
	all := map[name][]item{}
	for _, run := range runs {
		for n, items := range pastOf(run) {
			all[n] = append(all[n], items...)
		}
	}
	for _, c := range runs.Chains() {
		for i := range c.Champions {
			n := name{c.Model, c.Stage}
			all[n] = append(all[n], item{at: c.Champions[i].Since, change: &c.Champions[i]})
		}
	}
	lookElsewhere(all)
	for n, items := range all {
		if model != "" && n.model != model {
			delete(all, n)
		}
		slices.SortFunc(items, func(a, b item) int {
			return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order(), b.order()), cmp.Compare(a.id(), b.id()))
		})
	}
	return all
}

// lookElsewhere adds to each stage when the gate judged for the model's other ones:
// looks at a hold-out are counted by model.
func lookElsewhere(all map[name][]item) {
	looks := map[name][]item{}
	for n, items := range all {
		for _, it := range items {
			if it.judged != nil && it.judged.GetChampion() != nil {
				looks[n] = append(looks[n], item{at: it.at, elsewhere: it.judged})
			}
		}
	}
	for n := range all {
		for other, items := range looks {
			if other.model == n.model && other.stage != n.stage {
				all[n] = append(all[n], items...)
			}
		}
	}
}

// pastOf returns the run's evaluations and the approvals that people gave.
func pastOf(run *fold.Run) map[name][]item {
	answers := map[string]event.Event{} // of the gate, by what they answer
	for _, e := range run.Timeline() {
		switch e.Topic {
		case churn.ModelTrained, churn.ApprovalRequested, churn.ModelPromoted, churn.ModelRejected:
			answers[e.Causation] = e
		}
	}
	approvals := run.Approvals()
	items := map[name][]item{}
	for _, e := range run.Timeline() {
		m, ok := e.Data.(*eventv1.ModelEvaluated)
		if !ok {
			continue
		}
		v := &judged{event: e, ModelEvaluated: m, run: run}
		n := name{m.GetPlan().GetModel(), m.GetPlan().GetGate().GetBaselineStage()}
		at := run.At(e)
		if answer, ok := answers[e.ID]; ok {
			at, v.answer, v.back = run.At(answer), answer.Topic, answer.Topic == churn.ModelTrained
		}
		items[n] = append(items[n], item{at: at, judged: v})
		for i := range approvals {
			if a := &approvals[i]; a.ID == churn.EventID(e.ID, churn.ApprovalRequested.Type(), 0) {
				v.asked = a
				if a.Answer != nil && a.Answer.Approved {
					items[n] = append(items[n], item{at: taken(run, a, answers, v), approved: v})
				}
			}
		}
	}
	return items
}

// taken returns when the gate took the person's agreement, and notes if it sent the
// candidate back.
func taken(run *fold.Run, a *fold.Approval, answers map[string]event.Event, v *judged) time.Time {
	for _, e := range run.Events {
		m, ok := e.Data.(*eventv1.ApprovalDecided)
		if !ok || m.GetApprovalId() != a.ID {
			continue
		}
		if answer, ok := answers[e.ID]; ok {
			v.back = answer.Topic == churn.ModelTrained
			return run.At(answer)
		}
	}
	return a.Answer.At
}

// was returns what became of the run.
func (e *judged) was() Verdict {
	switch e.run.Status() {
	case fold.Promoted:
		return Promoted
	case fold.Rejected:
		return Rejected
	case fold.Failed:
		return Failed
	}
	return Open
}

// said returns the rules as the gate judged them in the end.
func (e *judged) said() []*eventv1.Rule {
	if m := fold.Data[eventv1.ModelRejected](e.run, churn.ModelRejected); m != nil {
		return m.GetRules()
	}
	return fold.Data[eventv1.ModelPromoted](e.run, churn.ModelPromoted).GetRules()
}
