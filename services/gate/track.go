package gate

import (
	"context"
	"strconv"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// track tells the tracking server, and returns its id of the run.
func (g *Gate) track(ctx context.Context, e event.Event, plan *eventv1.Plan, d *decision, w written) (string, error) {
	entry := registry.Entry{
		Stage:     string(churn.Gate),
		Params:    map[string]string{"outcome": string(d.Outcome), "reason": d.Reason},
		Metrics:   map[string]float64{},
		Step:      int64(d.Round),
		Ends:      d.Outcome != Superseded,
		Artifacts: map[string]*blob.Artifact{churn.DecisionJSON: w.decision},
	}
	if w.report != nil {
		entry.Artifacts[churn.ReportHTML] = w.report
	}
	if d.Round > 0 {
		entry.Stage += "-round-" + strconv.Itoa(int(d.Round))
	}
	for _, r := range d.Rules {
		passed := 0.0
		if r.Passed {
			passed = 1
		}
		entry.Metrics["rule_"+r.Name] = passed
	}
	if d.Promotion != nil {
		entry.Params["version"] = strconv.FormatInt(d.Promotion.Version, 10)
		entry.Params["generation"] = strconv.FormatInt(d.Promotion.Generation, 10)
	}
	return g.tracker.Track(ctx, registry.Run{
		Experiment: plan.GetExperiment(), Run: d.Run, Started: e.Time,
		Name: d.name(),
	}, entry)
}

// name is what people see the run called.
func (d *decision) name() string {
	if d.Kind == Retrain {
		return d.Model + " " + d.Run
	}
	return d.Model + " " + string(d.Kind) + " " + d.Run
}
