package obs

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/churn"
)

// Scope is the instrumentation scope of all spans.
const Scope = "github.com/asfotec/churn"

// Span starts a span below the one in ctx, and returns how it ends: with the
// error that it came to, or nil. Where nothing is traced it does nothing.
func Span(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, func(error)) {
	above := trace.SpanFromContext(ctx)
	if !above.IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := above.TracerProvider().Tracer(Scope).Start(ctx, name, options...)
	return ctx, func(err error) { End(span, err) }
}

// End ends the span with the error that it came to, or nil.
func End(span trace.Span, err error) {
	if err != nil {
		kind := churn.KindOf(err).String()
		span.RecordError(err)
		span.SetAttributes(semconv.ErrorTypeKey.String(kind))
		span.SetStatus(codes.Error, kind)
	}
	span.End()
}
