package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/obs"
)

// Two contexts travel with an event. The plain traceparent header is that of the
// hop: the span that published the record. The event's own traceparent attribute
// is that of the run's origin, equal in every event of the run.

var propagator = propagation.TraceContext{}

// replayAge is how old a record is that is not handled as part of its run, but
// anew: the run's trace is long over. A run that waits for a trainer overnight, or
// for a service that is started again, is still one trace.
const replayAge = 24 * time.Hour

// Trace makes a span for each event that is handled. It is below the span that
// published the event; where nothing has said that there is one, it is the run's
// first. An event that is replayed (a dead letter that is tried anew, an old record,
// or a stage by hand) begins a trace of its own with a link to the span that
// published it.
func Trace(tp trace.TracerProvider, s churn.Service, group string) Middleware {
	tracer := tp.Tracer(obs.Scope)
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			d := deliveryFrom(ctx)
			ctx, options := place(ctx, d, e)
			ctx, span := tracer.Start(ctx, string(s)+" "+string(e.Topic),
				append(options, trace.WithAttributes(processing(d, e, group)...))...)
			d.span = span.SpanContext()
			out, err := next.Handle(ctx, e)
			obs.End(span, err)
			return out, err
		})
	}
}

// place returns where the span of e belongs: a context with what it is below, links,
// and the span's kind.
func place(ctx context.Context, d *delivery, e event.Event) (context.Context, []trace.SpanStartOption) {
	hop := remote(headerMap(d.record.Headers)["traceparent"])
	first := remote(e.TraceParent)
	above := hop
	if !hop.IsValid() {
		above = first
	}
	consumer := trace.WithSpanKind(trace.SpanKindConsumer)
	linked := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: above})}
	switch {
	case d.byHand():
		return ctx, linked
	case d.redriven || time.Since(d.record.Time) > replayAge:
		return ctx, append(linked, consumer)
	case !hop.IsValid() && first.Equal(Origin(e.Run())) && d.rounds == 0: // nobody else begins it
		return obs.WithIdentity(ctx, first), []trace.SpanStartOption{trace.WithNewRoot(), consumer}
	}
	return trace.ContextWithRemoteSpanContext(ctx, above), []trace.SpanStartOption{consumer}
}

// after starts a span for what is done about an event once its handler has returned:
// below the span in which it was handled. Without one it does nothing.
func (r *Runner) after(ctx context.Context, d *delivery, name string, options ...trace.SpanStartOption) (context.Context, func(error)) {
	if !d.span.IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := r.options.Tracer.Tracer(obs.Scope).Start(trace.ContextWithSpanContext(ctx, d.span), name, options...)
	return ctx, func(err error) { obs.End(span, err) }
}

// remote returns the span that a traceparent names; one that names none is not
// valid.
func remote(traceparent string) trace.SpanContext {
	ctx := propagator.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return trace.SpanContextFromContext(ctx)
}

// inject adds the context of the hop to a record.
func inject(ctx context.Context, r *bus.Record) {
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	if tp := carrier.Get("traceparent"); tp != "" {
		r.Headers = append(r.Headers, textHeader("traceparent", tp))
	}
}

// Origin returns the first span of a run whose request came without a trace. It
// follows from the run's id, so that the run's events are the same wherever and
// whenever they are made.
func Origin(run string) trace.SpanContext { return remote(origin(run)) }

// origin returns the Origin as a traceparent.
func origin(run string) string {
	sum := sha256.Sum256([]byte("origin of run " + run))
	id, err := hex.DecodeString(strings.ReplaceAll(run, "-", ""))
	if err != nil || len(id) != 16 || !trace.TraceID(id).IsValid() {
		id = sum[8:24]
	}
	return "00-" + hex.EncodeToString(id) + "-" + hex.EncodeToString(sum[:8]) + "-01"
}

// Request begins the trace of a run that is about to be requested, and returns the
// request's record with it. The span is over when end is called.
func Request(ctx context.Context, tp trace.TracerProvider, e event.Event, prefix string) (r bus.Record, end func(error), err error) {
	if r, err = event.Encode(e, prefix); err != nil {
		return r, nil, err
	}
	ctx, span := tp.Tracer(obs.Scope).Start(obs.WithIdentity(ctx, Origin(e.Run())), strings.TrimSuffix(string(e.Topic), "-requested")+" "+e.Key, //nolint:contextcheck // Origin only parses
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.String("churn.run", e.Run()), semconv.CloudEventsEventID(e.ID)),
		trace.WithAttributes(sending(prefix, e)...))
	inject(ctx, &r)
	return r, func(err error) { obs.End(span, err) }, nil
}
