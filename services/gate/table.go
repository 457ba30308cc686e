package gate

import (
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Tables returns the rows of the compacted table that the outputs bring up to
// date: with each promotion to production, the newest of the same model. That is
// a later one if an old promotion is published again.
func (g *Gate) Tables(ctx context.Context, outputs []event.Event) ([]event.Event, error) {
	var rows []event.Event
	for _, e := range outputs {
		m, ok := e.Data.(*eventv1.ModelPromoted)
		if !ok || m.GetPlan().GetGate().GetBaselineStage() != churn.ServingStage {
			continue
		}
		newest, err := g.newest(ctx, e, m)
		if err != nil {
			return nil, err
		}
		for _, row := range newest {
			row.Topic = churn.ModelCurrent
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// newest returns the newest promotion of the model that e promotes. It is found
// through the registry, which names the event that was decided, and what the
// gate answered to that. It returns none if there is no answer yet: who made the
// promotion has not finished, gets its event again, and writes the row then.
func (g *Gate) newest(ctx context.Context, e event.Event, m *eventv1.ModelPromoted) ([]event.Event, error) {
	champion, err := g.registry.Champion(ctx, m.GetModel(), churn.ServingStage)
	if err != nil {
		return nil, confirmed("gate.newest", err)
	}
	if champion.Generation <= m.GetGeneration() {
		return []event.Event{e}, nil
	}
	answer, err := g.announced(ctx, champion)
	if churn.IsKind(err, churn.NotFound) {
		return nil, nil
	}
	return answer, err
}

// confirmed gives an error of asking for what the registry has confirmed its
// kind. That it is not there now is the registry's fault, and NotFound would end
// the run.
func confirmed(op string, err error) error {
	if churn.IsKind(err, churn.NotFound) {
		return churn.E(op, churn.Internal, err)
	}
	return err
}
