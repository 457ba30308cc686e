package stage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/stage"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const prefix = "test."

// The topics of the stage under test.
var (
	in         = churn.RetrainRequested.Name(prefix)
	out        = churn.FeaturesReady.Name(prefix)
	failures   = churn.RunFailed.Name(prefix)
	progress   = churn.RunProgress.Name(prefix)
	retry      = churn.Featurizer.RetryTopic().Name(prefix)
	dead       = churn.Featurizer.DeadLetterTopic().Name(prefix)
	group      = stage.Group(churn.Featurizer, prefix)
	inPlace    = 6 // attempts, by default
	delay      = 15 * time.Second
	rounds     = 20
	anInterval = time.Minute // long enough for everything in place
)

// world is what a stage runs on, on a clock of its own: the defaults of the
// runtime are tested in no time.
type world struct {
	*testing.T
	log     *memLog
	store   *memory.Store
	metrics *prometheus.Registry
	spans   *tracetest.SpanRecorder
	logs    *observer.ObservedLogs
	options stage.Options
}

func simulate(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		w := &world{T: t, log: newLog(), store: memory.New("churn"), metrics: prometheus.NewRegistry(), spans: tracetest.NewSpanRecorder(), logs: logs}
		w.options = stage.Options{
			Log: w.log, Store: w.store, Prefix: prefix, Logger: zap.New(core), Metrics: stage.NewMetrics(w.metrics),
			Tracer: obs.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)),
		}
		f(w)
	})
}

// start runs the stage until stop, which checks that it ended well.
func (w *world) start(s stage.Stage) (r *stage.Runner, stop func()) {
	r = stage.NewRunner(s, w.options)
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return r, func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("Run: %v", err)
		}
	}
}

// featurizer is a stage around a handler.
func featurizer(h stage.HandlerFunc) stage.Stage {
	return stage.Stage{Service: churn.Featurizer, Topics: []churn.Topic{churn.RetrainRequested}, Handler: h}
}

// answer is what the handlers of these tests do.
func answer(_ context.Context, e event.Event) ([]event.Event, error) {
	var replies []event.Event
	for i := range 2 {
		replies = append(replies, e.Reply(churn.Featurizer, churn.FeaturesReady, i, e.Run(), &eventv1.FeaturesReady{Trial: int32(i), Trials: 2}))
	}
	return replies, nil
}

// failing answers with an error until the n-th attempt.
func failing(n int64, err error) (h stage.HandlerFunc, attempts *atomic.Int64) {
	attempts = new(atomic.Int64)
	return func(ctx context.Context, e event.Event) ([]event.Event, error) {
		if attempts.Add(1) < n {
			return nil, err
		}
		return answer(ctx, e)
	}, attempts
}

func transient() error { return churn.Errorf("test.Do", churn.Transient, "the part is away") }
func broken() error    { return churn.Errorf("test.Do", churn.Internal, "the handler does not get on") }
func invalid() error   { return churn.Errorf("test.Do", churn.Invalid, "line 4: change it") }

// request is a request's event.
func request(id string) event.Event {
	return event.Event{
		Topic: churn.RetrainRequested, Key: "m", ID: id, Source: "/test", Type: churn.RetrainRequested.Type(),
		Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		Data: &eventv1.RetrainRequested{Model: "m", Dataset: &artifactv1.Artifact{Uri: "s3://churn/d.csv"}},
	}
}

// record is a request's record, with headers of its producer's own.
func (w *world) record(e event.Event) bus.Record {
	w.Helper()
	r, err := event.Encode(e, prefix)
	if err != nil {
		w.Fatal(err)
	}
	r.Headers = append(r.Headers, bus.Header{Key: "other", Value: []byte{0, 255}}, bus.Header{Key: "retry_count", Value: []byte("mine")})
	return r
}

// garbage is no event.
func garbage(value string) bus.Record {
	return bus.Record{Topic: in, Key: []byte("\xffkey"), Value: []byte(value), Headers: []bus.Header{{Key: "ce_type", Value: []byte("nonsense")}, {Key: "empty"}}}
}

func (w *world) publish(records ...bus.Record) {
	w.Helper()
	if err := w.log.Publish(w.Context(), records...); err != nil {
		w.Fatal(err)
	}
}

// events returns a topic's events.
func (w *world) events(topic string) []event.Event {
	w.Helper()
	var events []event.Event
	for _, r := range w.log.records(topic) {
		e, err := event.Decode(r, prefix)
		if err != nil {
			w.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// count fails the test unless the topic has n records.
func (w *world) count(topic string, n int) []bus.Record {
	w.Helper()
	records := w.log.records(topic)
	if len(records) != n {
		w.Fatalf("%s has %d records, not %d", topic, len(records), n)
	}
	return records
}

// committed fails the test unless the group has committed n records of the
// topic.
func (w *world) committed(topic string, n int64) {
	w.Helper()
	if got := w.log.at(group, topic); got != n {
		w.Fatalf("%d records of %s are committed, not %d", got, topic, n)
	}
}

// settle lets everything happen that happens without a pause.
func (w *world) settle() { synctest.Wait() }

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func header(r bus.Record, key string) string {
	value := ""
	for _, h := range r.Headers {
		if h.Key == key {
			value = string(h.Value)
		}
	}
	return value
}

// untouched fails the test unless copied is the original with headers added.
func (w *world) untouched(copied, original bus.Record) {
	w.Helper()
	n := len(original.Headers)
	if string(copied.Key) != string(original.Key) || string(copied.Value) != string(original.Value) ||
		(copied.Value == nil) != (original.Value == nil) || len(copied.Headers) < n ||
		!slices.EqualFunc(copied.Headers[:n], original.Headers, func(a, b bus.Header) bool {
			return a.Key == b.Key && string(a.Value) == string(b.Value)
		}) {
		w.Errorf("the original\n%+v\nhas become\n%+v", original, copied)
	}
}

// headers fails the test unless the record's headers are as wanted; "*" is
// anything.
func (w *world) headers(r bus.Record, want map[string]string) {
	w.Helper()
	for key, value := range want {
		if got := header(r, key); got != value && (value != "*" || got == "") {
			w.Errorf("header %s is %q, not %q", key, got, value)
		}
	}
}

// series returns the value of every metric as name{labels}.
func (w *world) series() map[string]float64 {
	w.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}
