package gate

import (
	"context"
	"fmt"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/stage/fault"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// promote registers the candidate and makes it the champion, if the champion is
// still the one that it was compared with. Otherwise it is superseded.
func (g *Gate) promote(ctx context.Context, e event.Event, m *eventv1.ModelEvaluated, d *decision) error {
	version, err := g.registry.Register(ctx, registry.Version{
		Model: d.Model, Run: d.Run, Experiment: m.GetPlan().GetExperiment(),
		Artifact: m.GetCandidate().GetModel(), Preprocessor: m.GetFeatures().GetPreprocessor(),
		Tags: map[string]string{
			"git_sha":        m.GetPlan().GetGitSha(),
			"timestamp":      m.GetPlan().GetRequestedAt(),
			"run_id":         d.Run,
			"event_id":       e.ID,
			"trees_sha256":   d.TreesSHA256,
			"dataset_sha256": d.DatasetSHA256,
		},
	})
	if err != nil {
		return err
	}
	fault.Point("gate.registered")
	promoted, err := g.registry.Promote(ctx, registry.Champion{
		Model: d.Model, Stage: d.Stage, Version: version.Version, Run: d.Run, Cause: e.ID,
	}, m.GetChampion().GetGeneration())
	if churn.IsKind(err, churn.Conflict) {
		d.Outcome, d.Reason = Superseded, superseded(m.GetChampion())
		return nil
	}
	if err != nil {
		return confirmed("gate.promote", err)
	}
	fault.Point("gate.promoted")
	d.Promotion = &Promotion{promoted.Version, promoted.Generation, promoted.Previous}
	return nil
}

// superseded says why the comparison is out of date. Who is champion now is not
// told: a later attempt would find another.
func superseded(c *eventv1.Champion) string {
	was := "beside no champion, and there is one now"
	if c != nil {
		was = fmt.Sprintf("beside version %d, and the champion has changed since", c.GetVersion())
	}
	return "the candidate was evaluated " + was + ": it is evaluated again"
}
