package stage_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/blob/traced"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/stage"
)

// What an event costs that asks ten times for an object in memory: without traces,
// with those that nobody collects, and recorded.
func BenchmarkTrace(b *testing.B) {
	plain := memory.New("churn")
	asking := func(s blob.Store) stage.Handler {
		return stage.HandlerFunc(func(ctx context.Context, _ event.Event) ([]event.Event, error) {
			for range 10 {
				_, _ = s.Stat(ctx, "runs/r/s/name")
			}
			return nil, nil
		})
	}
	around := func(tp trace.TracerProvider) stage.Handler {
		return stage.Chain(asking(traced.New(plain)), stage.Trace(tp, churn.Featurizer, "group"))
	}
	for name, h := range map[string]stage.Handler{
		"without":  asking(plain),
		"off":      around(noop.NewTracerProvider()),
		"recorded": around(obs.NewTracerProvider()),
	} {
		b.Run(name, func(b *testing.B) {
			e := request("1")
			for b.Loop() {
				if _, err := h.Handle(b.Context(), e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
