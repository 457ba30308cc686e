package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Two contexts travel with an event. The plain traceparent header is that of the
// hop: the span that published the record. The event's own traceparent attribute
// is that of the run's origin, equal in every event of the run.

var propagator = propagation.TraceContext{}

// Trace makes a span for each event that is handled, below the span that
// published it or, where there is none, the run's origin.
func Trace(tp trace.TracerProvider, s churn.Service) Middleware {
	tracer := tp.Tracer("github.com/asfotec/churn/pkg/stage")
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			d := deliveryFrom(ctx)
			ctx, span := tracer.Start(parent(ctx, d.record, e), string(s)+" "+string(e.Topic),
				trace.WithSpanKind(trace.SpanKindConsumer),
				trace.WithAttributes(
					attribute.String("churn.run", e.Run()),
					attribute.String("cloudevents.event_id", e.ID),
					attribute.String("messaging.destination.name", d.record.Topic),
					attribute.Int("messaging.destination.partition.id", d.record.Partition),
					attribute.Int64("messaging.kafka.offset", d.record.Offset),
				))
			defer span.End()
			d.span = span.SpanContext()
			out, err := next.Handle(ctx, e)
			if err != nil {
				span.RecordError(err)
				span.SetStatus(codes.Error, churn.KindOf(err).String())
			}
			return out, err
		})
	}
}

// parent returns a context with the span that e follows from.
func parent(ctx context.Context, r bus.Record, e event.Event) context.Context {
	for _, tp := range []string{headerMap(r.Headers)["traceparent"], e.TraceParent} {
		c := propagator.Extract(ctx, propagation.MapCarrier{"traceparent": tp})
		if trace.SpanContextFromContext(c).IsValid() {
			return c
		}
	}
	return ctx
}

// inject adds the context of the hop to a record.
func inject(ctx context.Context, r *bus.Record) {
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	if tp := carrier.Get("traceparent"); tp != "" {
		r.Headers = append(r.Headers, textHeader("traceparent", tp))
	}
}

// origin returns the trace context of a run whose request came without one. It
// follows from the run's id, so that the run's events are the same wherever and
// whenever they are made.
func origin(run string) string {
	sum := sha256.Sum256([]byte("origin of run " + run))
	id, err := hex.DecodeString(strings.ReplaceAll(run, "-", ""))
	if err != nil || len(id) != 16 || !trace.TraceID(id).IsValid() {
		id = sum[8:24]
	}
	return "00-" + hex.EncodeToString(id) + "-" + hex.EncodeToString(sum[:8]) + "-01"
}

// traceID returns the id of the run's trace, for the log.
func traceID(e event.Event) string {
	if parts := strings.Split(e.TraceParent, "-"); len(parts) == 4 {
		return parts[1]
	}
	return ""
}
