package fold_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// A search of three trials, two of which go on to a second rung.
func TestTrials(t *testing.T) {
	plan := &eventv1.Plan{Model: "m", Search: &eventv1.Search{Trials: 3, Halving: 2}}
	request := event.Event{Topic: churn.RetrainRequested, ID: "r", Type: churn.RetrainRequested.Type(), Data: &eventv1.RetrainRequested{}}
	var events []event.Event
	steps := func(expected ...string) {
		t.Helper()
		for range 3 { // in any order, twice
			runs := fold.Runs{}
			for _, i := range append(rand.Perm(len(events)), rand.Perm(len(events))...) {
				runs.Add(events[i])
			}
			run, got := runs[request.Run()], []string{}
			for _, trial := range run.Trials() {
				got = append(got, fmt.Sprintf("%d/%d %v %v", trial.Number, trial.Rung, trial.Score(), trial.Failure.GetMessage()))
			}
			winner, won := run.Winner()
			got = append(got, fmt.Sprintf("%s %d %v", run.Status(), winner, won))
			if fmt.Sprint(got) != fmt.Sprint(expected) {
				t.Fatalf("%q, want %q", got, expected)
			}
		}
	}
	ready := func(of event.Event, trial, rung int32) event.Event {
		e := of.Reply(churn.Featurizer, churn.FeaturesReady, int(trial), "k", &eventv1.FeaturesReady{Plan: plan, Trial: trial, Trials: 3, Rung: rung})
		events = append(events, e)
		return e
	}
	trained := func(of event.Event, auc float64) event.Event {
		r := of.Data.(*eventv1.FeaturesReady)
		m := &eventv1.ModelTrained{Plan: plan, Trial: r.GetTrial(), Trials: 3, Rung: r.GetRung()}
		if auc > 0 {
			m.Candidate = &eventv1.TrainedModel{ValidationAuc: auc}
		} else {
			m.Failure = &eventv1.TrialFailure{Message: "cursed"}
		}
		e := of.Reply(churn.Trainer, churn.ModelTrained, 0, "k", m)
		events = append(events, e)
		return e
	}
	events = append(events, request)
	zero, one := ready(request, 0, 0), ready(request, 1, 0)
	trained(one, 0.8)
	trained(zero, 0.7)
	steps("0/0 0.7 ", "1/0 0.8 ", "training 0 false") // the third has yet to begin
	events = events[:1]
	zero, one, two := ready(request, 0, 0), ready(request, 1, 0), ready(request, 2, 0)
	steps("0/0 0 ", "1/0 0 ", "2/0 0 ", "training 0 false")
	trained(two, 0)
	best := trained(one, 0.8)
	steps("0/0 0 ", "1/0 0.8 ", "2/0 0 cursed", "training 0 false")
	trained(zero, 0.7)
	steps("0/0 0.7 ", "1/0 0.8 ", "2/0 0 cursed", "evaluating 0 false")
	last := ready(best, 1, 1)
	steps("0/0 0.7 ", "1/1 0 ", "2/0 0 cursed", "training 0 false")
	won := trained(last, 0.81)
	events = append(events, won.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "m", &eventv1.ModelEvaluated{Plan: plan, Trial: 1}))
	steps("0/0 0.7 ", "1/1 0.81 ", "2/0 0 cursed", "deciding 1 true")
}
