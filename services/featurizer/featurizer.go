// Package featurizer begins a run: it validates the data, splits it, and fits the
// preprocessing.
package featurizer

import (
	"context"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/search"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Defaults name what a request leaves open, before the dataset spec does. They
// are resolved into the plan, so that no later stage depends on them.
type Defaults struct {
	Model, Experiment string // empty: the spec's
}

// Featurizer answers retrain-requested with features-ready.
type Featurizer struct {
	store    blob.Store
	tracker  registry.Tracker
	defaults Defaults
}

// New returns a featurizer.
func New(store blob.Store, tracker registry.Tracker, defaults Defaults) *Featurizer {
	return &Featurizer{store, tracker, defaults}
}

// Build makes the featurizer's stage.
func Build(_ context.Context, p service.Parts) (stage.Stage, error) {
	return New(p.Store, p.Tracker, Defaults{Model: p.Config.Model, Experiment: p.Config.Experiment}).Stage(), nil
}

// Stage returns the featurizer as a stage.
func (f *Featurizer) Stage() stage.Stage {
	return stage.Stage{Service: churn.Featurizer, Topics: []churn.Topic{churn.RetrainRequested}, Handler: f}
}

// Handle prepares the data of a retrain-requested event.
func (f *Featurizer) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	request, err := payload(e)
	if err != nil {
		return nil, err
	}
	spec, err := f.spec(ctx, request.GetSpec())
	if err != nil {
		return nil, err
	}
	plan, err := f.plan(ctx, e, request, spec)
	if err != nil {
		return nil, err
	}
	prepared, err := f.prepare(ctx, spec.Spec, plan)
	if err != nil {
		return nil, err
	}
	defer prepared.close()
	written, err := f.write(ctx, e.Run(), prepared)
	if err != nil {
		return nil, err
	}
	id, err := f.track(ctx, e, plan, written)
	if err != nil {
		return nil, err
	}
	rows := written.GetTrainRows() + written.GetValidationRows() + written.GetHoldoutRows()
	stage.Report(ctx, stage.Progress{Activity: "prepared", Done: rows, Total: rows, Tracking: id})
	return trials(e, plan, written)
}

// trials returns an event for each trial of the plan: one, unless it has a search,
// whose first begin here. The evaluator lets the next begin as trials are answered.
func trials(e event.Event, plan *eventv1.Plan, features *eventv1.FeatureSet) ([]event.Event, error) {
	settings, err := search.Trials(plan)
	if err != nil {
		return nil, err
	}
	out := make([]event.Event, search.Parallel(plan.GetSearch(), len(settings)))
	for n, s := range settings[:len(out)] {
		ready := &eventv1.FeaturesReady{Plan: plan, Features: features, Trial: int32(n), Trials: int32(len(settings))}
		if plan.GetSearch() != nil {
			s.NumIterations = search.Iterations(plan.GetSearch(), s.GetNumIterations(), 0)
			ready.Training = s
		}
		out[n] = e.Reply(churn.Featurizer, churn.FeaturesReady, n, churn.TrialKey(e.Run(), n), ready)
	}
	return out, nil
}

// payload returns the event's message, validated.
func payload(e event.Event) (*eventv1.RetrainRequested, error) {
	request, ok := e.Data.(*eventv1.RetrainRequested)
	if !ok {
		return nil, churn.Errorf("featurizer.Handle", churn.Invalid, "event %s of type %q holds %T, not RetrainRequested", e.ID, e.Type, e.Data)
	}
	if e.Time.IsZero() {
		return nil, churn.Errorf("featurizer.Handle", churn.Invalid, "the request has no time: set the event's time attribute, which every event of the run takes over")
	}
	return request, event.Validate(e)
}
