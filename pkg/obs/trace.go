package obs

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
)

// newTracer returns a provider that exports to the collector, or one that does
// nothing, and what hands over the spans that are waiting.
func newTracer(ctx context.Context, c Config, log *zap.Logger) (trace.TracerProvider, func(context.Context) error, error) {
	if c.Endpoint == "" {
		return noop.NewTracerProvider(), func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint+"/v1/traces"))
	if err != nil {
		return nil, nil, err
	}
	otel.SetErrorHandler(quiet(log))
	p := NewTracerProvider(
		sdktrace.WithBatcher(exportable{exporter}),
		sdktrace.WithResource(resource.NewSchemaless(
			semconv.ServiceName(c.Service),
			semconv.ServiceVersion(c.Version),
		)),
	)
	return p, p.Shutdown, nil
}

// NewTracerProvider returns a provider whose root spans have the identity that
// WithIdentity gives them.
func NewTracerProvider(options ...sdktrace.TracerProviderOption) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(append(options, sdktrace.WithIDGenerator(identities{}))...)
}

// quiet says once that the collector is away.
func quiet(log *zap.Logger) otel.ErrorHandler {
	var once sync.Once
	return otel.ErrorHandlerFunc(func(err error) {
		once.Do(func() { log.Warn("traces are not exported (OTEL_EXPORTER_OTLP_ENDPOINT)", zap.Error(err)) })
	})
}
