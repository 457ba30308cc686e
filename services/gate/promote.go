package gate

import (
	"context"
	"fmt"
	"strconv"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/stage/fault"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// promote registers the candidate and makes it the champion, if the champion is
// still the one that it was compared with. Otherwise it is superseded.
func (g *Gate) promote(ctx context.Context, step event.Event, evaluation string, m *eventv1.ModelEvaluated, d *decision) error {
	version, err := g.register(ctx, d.Run, evaluation, m)
	if err != nil {
		return err
	}
	promoted, err := g.registry.Promote(ctx, registry.Champion{
		Model: d.Model, Stage: d.Stage, Version: version.Version, Run: d.Run, Cause: step.ID,
	}, m.GetChampion().GetGeneration())
	if churn.IsKind(err, churn.Conflict) {
		d.Outcome, d.Reason = Superseded, superseded(m.GetChampion(), d.Approval)
		return nil
	}
	if err != nil {
		return confirmed("gate.promote", err)
	}
	fault.Point("gate.promoted")
	d.Promotion = &Promotion{promoted.Version, promoted.Generation, promoted.Previous}
	return nil
}

// register makes the run's candidate a version, of which a run has one.
func (g *Gate) register(ctx context.Context, run, evaluation string, m *eventv1.ModelEvaluated) (registry.Version, error) {
	plan := m.GetPlan()
	version, err := g.registry.Register(ctx, registry.Version{
		Model: plan.GetModel(), Run: run, Experiment: plan.GetExperiment(),
		Artifact: m.GetCandidate().GetModel(), Preprocessor: m.GetFeatures().GetPreprocessor(),
		Tags: map[string]string{
			"git_sha":        plan.GetGitSha(),
			"timestamp":      plan.GetRequestedAt(),
			"run_id":         run,
			"event_id":       evaluation,
			"trees_sha256":   m.GetCandidate().GetTreesSha256(),
			"dataset_sha256": plan.GetDataset().GetSha256(),
			"threshold":      strconv.FormatFloat(threshold(m), 'g', -1, 64),
		},
	})
	if err == nil {
		fault.Point("gate.registered")
	}
	return version, err
}

// threshold is where the candidate's scores are to be cut.
func threshold(m *eventv1.ModelEvaluated) float64 {
	if p := m.GetOperatingPoint(); p != nil {
		return p.GetThreshold()
	}
	return evaluation.Threshold
}

// superseded says why the comparison is out of date, and what becomes of the
// approval if there is one. Who is champion now is not told: a later attempt would
// find another.
func superseded(c *eventv1.Champion, a *Approval) string {
	was := "beside no champion, and there is one now"
	if c != nil {
		was = fmt.Sprintf("beside version %d, and the champion has changed since", c.GetVersion())
	}
	text := "the candidate was evaluated " + was + ": it is evaluated again"
	if a != nil {
		text += fmt.Sprintf("; the approval of %s was for the comparison of then, and another will be asked for", a.DecidedBy)
	}
	return text
}
