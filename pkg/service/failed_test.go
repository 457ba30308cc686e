package service

import (
	"context"
	"errors"
	"testing"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// tracker keeps what it was told last.
type tracker struct {
	run   registry.Run
	entry registry.Entry
	err   error
}

func (t *tracker) Track(_ context.Context, r registry.Run, e registry.Entry) (string, error) {
	t.run, t.entry = r, e
	return "id", t.err
}

func TestAFailureIsRecorded(t *testing.T) {
	told := &tracker{err: errors.New("away")}
	e := event.Event{Correlation: "run", Data: &eventv1.FeaturesReady{Plan: &eventv1.Plan{Model: "m", Experiment: "e"}}}
	f := &eventv1.RunFailed{Stage: "trainer", Message: "no such leaf"}
	if err := failed(told)(t.Context(), e, f); !errors.Is(err, told.err) {
		t.Errorf("the error is %v", err)
	}
	if told.run.Experiment != "e" || told.run.Run != e.Run() || told.entry.Stage != "trainer-failed" ||
		told.entry.Params["failure"] != "no such leaf" || !told.entry.Ends || !told.entry.Failed {
		t.Errorf("told %+v, %+v", told.run, told.entry)
	}
	for _, data := range []event.Event{{Data: &eventv1.RetrainRequested{}}, {Data: &eventv1.FeaturesReady{}}} {
		untold := &tracker{}
		if err := failed(untold)(t.Context(), data, f); err != nil || untold.entry.Stage != "" {
			t.Errorf("of %T: told %+v, %v", data.Data, untold.entry, err)
		}
	}
}
