package service

import (
	"context"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// failed tells the tracking server of a run that has failed. One without a plan
// is not known there: it failed before it was.
func failed(t registry.Tracker) func(context.Context, event.Event, *eventv1.RunFailed) error {
	return func(ctx context.Context, e event.Event, f *eventv1.RunFailed) error {
		m, has := e.Data.(interface{ GetPlan() *eventv1.Plan })
		if !has || m.GetPlan() == nil {
			return nil
		}
		_, err := t.Track(ctx, registry.Run{
			Experiment: m.GetPlan().GetExperiment(), Run: e.Run(), Started: e.Time,
			Name: m.GetPlan().GetModel() + " " + e.Run(),
		}, registry.Entry{
			Stage: f.GetStage() + "-failed", Params: map[string]string{"failure": f.GetMessage()}, Ends: true, Failed: true,
		})
		return err
	}
}
