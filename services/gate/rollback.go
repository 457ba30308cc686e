package gate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// rollback puts a former version into production again: what was said of it then
// is said again, with the number of this change.
func (g *Gate) rollback(ctx context.Context, e event.Event, m *eventv1.RollbackRequested) ([]event.Event, error) {
	if err := ownRun(e); err != nil {
		return nil, err
	}
	stageName := cmp.Or(m.GetStage(), churn.ServingStage)
	var former *eventv1.ModelPromoted
	champion, err := g.succeed(ctx, e, m.GetModel(), stageName, func(past []registry.Champion) (_ int64, err error) {
		former, err = g.former(ctx, past, m, stageName)
		return former.GetVersion(), err
	})
	if err != nil {
		return nil, err
	}
	d := rolledBack(e, m, former, champion)
	written, err := g.record(ctx, e, former, d)
	if err != nil {
		return nil, err
	}
	out := proto.CloneOf(former)
	out.Version, out.Generation, out.PreviousVersion = champion.Version, champion.Generation, champion.Previous
	out.Rules, out.Approval, out.Override = nil, nil, nil // of then: nothing was judged now
	out.Rollback = &eventv1.Rollback{RequestedBy: m.GetRequestedBy(), Reason: m.GetReason()}
	out.Decision, out.Report = written.decision, written.report
	return []event.Event{e.Reply(churn.Gate, churn.ModelPromoted, 0, d.Model, out)}, nil
}

// former returns the promotion of the version to go back to, as the gate announced
// it, or an Invalid error that says why there is none.
func (g *Gate) former(ctx context.Context, past []registry.Champion, m *eventv1.RollbackRequested, stageName string) (*eventv1.ModelPromoted, error) {
	const op = "gate.rollback"
	if len(past) == 0 {
		return nil, churn.Errorf(op, churn.Invalid, "no version of %s has ever been in %s: there is nothing to go back to", m.GetModel(), stageName)
	}
	current := past[len(past)-1]
	if from := m.GetFromVersion(); from != 0 && from != current.Version {
		return nil, churn.Errorf(op, churn.Invalid,
			"the champion has moved: version %d of %s is in %s, and the request is to replace version %d; look at it and ask again",
			current.Version, m.GetModel(), stageName, from)
	}
	to := m.GetToVersion()
	if to == 0 {
		first := slices.IndexFunc(past, func(c registry.Champion) bool { return c.Version == current.Version })
		if first == 0 {
			return nil, churn.Errorf(op, churn.Invalid, "version %d of %s was the first in %s: there is no earlier one to go back to",
				current.Version, m.GetModel(), stageName)
		}
		to = past[first-1].Version
	}
	if to == current.Version {
		return nil, churn.Errorf(op, churn.Invalid, "version %d of %s is in %s already", to, m.GetModel(), stageName)
	}
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].Version != to {
			continue
		}
		said, err := g.promotion(ctx, past[i])
		if !churn.IsKind(err, churn.NotFound) {
			return said, err
		}
	}
	return nil, g.neverThere(ctx, past, m.GetModel(), stageName, to)
}

// neverThere says why the version cannot be gone back to.
func (g *Gate) neverThere(ctx context.Context, past []registry.Champion, model, stageName string, version int64) error {
	const op = "gate.rollback"
	if slices.ContainsFunc(past, func(c registry.Champion) bool { return c.Version == version }) {
		return churn.Errorf(op, churn.Invalid, "the promotion of version %d of %s has not been announced yet: ask again when it has", version, model)
	}
	_, err := g.registry.Version(ctx, model, version)
	switch {
	case churn.IsKind(err, churn.NotFound):
		return churn.Errorf(op, churn.Invalid, "%s has no version %d; `churnctl models` lists them", model, version)
	case err != nil:
		return err
	}
	return churn.Errorf(op, churn.Invalid,
		"version %d of %s was never in %s: one that the gate has rejected can be put there by `churnctl override`", version, model, stageName)
}

// rolledBack returns the decision as it is written down.
func rolledBack(e event.Event, m *eventv1.RollbackRequested, former *eventv1.ModelPromoted, c registry.Champion) *decision {
	return &decision{Document: Document{
		Version: DocumentVersion, Kind: Rollback, Model: c.Model, Run: e.Run(), TrainedBy: former.GetRun(), Outcome: Promoted,
		Reason:      fmt.Sprintf("%s asked to go back from version %d to version %d: %s", m.GetRequestedBy(), c.Previous, c.Version, m.GetReason()),
		RequestedBy: m.GetRequestedBy(), Rules: []Rule{},
		Metrics: values(former.GetMetrics()), Stage: c.Stage, Promotion: &Promotion{c.Version, c.Generation, c.Previous},
		Digests: digests(former.GetPlan(), former),
	}}
}
