package stage

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage/fault"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Log is what a Runner needs of a bus.
type Log interface {
	bus.Publisher
	bus.Subscriber
}

// Options say what a stage runs on. Zero fields but Log and Store take the
// defaults noted.
type Options struct {
	Log    Log        // records in and out
	Store  blob.Store // finished work
	Prefix string     // of topics and groups

	Concurrency int           // partitions handled at a time; 4
	Timeout     time.Duration // for an attempt to make some progress; 15 min

	InPlace Backoff       // 6 attempts, from 100 ms; an Ordered stage's are unlimited
	Delay   time.Duration // in the retry topic, the same for every record; 15 s
	Rounds  int           // through the retry topic before the dead letter; 20; negative for none

	CancelEvery time.Duration // between two looks whether a run that is worked on is cancelled; 2 s

	// Failed is told of a run before its end by failure is published; it may be
	// told again. A part that it needs is waited for; its other errors are logged.
	Failed func(ctx context.Context, e event.Event, f *eventv1.RunFailed) error // none

	Logger  *zap.Logger          // none
	Tracer  trace.TracerProvider // none
	Metrics *Metrics             // unregistered ones
}

func (o Options) withDefaults(ordered bool) Options {
	setDefault(&o.Concurrency, 4)
	setDefault(&o.Timeout, 15*time.Minute)
	setDefault(&o.InPlace, Backoff{Attempts: 6, First: 100 * time.Millisecond, Longest: 5 * time.Second})
	if ordered {
		o.InPlace.Attempts = 0
	}
	setDefault(&o.Delay, 15*time.Second)
	setDefault(&o.Rounds, 20)
	setDefault(&o.CancelEvery, 2*time.Second)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(prometheus.Registerer(nil))
	}
	return o
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Runner runs one stage behind its consumer group. For each record it decodes,
// handles, publishes and only then lets the offset be committed.
type Runner struct {
	stage   Stage
	options Options
	handler Handler       // the stage's, with everything around it
	slots   chan struct{} // one for each record that is handled
	log     *zap.Logger
	stalled atomic.Pointer[error]
}

// NewRunner returns a runner of the stage.
func NewRunner(s Stage, o Options) *Runner {
	o = o.withDefaults(s.Ordered)
	r := &Runner{
		stage:   s,
		options: o,
		slots:   make(chan struct{}, o.Concurrency),
		log:     o.Logger.With(zap.String("service", string(s.Service))),
	}
	r.handler = Chain(s.Handler,
		o.Metrics.Observe(s.Service),
		Trace(o.Tracer, s.Service, r.group()),
		r.logged,
		Retry(o.InPlace, r.attemptFailed),
		Deadline(o.Timeout),
		Recover(),
		Publish(o.Log, o.Prefix, s.Service),
		Tables(s.Tables),
		Once(o.Store, s.Service),                  // before Validate: an id that is reused is not of the run
		Cancel(s, o.Store, o.CancelEvery, r.tell), // within Once: what was finished stays so
		Validate,
		Telemetry(o.Log, o.Prefix, s.Service),
	)
	return r
}

// Run consumes until ctx is done, and then returns nil. When a record can
// neither be handled nor put aside, it is not committed: Run pauses and
// subscribes again, for as long as it takes.
func (r *Runner) Run(ctx context.Context) error {
	go r.measureLag(ctx)
	again := Backoff{First: 500 * time.Millisecond, Longest: 30 * time.Second}
	for n := 1; ; n++ {
		start := time.Now()
		err := r.subscribe(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped, not failed
		}
		if time.Since(start) > again.Longest {
			n = 1
		}
		r.stalled.Store(&err)
		r.log.Error("stopped consuming: going on at the same record after a pause", zap.Error(err), zap.Int("time", n))
		if !sleep(ctx, again.pause(n)) {
			return nil
		}
	}
}

// Beside runs what the stage has running beside it until ctx is done, and then
// returns nil.
func (r *Runner) Beside(ctx context.Context, b bus.Bus) error {
	if r.stage.Beside == nil {
		return nil
	}
	return r.stage.Beside(ctx, b)
}

// Stalled returns the error that the stage cannot get past, or nil.
func (r *Runner) Stalled() error {
	if err := r.stalled.Load(); err != nil {
		return *err
	}
	return nil
}

func (r *Runner) subscribe(ctx context.Context) error {
	concurrency := r.options.Concurrency + 1 // one may wait in the retry topic without taking a slot
	return r.options.Log.Subscribe(ctx, r.group(), r.topics(), concurrency, r.record)
}

// topics are the names of those that the group reads.
func (r *Runner) topics() []string {
	topics := make([]string, len(r.stage.Topics))
	for i, t := range r.stage.Topics {
		topics[i] = t.Name(r.options.Prefix)
	}
	// An Ordered stage puts nothing into its retry topic, but people may: dead
	// letters, to be tried anew.
	return append(topics, r.retryTopic())
}

// Service returns the service whose stage it runs.
func (r *Runner) Service() churn.Service { return r.stage.Service }

func (r *Runner) group() string      { return Group(r.stage.Service, r.options.Prefix) }
func (r *Runner) retryTopic() string { return r.stage.Service.RetryTopic().Name(r.options.Prefix) }
func (r *Runner) deadLetterTopic() string {
	return r.stage.Service.DeadLetterTopic().Name(r.options.Prefix)
}

// record takes one record to its end. Nil means that it can be committed.
func (r *Runner) record(ctx context.Context, rec bus.Record) error {
	d := arrival(rec)
	if rec.Topic == r.retryTopic() {
		d = comeback(rec)
		if !sleep(ctx, min(time.Until(d.due), r.options.Delay)) {
			return ctx.Err()
		}
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.slots }()
	err := r.delivered(withDelivery(ctx, d), d)
	if err == nil || ctx.Err() != nil {
		r.stalled.Store(nil)
	}
	return err
}

func (r *Runner) delivered(ctx context.Context, d *delivery) error {
	e, err := r.decode(d.record)
	if err != nil {
		d.failed(time.Now())
		return r.giveUp(ctx, d, nil, err)
	}
	fault.Point(string(r.stage.Service) + ".received")
	start := time.Now()
	out, err := r.handler.Handle(ctx, e)
	switch {
	case err == nil:
		r.count(d, outcomeDone)
		r.options.Metrics.ends.published(out)
		r.eventLog(d, e).Info("handled", zap.Int("outputs", len(out)), zap.Duration("took", time.Since(start)))
		return nil
	case ctx.Err() != nil:
		return ctx.Err() // stopped or revoked: the record will be delivered again
	case permanent(err):
		return r.giveUp(ctx, d, &e, err)
	case d.rounds < r.options.Rounds:
		return r.putAside(ctx, d, e, err)
	}
	return r.giveUp(ctx, d, &e, err)
}

// decode returns the record's event, checked.
func (r *Runner) decode(rec bus.Record) (event.Event, error) {
	const op = "stage.decode"
	e, err := event.Decode(rec, r.options.Prefix)
	if err != nil {
		return e, err
	}
	if !slices.Contains(r.stage.Topics, e.Topic) {
		return e, churn.Errorf(op, churn.Invalid, "%.200q is not a topic that the %s reads", rec.Topic, r.stage.Service)
	}
	if id := churn.RunID(e.ID); e.Topic == churn.RetrainRequested && e.Run() != id {
		return e, churn.Errorf(op, churn.Invalid,
			"correlationid is %.200q: the run of a request follows from the request's id; leave it out", e.Correlation)
	}
	if e.TraceParent == "" {
		e.TraceParent = origin(e.Run())
	}
	return e, nil
}

// logged gives the handler its Logger.
func (r *Runner) logged(next Handler) Handler {
	return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
		return next.Handle(withLogger(ctx, r.eventLog(deliveryFrom(ctx), e)), e)
	})
}

// attemptFailed notes a failed attempt.
func (r *Runner) attemptFailed(ctx context.Context, e event.Event, err error) {
	if ctx.Err() != nil {
		return
	}
	if r.stage.Ordered || ofParts(err) {
		r.stalled.Store(&err) // until an attempt succeeds
	}
	d := deliveryFrom(ctx)
	d.failed(time.Now())
	kind := churn.KindOf(err).String()
	r.options.Metrics.retries.WithLabelValues(string(r.stage.Service), kind).Inc()
	trace.SpanFromContext(ctx).AddEvent("attempt failed", trace.WithAttributes(
		attemptKey.Int(d.attempts), semconv.ErrorTypeKey.String(kind), semconv.ExceptionMessage(message(err))))
	r.eventLog(d, e).Warn("attempt failed", zap.Int("attempt", d.attempts), zap.String("kind", kind), zap.Error(err))
}

// putAside sends the record to the retry topic.
func (r *Runner) putAside(ctx context.Context, d *delivery, e event.Event, why error) error {
	now := time.Now()
	ctx, end := r.after(ctx, d, "put aside", trace.WithSpanKind(trace.SpanKindProducer))
	err := r.options.Log.Publish(ctx, d.again(r.retryTopic(), now, now.Add(r.options.Delay)))
	end(err)
	if err != nil {
		return err
	}
	r.count(d, outcomeRetry)
	r.eventLog(d, e).Warn("put aside", zap.Int("round", d.rounds+1), zap.Duration("for", r.options.Delay), zap.Error(why))
	return nil
}

// giveUp ends the run, if the record is one of it, and keeps the record as a
// dead letter. Unless both are acknowledged the record is not committed.
func (r *Runner) giveUp(ctx context.Context, d *delivery, e *event.Event, why error) error {
	var ended []event.Event
	if e != nil && !r.stage.Observer && !isForeign(why) {
		ended = append(ended, r.failure(*e, why, d.attempts))
	}
	giving, given := r.after(ctx, d, "give up", trace.WithSpanKind(trace.SpanKindProducer))
	err := r.end(giving, d, e, ended, why)
	given(err)
	if err != nil {
		return err
	}
	kind := churn.KindOf(why).String()
	r.options.Metrics.ends.published(ended)
	r.count(d, outcomeFailed)
	r.options.Metrics.deadLetters.WithLabelValues(string(r.stage.Service), kind).Inc()
	log := r.recordLog(d)
	if e != nil {
		log = r.eventLog(d, *e)
	}
	log.Error("given up", zap.String("kind", kind), zap.Int("attempts", d.attempts), zap.String("error", message(why)))
	return nil
}

// failure returns what follows from giving up on an event.
func (r *Runner) failure(e event.Event, why error, attempts int) event.Event {
	return r.stage.inPlaceOf(runFailed(r.stage.Service, e, why, attempts), e)
}

// end publishes the dead letter, and the run's end if it has one.
func (r *Runner) end(ctx context.Context, d *delivery, e *event.Event, ended []event.Event, why error) error {
	records := []bus.Record{deadLetter(d, r.deadLetterTopic(), r.group(), why, time.Now())}
	for _, failure := range ended {
		if err := r.tell(ctx, *e, failure); err != nil {
			return err
		}
		end, err := event.Encode(failure, r.options.Prefix)
		if err != nil {
			return err
		}
		inject(ctx, &end)
		records = append(records, end)
	}
	return r.options.Log.Publish(ctx, records...)
}

// tell tells Failed of the run's end.
func (r *Runner) tell(ctx context.Context, e, end event.Event) error {
	failed, ok := end.Data.(*eventv1.RunFailed)
	if !ok || r.options.Failed == nil {
		return nil
	}
	err := r.options.Failed(ctx, e, failed)
	if err == nil || ofParts(err) {
		return err
	}
	r.eventLog(deliveryFrom(ctx), e).Warn("the failure of the run is not recorded", zap.Error(err))
	return nil
}

func (r *Runner) count(d *delivery, outcome string) {
	topic := d.record.Topic
	if !slices.ContainsFunc(r.stage.Topics, func(t churn.Topic) bool { return t.Name(r.options.Prefix) == topic }) {
		topic = "other" // a forged header must not make new time series
	}
	r.options.Metrics.events.WithLabelValues(string(r.stage.Service), topic, outcome).Inc()
}
