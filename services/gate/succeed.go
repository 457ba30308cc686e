package gate

import (
	"context"
	"slices"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stage/fault"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// succeed makes a version the champion of the stage because a person asked for it:
// the one that choose names, given every change of champion before, oldest first.
// If the champion changes meanwhile it chooses again. What e has brought about
// already is not done again, and is the same however often it is asked for.
func (g *Gate) succeed(ctx context.Context, e event.Event, model, stageName string,
	choose func(past []registry.Champion) (int64, error)) (registry.Champion, error) {
	for {
		past, err := g.past(ctx, e, model, stageName)
		if err != nil {
			return registry.Champion{}, err
		}
		version, err := choose(past)
		if err != nil {
			return registry.Champion{}, err
		}
		c, err := g.registry.Promote(ctx, registry.Champion{
			Model: model, Stage: stageName, Version: version, Run: e.Run(), Cause: e.ID,
		}, int64(len(past)))
		if churn.IsKind(err, churn.Conflict) {
			continue
		}
		if err != nil {
			return registry.Champion{}, confirmed("gate.succeed", err)
		}
		fault.Point("gate.promoted")
		return c, nil
	}
}

// past returns every change of champion before the one that e has brought about,
// or all of them.
func (g *Gate) past(ctx context.Context, e event.Event, model, stageName string) ([]registry.Champion, error) {
	history, err := g.registry.History(ctx, model, stageName)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(history, func(c registry.Champion) bool { return c.Cause == e.ID }); i >= 0 {
		history = history[:i]
	}
	return history, nil
}

// outcome returns what the gate has answered to the run's event with the given id,
// or NotFound. A person's answer that did not say in its envelope which run it is
// of is filed as a request would be.
func (g *Gate) outcome(ctx context.Context, run, id string) ([]event.Event, error) {
	out, err := stage.Outcome(ctx, g.store, churn.Gate, run, id)
	if churn.IsKind(err, churn.NotFound) {
		return stage.Outcome(ctx, g.store, churn.Gate, churn.RunID(id), id)
	}
	return out, err
}

// announced returns what the gate said when it made c the champion, or NotFound.
// Where the cause is an approval, that was to its answer.
func (g *Gate) announced(ctx context.Context, c registry.Champion) ([]event.Event, error) {
	out, err := g.outcome(ctx, c.Run, c.Cause)
	if !churn.IsKind(err, churn.NotFound) || !plainID.MatchString(c.Cause) {
		return out, err
	}
	a, err := g.answered(ctx, c.Run, c.Cause)
	if err != nil {
		return nil, err
	}
	return g.outcome(ctx, c.Run, a.Event)
}

// promotion returns what the gate said when it made c the champion, or NotFound.
func (g *Gate) promotion(ctx context.Context, c registry.Champion) (*eventv1.ModelPromoted, error) {
	const op = "gate.promotion"
	out, err := g.announced(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, e := range out {
		if m, ok := e.Data.(*eventv1.ModelPromoted); ok && m.GetModel() == c.Model && m.GetVersion() == c.Version {
			return m, nil
		}
	}
	return nil, churn.Errorf(op, churn.Internal, "the registry says that event %s of run %s made version %d of %s the champion, and the gate has answered otherwise",
		c.Cause, c.Run, c.Version, c.Model)
}

// ownRun refuses a request that claims to be of a run other than its own, whose
// artifacts it would be among.
func ownRun(e event.Event) error {
	if own := churn.RunID(e.ID); e.Run() != own {
		return stage.Foreign(churn.Errorf("gate.ownRun", churn.Invalid,
			"correlationid is %.200q: the run of a request follows from the request's id; leave it out", e.Correlation))
	}
	return nil
}
