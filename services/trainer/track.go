package trainer

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// track tells the tracking server, and returns its id of the run.
func (t *Trainer) track(ctx context.Context, e event.Event, ready *eventv1.FeaturesReady, d *Document, m *eventv1.TrainedModel) (string, error) {
	plan := ready.GetPlan()
	entry := registry.Entry{
		Stage:  string(churn.Trainer),
		Params: parameters(settings(ready)),
		Metrics: map[string]float64{
			"validation_auc":      m.GetValidationAuc(),
			"validation_log_loss": d.Validation.LogLoss[d.BestIteration-1],
			"best_iteration":      float64(d.BestIteration),
		},
		Series: map[string][]float64{
			"validation_auc_by_iteration":      d.Validation.AUC,
			"validation_log_loss_by_iteration": d.Validation.LogLoss,
		},
		Artifacts: map[string]*blob.Artifact{
			churn.ModelText: m.GetModel(), churn.TrainingJSON: m.GetTraining(), churn.ImportancesJSON: m.GetImportances(),
			churn.ImportancesPNG: m.GetImportancesPlot(), churn.ReferenceScores: m.GetReferenceScores(),
			churn.Contributions: m.GetContributions(),
		},
	}
	if d.Machines > 0 {
		entry.Params["machines"] = strconv.Itoa(d.Machines)
	}
	if len(d.FoldsAUC) > 0 {
		entry.Metrics["folds_auc"] = m.GetFoldsAuc()
	}
	trial := folderOf(e.Run(), ready).trial
	entry.Ends = trial != "" // the run itself goes on
	return t.tracker.Track(ctx, registry.Run{
		Experiment: plan.GetExperiment(), Run: e.Run(), Trial: trial, Started: e.Time,
		Name: plan.GetModel() + " " + e.Run(),
	}, entry)
}

// parameters returns a message's scalar fields by name.
func parameters(m proto.Message) map[string]string {
	out := map[string]string{}
	r := m.ProtoReflect()
	declared := r.Descriptor().Fields()
	for i := range declared.Len() {
		field := declared.Get(i)
		out[string(field.Name())] = fmt.Sprint(r.Get(field).Interface())
	}
	return out
}
