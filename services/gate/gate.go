// Package gate decides which version of a model is in production: by the rules
// of pkg/policy, by what people decide, and by a compare-and-swap on the
// champion, so that no two decisions are made on one state of things.
package gate

import (
	"context"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Gate answers
//
//   - model-evaluated with model-promoted, model-rejected or, where the policy
//     leaves it to a person, approval-requested; or with model-trained, if the
//     champion is no longer the one that was compared with;
//   - approval-decided with one of the same but approval-requested;
//   - rollback-requested and override-requested with model-promoted;
//   - cancel-requested with nothing but a note, which whoever is given the run next
//     acts on; or with model-rejected, if the run waits for a person.
type Gate struct {
	store    blob.Store
	registry registry.Registry
	tracker  registry.Tracker
}

// New returns a gate.
func New(store blob.Store, reg registry.Registry, tracker registry.Tracker) *Gate {
	return &Gate{store, reg, tracker}
}

// Stage returns the gate as a stage. It is ordered: a decision that cannot be
// made yet is waited for, and never skipped.
func (g *Gate) Stage() stage.Stage {
	return stage.Stage{
		Service: churn.Gate,
		Topics:  []churn.Topic{churn.ModelEvaluated, churn.ApprovalDecided, churn.RollbackRequested, churn.OverrideRequested, churn.CancelRequested},
		Handler: g, Ordered: true, Tables: g.Tables, Stops: g.stops,
	}
}

// Handle decides. It may be cut off anywhere and run again: the registry answers
// a repeated registration and promotion with what they did the first time, a lost
// promotion stays lost, what was asked and what was answered are noted before
// anything follows from them, and the rest follows from the event and those.
func (g *Gate) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	return stage.Validate(stage.HandlerFunc(g.decide)).Handle(ctx, e)
}

func (g *Gate) decide(ctx context.Context, e event.Event) ([]event.Event, error) {
	switch m := e.Data.(type) {
	case *eventv1.ModelEvaluated:
		return g.evaluated(ctx, e, m)
	case *eventv1.ApprovalDecided:
		return g.decided(ctx, e, m)
	case *eventv1.CancelRequested:
		return g.cancel(ctx, e, m)
	case *eventv1.RollbackRequested:
		return g.rollback(ctx, e, m)
	case *eventv1.OverrideRequested:
		return g.override(ctx, e, m)
	default:
		return nil, churn.Errorf("gate.Handle", churn.Invalid, "event %s of type %q holds %T, on which there is nothing to decide", e.ID, e.Type, e.Data)
	}
}
