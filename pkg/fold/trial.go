package fold

import (
	"cmp"
	"maps"
	"slices"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/search"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Trial is one trial of a run's search, as far as it has come.
type Trial struct {
	Number   int32
	Rung     int32 // the last that it has been sent to
	Training *eventv1.Training
	// Model and Failure are what the trial has come to in that rung; both are nil
	// while it trains.
	Model   *eventv1.TrainedModel
	Failure *eventv1.TrialFailure
}

// Score is what trials are chosen by; 0 without a model.
func (t Trial) Score() float64 { return search.Score(t.Model) }

// Trials returns the trials of the run's search by their number; none if it has no
// search.
func (r *Run) Trials() []Trial {
	trials := map[int32]Trial{}
	for _, e := range r.Events {
		m, ok := e.Data.(*eventv1.FeaturesReady)
		if !ok || m.GetPlan().GetSearch() == nil {
			continue
		}
		if t, there := trials[m.GetTrial()]; !there || m.GetRung() > t.Rung {
			trials[m.GetTrial()] = Trial{Number: m.GetTrial(), Rung: m.GetRung(), Training: m.GetTraining()}
		}
	}
	for _, e := range r.Events {
		m, ok := e.Data.(*eventv1.ModelTrained)
		if !ok || m.GetRound() > 0 {
			continue
		}
		if t, there := trials[m.GetTrial()]; there && m.GetRung() == t.Rung {
			t.Model, t.Failure = m.GetCandidate(), m.GetFailure()
			trials[m.GetTrial()] = t
		}
	}
	return slices.SortedFunc(maps.Values(trials), func(a, b Trial) int { return cmp.Compare(a.Number, b.Number) })
}

// training reports whether a trial of the run's search still trains, or has yet to
// begin.
func (r *Run) training() bool {
	trials := r.Trials()
	if len(trials) < int(Data[eventv1.FeaturesReady](r, churn.FeaturesReady).GetPlan().GetSearch().GetTrials()) {
		return true
	}
	return slices.ContainsFunc(trials, func(t Trial) bool { return t.Model == nil && t.Failure == nil })
}

// Winner returns the number of the trial that was evaluated, and whether one was.
func (r *Run) Winner() (int32, bool) {
	m := Data[eventv1.ModelEvaluated](r, churn.ModelEvaluated)
	return m.GetTrial(), m != nil && m.GetPlan().GetSearch() != nil
}
