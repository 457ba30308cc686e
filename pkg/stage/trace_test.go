package stage_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/obs"
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
		w.tree(
			"00f067aa0ba902b7 > featurizer retrain-requested",
			"featurizer retrain-requested > send approval-decided",
			"send approval-decided > gate approval-decided",
			"gate approval-decided > give up",
		)
		for _, s := range w.spans.Ended() {
			if got := s.SpanContext().TraceID().String(); got != origin[3:35] {
				t.Errorf("%s is of trace %s", s.Name(), got)
			}
		}
		for topic, span := range map[string]string{churn.ApprovalDecided.Name(prefix): "send approval-decided", failures: "give up"} {
			r := w.count(topic, 1)[0]
			w.headers(r, map[string]string{
				"ce_traceparent": origin,
				"traceparent":    "00-" + origin[3:35] + "-" + w.span(span).SpanContext().SpanID().String() + "-01",
			})
		}
		if failed := w.span("gate approval-decided"); failed.Status().Code != codes.Error || failed.Status().Description != "invalid" || len(failed.Events()) != 2 {
			t.Errorf("the failed span's status is %v, its events %v", failed.Status(), failed.Events())
		}
		letter := w.count(churn.Gate.DeadLetterTopic().Name(prefix), 1)[0]
		if header(letter, "traceparent") != header(w.log.records(churn.ApprovalDecided.Name(prefix))[0], "traceparent") {
			t.Error("the dead letter's own hop was changed")
		}
	})
}

// span returns the only ended span of the name.
func (w *world) span(name string) (found sdktrace.ReadOnlySpan) {
	w.Helper()
	for _, s := range w.spans.Ended() {
		if s.Name() == name {
			if found != nil {
				w.Fatalf("there are several spans %q", name)
			}
			found = s
		}
	}
	if found == nil {
		w.Fatalf("there is no span %q", name)
	}
	return found
}

// tree checks what is below what: "above > below", by name, or by id where the
// span above is none of these.
func (w *world) tree(want ...string) {
	w.Helper()
	names := map[trace.SpanID]string{}
	for _, s := range w.spans.Ended() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	var got []string
	for _, s := range w.spans.Ended() {
		above := names[s.Parent().SpanID()]
		switch {
		case above != "":
		case s.Parent().IsValid():
			above = s.Parent().SpanID().String()
		default:
			above = "nothing"
		}
		got = append(got, above+" > "+s.Name())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Errorf("the spans are\n%s", strings.Join(got, "\n"))
	}
}

// A request without a trace, or with one that makes no sense, gets an origin that
// follows from its run: everywhere the same. The first span is that origin.
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
			w.tree("nothing > featurizer retrain-requested", "featurizer retrain-requested > send features-ready")
			first := w.span("featurizer retrain-requested").SpanContext()
			if !first.Equal(stage.Origin(churn.RunID("1")).WithRemote(false)) || first.TraceID().String() != strings.ReplaceAll(churn.RunID("1"), "-", "") {
				t.Errorf("the first span is %v", first)
			}
		})
	}
	if origins[0] == "" || origins[0] != origins[1] {
		t.Errorf("the origins are %v", origins)
	}
}

// A request that is made here has its span above all of the run's.
func TestRequestBeginsTheTrace(t *testing.T) {
	simulate(t, func(w *world) {
		e := request("1")
		r, end, err := stage.Request(t.Context(), w.options.Tracer, e, prefix)
		if err != nil {
			t.Fatal(err)
		}
		end(nil)
		_, stop := w.start(featurizer(answer))
		defer stop()
		w.publish(r)
		w.settle()
		w.tree("nothing > retrain m", "retrain m > featurizer retrain-requested", "featurizer retrain-requested > send features-ready")
		if got := w.events(out)[0].TraceParent; !strings.Contains(got, w.span("retrain m").SpanContext().SpanID().String()) {
			t.Errorf("the origin is %s", got)
		}
	})
}

// What comes back from the retry topic is of the same trace; what is replayed, as a
// dead letter or long afterwards, begins one of its own that is linked.
func TestRetriesAreBelowAndReplaysAreLinked(t *testing.T) {
	const rounds = 2
	simulate(t, func(w *world) {
		w.options.Rounds = rounds
		r, end, err := stage.Request(t.Context(), w.options.Tracer, request("1"), prefix)
		if err != nil {
			t.Fatal(err)
		}
		end(nil)
		h, _ := failing(int64(inPlace*(1+rounds)+2), broken())
		_, stop := w.start(featurizer(h))
		defer stop()
		w.publish(r)
		w.pass(30 * time.Minute)
		root := w.span("retrain m").SpanContext()
		w.attempts(root, rounds)
		w.publish(w.redriven(w.count(dead, 1)[0])) // fails once more, in place
		w.pass(anInterval)
		again := w.record(request("1"))
		again.Headers = append(again.Headers, bus.Header{Key: "traceparent", Value: []byte(header(r, "traceparent"))})
		again.Time = time.Now().Add(-25 * time.Hour)
		w.publish(again)
		w.settle()
		linked := 0
		for _, s := range w.spans.Ended() {
			links := s.Links()
			if len(links) == 0 {
				continue
			}
			if linked++; s.Parent().IsValid() || s.SpanContext().TraceID() == root.TraceID() || len(links) != 1 || links[0].SpanContext.SpanID() != root.SpanID() {
				t.Errorf("%s is below %v, linked to %v", s.Name(), s.Parent(), links)
			}
		}
		if linked != 2 {
			t.Errorf("%d spans are linked, want that of the dead letter and that of the old record", linked)
		}
	})
}

// attempts checks the spans of an event that fails until it is given up: one for each
// time that it is read, with one below it for each later attempt in place and for
// what then became of it. Each says which attempt it is; all of them failed.
func (w *world) attempts(root trace.SpanContext, rounds int) {
	w.Helper()
	number := 0
	names := map[trace.SpanID]string{}
	var got, want []string
	for range 1 + rounds {
		for range inPlace {
			number++
			span := "featurizer retrain-requested > retry"
			if number%inPlace == 1 {
				span = "retrain m > featurizer retrain-requested"
			}
			want = append(want, fmt.Sprintf("%s: attempt %d, Error", span, number))
		}
	}
	for range rounds {
		want = append(want, "featurizer retrain-requested > put aside: attempt 0, Unset")
	}
	want = append(want, "featurizer retrain-requested > give up: attempt 0, Unset", " > retrain m: attempt 0, Unset")
	for _, s := range w.spans.Ended() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	for _, s := range w.spans.Ended() {
		if s.SpanContext().TraceID() != root.TraceID() || len(s.Links()) != 0 {
			w.Errorf("%s is of trace %s, linked to %v", s.Name(), s.SpanContext().TraceID(), s.Links())
		}
		got = append(got, fmt.Sprintf("%s > %s: attempt %d, %s",
			names[s.Parent().SpanID()], s.Name(), attributes(s)["churn.attempt"].AsInt64(), s.Status().Code))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Errorf("the spans are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// attributes are those of a span by key.
func attributes(s sdktrace.ReadOnlySpan) map[attribute.Key]attribute.Value {
	all := map[attribute.Key]attribute.Value{}
	for _, a := range s.Attributes() {
		all[a.Key] = a.Value
	}
	return all
}

// Spans are as OpenTelemetry's conventions for messaging have them, names and types.
func TestMessagingConventions(t *testing.T) {
	simulate(t, func(w *world) {
		r, end, err := stage.Request(t.Context(), w.options.Tracer, request("1"), prefix)
		if err != nil {
			t.Fatal(err)
		}
		end(nil)
		_, stop := w.start(featurizer(answer))
		defer stop()
		w.publish(garbage("x"), r)
		w.settle()
		for name, c := range map[string]struct {
			kind trace.SpanKind
			want map[attribute.Key]attribute.Value
		}{
			"retrain m": {trace.SpanKindProducer, map[attribute.Key]attribute.Value{
				"churn.run":                   attribute.StringValue(churn.RunID("1")),
				"cloudevents.event_id":        attribute.StringValue("1"),
				"messaging.system":            attribute.StringValue("kafka"),
				"messaging.operation.name":    attribute.StringValue("send"),
				"messaging.operation.type":    attribute.StringValue("send"),
				"messaging.destination.name":  attribute.StringValue(in),
				"messaging.kafka.message.key": attribute.StringValue("m"),
			}},
			"featurizer retrain-requested": {trace.SpanKindConsumer, map[attribute.Key]attribute.Value{
				"churn.run":                          attribute.StringValue(churn.RunID("1")),
				"churn.attempt":                      attribute.IntValue(1),
				"churn.retry.round":                  attribute.IntValue(0),
				"cloudevents.event_id":               attribute.StringValue("1"),
				"messaging.system":                   attribute.StringValue("kafka"),
				"messaging.operation.name":           attribute.StringValue("process"),
				"messaging.operation.type":           attribute.StringValue("process"),
				"messaging.consumer.group.name":      attribute.StringValue(group),
				"messaging.destination.name":         attribute.StringValue(in),
				"messaging.destination.partition.id": attribute.StringValue("0"),
				"messaging.kafka.offset":             attribute.IntValue(1),
				"messaging.kafka.message.key":        attribute.StringValue("m"),
			}},
			"send features-ready": {trace.SpanKindProducer, map[attribute.Key]attribute.Value{
				"messaging.system":              attribute.StringValue("kafka"),
				"messaging.operation.name":      attribute.StringValue("send"),
				"messaging.operation.type":      attribute.StringValue("send"),
				"messaging.destination.name":    attribute.StringValue(out),
				"messaging.batch.message_count": attribute.IntValue(2),
			}},
		} {
			span := w.span(name)
			if got := attributes(span); span.SpanKind() != c.kind || !maps.Equal(got, c.want) {
				t.Errorf("%s is a %s with %v", name, span.SpanKind(), got)
			}
		}
	})
}

// A stage by hand has no record: its trace is its own, with a link to the run's
// origin, and says nothing of a broker.
func TestByHandIsLinked(t *testing.T) {
	simulate(t, func(w *world) {
		e := request("1")
		origin := stage.Origin(e.Run())
		e.TraceParent = fmt.Sprintf("00-%s-%s-01", origin.TraceID(), origin.SpanID())
		if _, err := stage.Chain(stage.HandlerFunc(answer), stage.Trace(w.options.Tracer, churn.Featurizer, "")).Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		s := w.span("featurizer retrain-requested")
		if s.Parent().IsValid() || len(s.Links()) != 1 || !s.Links()[0].SpanContext.Equal(origin) || s.SpanContext().TraceID() == origin.TraceID() {
			t.Errorf("it is below %v, linked to %v", s.Parent(), s.Links())
		}
		if a := attributes(s); s.SpanKind() != trace.SpanKindInternal || a["messaging.system"].AsString() != "" || a["churn.run"].AsString() != e.Run() {
			t.Errorf("it is a %s with %v", s.SpanKind(), a)
		}
	})
}

// A failure that is told to the tracking server is told within the run's trace.
func TestFailedIsWithinTheTrace(t *testing.T) {
	simulate(t, func(w *world) {
		w.options.Failed = func(ctx context.Context, _ event.Event, _ *eventv1.RunFailed) error {
			_, end := obs.Span(ctx, "tell")
			end(nil)
			return nil
		}
		_, stop := w.start(featurizer(func(context.Context, event.Event) ([]event.Event, error) { return nil, invalid() }))
		defer stop()
		w.publish(w.record(request("1")))
		w.settle()
		w.tree("nothing > featurizer retrain-requested", "featurizer retrain-requested > give up", "give up > tell")
		if kind := attributes(w.span("featurizer retrain-requested"))["error.type"].AsString(); kind != "invalid" {
			t.Errorf("the error is of type %q", kind)
		}
	})
}

// The lines of a run say which run and which trace they are of, those of handlers,
// of panics, of retries and of dead letters, too.
func TestLogLinesSayOfWhat(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			stage.Logger(ctx).Info("from the handler")
			if deliveries := len(w.logs.FilterMessage("from the handler").All()); deliveries == 1 {
				panic("the first time")
			}
			return answer(ctx, e)
		}))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(anInterval)
		w.lines("from the handler", "panic", "attempt failed", "handled")
	})
	simulate(t, func(w *world) {
		w.options.Rounds = 1
		h, _ := failing(1000, broken())
		_, stop := w.start(featurizer(h))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(time.Hour)
		w.lines("attempt failed", "put aside", "given up")
	})
}

// lines checks that the log has lines of these messages, and that each line says of
// which event it is and of which of its spans.
func (w *world) lines(messages ...string) {
	w.Helper()
	spans := map[string]bool{}
	for _, s := range w.spans.Ended() {
		spans[s.SpanContext().SpanID().String()] = s.Name() == "featurizer retrain-requested"
	}
	seen := map[string]bool{}
	for _, line := range w.logs.All() {
		seen[line.Message] = true
		got := line.ContextMap()
		for field, want := range map[string]any{
			"service": "featurizer", "run": churn.RunID("1"), "event": "1", "topic": in, "partition": int64(0), "offset": int64(0),
			"trace_id": stage.Origin(churn.RunID("1")).TraceID().String(),
		} {
			if got[field] != want {
				w.Errorf("%s: %s is %v, want %v", line.Message, field, got[field], want)
			}
		}
		if id, _ := got["span_id"].(string); !spans[id] {
			w.Errorf("%s: the span %v is not one in which the event is handled", line.Message, got["span_id"])
		}
	}
	for _, message := range messages {
		if !seen[message] {
			w.Errorf("there is no line %q", message)
		}
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
