package main

import (
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// The report is that of the decision, if it has one, and otherwise that of the
// last evaluation.
func TestNewestReport(t *testing.T) {
	evaluated := func(uri string) *eventv1.ModelEvaluated {
		return &eventv1.ModelEvaluated{Evaluation: &eventv1.Evaluation{Report: &blob.Artifact{Uri: uri}}}
	}
	request := event.Event{Topic: churn.RetrainRequested, ID: "request", Data: &eventv1.RetrainRequested{}, Time: time.Unix(1, 0)}
	first := request.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "", evaluated("first"))
	again := first.Reply(churn.Gate, churn.ModelTrained, 0, "", &eventv1.ModelTrained{Round: 1})
	second := again.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "", evaluated("second"))
	rejected := func(report *blob.Artifact) event.Event {
		return second.Reply(churn.Gate, churn.ModelRejected, 0, "", &eventv1.ModelRejected{Report: report})
	}
	for name, c := range map[string]struct {
		events []event.Event
		by     churn.Service
		want   string
	}{
		"not evaluated":             {[]event.Event{request}, "", ""},
		"evaluated":                 {[]event.Event{request, first}, churn.Evaluator, "first"},
		"evaluated again":           {[]event.Event{request, first, again, second}, churn.Evaluator, "second"},
		"decided":                   {[]event.Event{request, first, again, second, rejected(&blob.Artifact{Uri: "decided"})}, churn.Gate, "decided"},
		"decided without a report":  {[]event.Event{request, first, again, second, rejected(nil)}, churn.Evaluator, "second"},
		"promoted without anything": {[]event.Event{request, request.Reply(churn.Gate, churn.ModelPromoted, 0, "", &eventv1.ModelPromoted{})}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			runs := fold.Runs{}
			for _, e := range c.events {
				runs.Add(e)
			}
			by, a := newestReport(runs.Sorted()[0])
			if by != c.by || a.GetUri() != c.want {
				t.Errorf("the report is %q by %q, want %q by %q", a.GetUri(), by, c.want, c.by)
			}
		})
	}
}
