package stage_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Ends are counted by model, the row in the table is none, and names that anybody
// may make up do not make ever more time series.
func TestEndsAreCounted(t *testing.T) {
	simulate(t, func(w *world) {
		gate := stage.Stage{Service: churn.Gate, Topics: []churn.Topic{churn.ApprovalDecided},
			Handler: stage.HandlerFunc(func(_ context.Context, e event.Event) ([]event.Event, error) {
				model := e.Data.(*eventv1.ApprovalDecided).GetModel()
				switch {
				case model == "failed":
					return nil, invalid()
				case strings.HasPrefix(model, "rejected"):
					return []event.Event{e.Reply(churn.Gate, churn.ModelRejected, 0, "m", &eventv1.ModelRejected{Model: model})}, nil
				}
				promoted := &eventv1.ModelPromoted{Model: model, Version: 7, Metrics: &eventv1.Metrics{Auc: 0.84}}
				return []event.Event{
					e.Reply(churn.Gate, churn.ModelPromoted, 0, "m", promoted), e.Reply(churn.Gate, churn.ModelCurrent, 1, "m", promoted),
				}, nil
			})}
		_, stop := w.start(gate)
		defer stop()
		decide := func(model string) {
			data := valid(churn.ApprovalDecided).(*eventv1.ApprovalDecided)
			data.Model = model
			w.publish(w.record(request("1").Reply(churn.Featurizer, churn.ApprovalDecided, len(w.log.records(churn.ApprovalDecided.Name(prefix))), "m", data)))
		}
		for _, model := range []string{"m", "failed", "rejected"} {
			decide(model)
		}
		w.settle()
		got := w.series()
		maps.DeleteFunc(got, func(name string, _ float64) bool {
			return !strings.HasPrefix(name, "churn_run_ends") && !strings.HasPrefix(name, "churn_champion")
		})
		want := map[string]float64{
			`churn_run_ends_total{end="promoted",model="m"}`:        1,
			`churn_run_ends_total{end="failed",model="failed"}`:     1,
			`churn_run_ends_total{end="rejected",model="rejected"}`: 1,
			`churn_champion_version{model="m"}`:                     7,
			`churn_champion_auc{model="m"}`:                         0.84,
		}
		if !maps.Equal(got, want) {
			t.Errorf("the series are %v", got)
		}
		for i := range 200 {
			decide(fmt.Sprintf("rejected-%d", i))
		}
		w.settle()
		if n := w.series()[`churn_run_ends_total{end="rejected",model="other"}`]; n != 103 {
			t.Errorf("%v of models beyond the bound", n)
		}
	})
}
