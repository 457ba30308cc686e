package gate

import (
	"context"
	"fmt"
	"slices"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// override promotes a candidate that was rejected: by the rules, for want of an
// answer, or because the request was a dry run. It overrides rules, not people:
// what somebody has denied stays denied.
func (g *Gate) override(ctx context.Context, e event.Event, m *eventv1.OverrideRequested) ([]event.Event, error) {
	if err := ownRun(e); err != nil {
		return nil, err
	}
	said, rejected, round, err := g.rejection(ctx, m)
	if err != nil {
		return nil, err
	}
	evaluation, evaluated, err := g.kept(ctx, m.GetRun(), round)
	if churn.IsKind(err, churn.NotFound) {
		return nil, unfit("run %s was decided by an earlier version of the gate, which kept too little of it: ask for a new run", m.GetRun())
	}
	if err != nil {
		return nil, err
	}
	if err := g.mayOverride(ctx, m, rejected); err != nil {
		return nil, err
	}
	plan := evaluated.GetPlan()
	champion, err := g.succeed(ctx, e, plan.GetModel(), plan.GetGate().GetBaselineStage(), func(past []registry.Champion) (int64, error) {
		return g.overridden(ctx, past, m.GetRun(), evaluation, evaluated)
	})
	if err != nil {
		return nil, err
	}
	d := overrode(e, m, said, rejected, evaluated, champion)
	written, err := g.record(ctx, e, evaluated, d)
	if err != nil {
		return nil, err
	}
	out := d.promoted(evaluated, written)
	out.Override = &eventv1.Override{RequestedBy: m.GetRequestedBy(), Reason: m.GetReason(), RejectionId: said.ID}
	return []event.Event{e.Reply(churn.Gate, churn.ModelPromoted, 0, d.Model, out)}, nil
}

// unfit is the error of a request for what cannot be overridden.
func unfit(format string, args ...any) error {
	return churn.Errorf("gate.override", churn.Invalid, format, args...)
}

// rejection returns how the gate rejected the run's candidate, and in which round.
func (g *Gate) rejection(ctx context.Context, m *eventv1.OverrideRequested) (said event.Event, rejected *eventv1.ModelRejected, round int32, err error) {
	said, round, err = g.verdict(ctx, m.GetRun())
	if err != nil {
		return said, nil, 0, err
	}
	switch v := said.Data.(type) {
	case *eventv1.ModelRejected:
		if v.GetModel() != m.GetModel() {
			return said, nil, 0, unfit("run %s is one of model %s, not of %s", m.GetRun(), v.GetModel(), m.GetModel())
		}
		return said, v, round, nil
	case *eventv1.ModelPromoted:
		return said, nil, 0, unfit("run %s was promoted as version %d: `churnctl rollback --to %d` goes back to it", m.GetRun(), v.GetVersion(), v.GetVersion())
	case *eventv1.ApprovalRequested:
		return said, nil, 0, unfit("run %s waits for approval: approve it instead", m.GetRun())
	default:
		return said, nil, 0, unfit("run %s has not ended: its candidate is evaluated again, because the champion has changed", m.GetRun())
	}
}

// verdict returns what the gate has said of the run last.
func (g *Gate) verdict(ctx context.Context, run string) (said event.Event, round int32, err error) {
	last, round, err := g.lastClaim(ctx, run)
	if churn.IsKind(err, churn.NotFound) {
		return said, 0, unfit("the gate has not decided on a run %s: it does not exist, is under way, or has failed", run)
	}
	if err != nil {
		return said, 0, err
	}
	said, err = g.answer(ctx, run, last.Event)
	if err != nil || said.Topic != churn.ApprovalRequested {
		return said, round, err
	}
	a, err := g.answered(ctx, run, said.ID)
	if churn.IsKind(err, churn.NotFound) {
		return said, round, nil // nobody has decided
	}
	if err != nil {
		return said, round, err
	}
	said, err = g.answer(ctx, run, a.Event)
	return said, round, err
}

// answer returns the one event that the gate has answered the given one with.
func (g *Gate) answer(ctx context.Context, run, id string) (event.Event, error) {
	out, err := g.outcome(ctx, run, id)
	switch {
	case churn.IsKind(err, churn.NotFound):
		return event.Event{}, unfit("run %s is being decided on: ask again when it has ended", run)
	case err != nil:
		return event.Event{}, err
	case len(out) != 1:
		return event.Event{}, churn.Errorf("gate.answer", churn.Internal, "event %s of run %s was answered with %d events", id, run, len(out))
	}
	return out[0], nil
}

// mayOverride refuses what the policy has left to others.
func (g *Gate) mayOverride(ctx context.Context, m *eventv1.OverrideRequested, rejected *eventv1.ModelRejected) error {
	if a := rejected.GetApproval(); a != nil && !a.GetExpired() {
		return unfit("the promotion was denied by %s: an override sets rules aside, not what a person has decided; ask for a new run", a.GetDecidedBy())
	}
	plan := rejected.GetPlan()
	p, err := policy.For(ctx, g.store, plan.GetGate())
	if err != nil {
		return err
	}
	if p.Approval != nil && p.Approval.NotByRequester && (plan.GetRequestedBy() == "" || plan.GetRequestedBy() == m.GetRequestedBy()) {
		return unfit("the policy of run %s wants somebody other than whoever asked for it, %q, to decide: this goes for an override, too",
			m.GetRun(), plan.GetRequestedBy())
	}
	return nil
}

// overridden returns the version of the run's candidate, which is registered if it
// is not yet.
func (g *Gate) overridden(ctx context.Context, past []registry.Champion, run string, evaluation event.Event, m *eventv1.ModelEvaluated) (int64, error) {
	v, err := g.register(ctx, run, evaluation.ID, m)
	if err != nil {
		return 0, err
	}
	if slices.ContainsFunc(past, func(c registry.Champion) bool { return c.Version == v.Version }) {
		return 0, unfit("run %s was promoted by an override already, as version %d: `churnctl rollback --to %d` goes back to it", run, v.Version, v.Version)
	}
	return v.Version, nil
}

// overrode returns the decision as it is written down.
func overrode(e event.Event, m *eventv1.OverrideRequested, said event.Event, rejected *eventv1.ModelRejected,
	evaluated *eventv1.ModelEvaluated, c registry.Champion) *decision {
	d := candidate(m.GetRun(), evaluated, rejected.GetRules())
	d.Kind, d.Run, d.Round, d.Outcome, d.DryRun = Override, e.Run(), 0, Promoted, false
	d.Reason = fmt.Sprintf("%s had it promoted though it was rejected (%s): %s", m.GetRequestedBy(), rejected.GetReason(), m.GetReason())
	d.RequestedBy, d.Rejection = m.GetRequestedBy(), said.ID
	d.Promotion = &Promotion{c.Version, c.Generation, c.Previous}
	return d
}
