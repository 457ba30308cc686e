package evaluator

import (
	"context"
	"strconv"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// track tells the tracking server, and returns its id of the run.
func (v *Evaluator) track(ctx context.Context, e event.Event, trained *eventv1.ModelTrained, d *evaluation.Document, a *eventv1.Evaluation) (string, error) {
	entry := registry.Entry{
		Stage:   string(churn.Evaluator),
		Metrics: map[string]float64{},
		Step:    int64(d.Round),
		Artifacts: map[string]*blob.Artifact{
			churn.EvaluationJSON: a.GetEvaluation(), churn.ScoresTable: a.GetScores(), churn.ROCPlot: a.GetRocPlot(),
			churn.PRPlot: a.GetPrPlot(), churn.CalibrationPlot: a.GetCalibrationPlot(), churn.ReportHTML: a.GetReport(),
		},
	}
	if d.Round > 0 {
		entry.Stage += "-round-" + strconv.Itoa(int(d.Round))
	}
	for name, m := range d.Candidate.Metrics {
		entry.Metrics[name] = m.Value
	}
	if d.Champion != nil {
		for name, m := range d.Champion.Metrics {
			entry.Metrics["champion_"+name] = m.Value
		}
	}
	plan := trained.GetPlan()
	return v.tracker.Track(ctx, registry.Run{
		Experiment: plan.GetExperiment(), Run: e.Run(), Started: e.Time,
		Name: plan.GetModel() + " " + e.Run(),
	}, entry)
}
