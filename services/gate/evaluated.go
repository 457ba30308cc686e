package gate

import (
	"context"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stage/fault"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// evaluated judges a candidate, and concludes the run unless a person is to be
// asked.
func (g *Gate) evaluated(ctx context.Context, e event.Event, m *eventv1.ModelEvaluated) ([]event.Event, error) {
	if err := g.claim(ctx, e, m.GetRound()); err != nil {
		return nil, err
	}
	fault.Point("gate.claimed")
	l, err := g.look(ctx, e, m)
	if err != nil {
		return nil, err
	}
	p, err := policy.For(ctx, g.store, m.GetPlan().GetGate())
	if err != nil {
		return nil, err
	}
	rules, err := p.Judge(policy.Evidence{Evaluated: m, Look: l.Number})
	if err != nil {
		return nil, err
	}
	d := judge(e.Run(), m, p, l, rules)
	if d.Outcome == Rejected || p.Approval != nil {
		if err := g.keep(ctx, e, m.GetRound()); err != nil {
			return nil, err
		}
	}
	if d.Outcome == Promoted && p.Approval != nil {
		return g.ask(ctx, e, m, d, p.Approval)
	}
	return g.conclude(ctx, e, e.ID, m, d)
}

// conclude promotes, if that is the verdict, and writes the decision down. step is
// the event that it follows from: the evaluation, whose id is given, or a person's
// answer.
func (g *Gate) conclude(ctx context.Context, step event.Event, evaluation string, m *eventv1.ModelEvaluated, d *decision) ([]event.Event, error) {
	if d.Outcome == Promoted {
		stage.Report(ctx, stage.Progress{Activity: "promoting", Total: 1})
		if err := g.promote(ctx, step, evaluation, m, d); err != nil {
			return nil, err
		}
	}
	written, err := g.record(ctx, step, m, d)
	if err != nil {
		return nil, err
	}
	return []event.Event{d.answer(step, m, written)}, nil
}
