package stage_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// chain runs two stages, one after the other, on a request.
func chain(w *world, e event.Event) {
	w.Helper()
	_, stopFirst := w.start(featurizer(func(_ context.Context, e event.Event) ([]event.Event, error) {
		return []event.Event{e.Reply(churn.Featurizer, churn.ApprovalDecided, 0, "m", valid(churn.ApprovalDecided))}, nil
	}))
	defer stopFirst()
	_, stopSecond := w.start(stage.Stage{Service: churn.Gate, Topics: []churn.Topic{churn.ApprovalDecided},
		Handler: stage.HandlerFunc(func(context.Context, event.Event) ([]event.Event, error) { return nil, invalid() })})
	defer stopSecond()
	w.publish(w.record(e))
	w.settle()
}

// A run is one trace below its origin; each hop is below the one before; the
// event's attribute says the origin throughout.
func TestOneTrace(t *testing.T) {
	const origin = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	simulate(t, func(w *world) {
		e := request("1")
		e.TraceParent = origin
		chain(w, e)
		spans := w.spans.Ended()
		if len(spans) != 2 {
			t.Fatalf("%d spans", len(spans))
		}
		first, second := spans[0], spans[1]
		if first.Name() != "featurizer retrain-requested" || second.Name() != "gate approval-decided" {
			t.Errorf("the spans are %s and %s", first.Name(), second.Name())
		}
		for _, s := range spans {
			if got := s.SpanContext().TraceID().String(); got != origin[3:35] {
				t.Errorf("%s is of trace %s", s.Name(), got)
			}
		}
		if got := first.Parent().SpanID().String(); got != origin[36:52] {
			t.Errorf("the first is below %s, not the origin", got)
		}
		if second.Parent().SpanID() != first.SpanContext().SpanID() {
			t.Errorf("the second is below %s, not the first", second.Parent().SpanID())
		}
		for topic, span := range map[string]sdktrace.ReadOnlySpan{churn.ApprovalDecided.Name(prefix): first, failures: second} {
			r := w.count(topic, 1)[0]
			w.headers(r, map[string]string{
				"ce_traceparent": origin,
				"traceparent":    "00-" + origin[3:35] + "-" + span.SpanContext().SpanID().String() + "-01",
			})
		}
		if second.Status().Code != codes.Error || second.Status().Description != "invalid" || len(second.Events()) != 1 {
			t.Errorf("the failed span's status is %v", second.Status())
		}
		letter := w.count(churn.Gate.DeadLetterTopic().Name(prefix), 1)[0]
		if header(letter, "traceparent") != header(w.log.records(churn.ApprovalDecided.Name(prefix))[0], "traceparent") {
			t.Error("the dead letter's own hop was changed")
		}
	})
}

// A request without a trace, or with one that makes no sense, gets an origin that
// follows from its run: everywhere the same.
func TestOriginFollowsFromTheRun(t *testing.T) {
	var origins []string
	for range 2 {
		simulate(t, func(w *world) {
			r := w.record(request("1"))
			r.Headers = append(r.Headers, bus.Header{Key: "ce_traceparent", Value: []byte("nonsense")})
			_, stop := w.start(featurizer(answer))
			defer stop()
			w.publish(r)
			w.settle()
			origins = append(origins, w.events(out)[0].TraceParent)
			if got, run := w.spans.Ended()[0].SpanContext().TraceID().String(), churn.RunID("1"); got != strings.ReplaceAll(run, "-", "") {
				t.Errorf("run %s is traced as %s", run, got)
			}
		})
	}
	if origins[0] == "" || origins[0] != origins[1] {
		t.Errorf("the origins are %v", origins)
	}
}

// Whatever another producer takes for a run's id, its events have answers.
func TestAnyRunHasAnOrigin(t *testing.T) {
	for _, run := range []string{
		"r", strings.Repeat("0", 32), "00000000-0000-0000-0000-000000000000", strings.Repeat("A", 32), strings.Repeat("f", 32), strings.Repeat("a", 128),
	} {
		simulate(t, func(w *world) {
			_, stop := w.start(stage.Stage{Service: churn.Featurizer, Topics: []churn.Topic{churn.FeaturesReady}, Handler: stage.HandlerFunc(answer)})
			defer stop()
			a := &artifactv1.Artifact{Uri: "s3://b/k"}
			e := request("1").Reply(churn.Featurizer, churn.FeaturesReady, 0, "k", &eventv1.FeaturesReady{Plan: &eventv1.Plan{Dataset: a}})
			e.Correlation = run
			w.publish(w.record(e))
			w.settle()
			w.count(dead, 1) // its data is not valid
			got := w.events(failures)[0]
			if got.Run() != run || got.TraceParent == "" {
				t.Errorf("run %s failed with %+v", run, got)
			}
		})
	}
}
