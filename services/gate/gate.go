// Package gate decides whether a candidate is promoted: by the rules of
// pkg/policy, and by a compare-and-swap on the champion that the candidate was
// compared with.
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

// Gate answers model-evaluated with model-promoted or model-rejected; or with
// model-trained, if the champion is no longer the one that was compared with.
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
// made yet is waited for, and never skipped. Decisions of people are read too,
// so that none is passed over in silence; see Handle.
func (g *Gate) Stage() stage.Stage {
	return stage.Stage{
		Service: churn.Gate,
		Topics:  []churn.Topic{churn.ModelEvaluated, churn.ApprovalDecided},
		Handler: g, Ordered: true, Tables: g.Tables,
	}
}

// Handle decides on the candidate of a model-evaluated event. This version asks
// nobody for approval, and refuses an approval-decided event as the answer to no
// question: it becomes a dead letter, and does no harm to the run that it names.
func (g *Gate) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	const op = "gate.Handle"
	switch m := e.Data.(type) {
	case *eventv1.ModelEvaluated:
		if err := event.Validate(e); err != nil {
			return nil, err
		}
		return g.decide(ctx, e, m)
	case *eventv1.ApprovalDecided:
		return nil, stage.Foreign(churn.Errorf(op, churn.Invalid,
			"there is no open approval %.200q of run %.200q: this version of the gate decides by its rules alone and asks for none",
			m.GetApprovalId(), m.GetRun()))
	default:
		return nil, churn.Errorf(op, churn.Invalid, "event %s of type %q holds %T, not ModelEvaluated", e.ID, e.Type, e.Data)
	}
}

// decide judges, promotes if that is the verdict, and writes the decision down.
//
// It may be cut off anywhere and run again: the registry answers a repeated
// registration and promotion with what they did the first time, a lost promotion
// stays lost, and everything else follows from the event and that answer.
func (g *Gate) decide(ctx context.Context, e event.Event, m *eventv1.ModelEvaluated) ([]event.Event, error) {
	if err := g.claim(ctx, e, m.GetRound()); err != nil {
		return nil, err
	}
	l, err := g.look(ctx, e, m)
	if err != nil {
		return nil, err
	}
	d := judge(e.Run(), m, l)
	if d.Outcome == Promoted {
		stage.Report(ctx, stage.Progress{Activity: "promoting", Total: 1})
		if err := g.promote(ctx, e, m, d); err != nil {
			return nil, err
		}
	}
	written, err := g.write(ctx, d)
	if err != nil {
		return nil, err
	}
	id, err := g.track(ctx, e, m, d, written)
	if err != nil {
		return nil, err
	}
	stage.Report(ctx, stage.Progress{Activity: string(d.Outcome), Done: 1, Total: 1, Tracking: id})
	return []event.Event{d.answer(e, m, written)}, nil
}
