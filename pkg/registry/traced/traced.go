// Package traced makes a span for each call of a registry and a tracker, below the
// one in the caller's context.
package traced

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/registry"
)

func span(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, func(error)) {
	return obs.Span(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
}

// Registry is a registry.Registry whose changes, and the question for the
// champion, are traced.
type Registry struct{ registry.Registry }

// Register implements registry.Registry.
func (r Registry) Register(ctx context.Context, v registry.Version) (registry.Version, error) {
	ctx, end := span(ctx, "registry.Register", attribute.String("churn.model", v.Model))
	v, err := r.Registry.Register(ctx, v)
	end(err)
	return v, err
}

// Promote implements registry.Registry.
func (r Registry) Promote(ctx context.Context, c registry.Champion, expected int64) (registry.Champion, error) {
	ctx, end := span(ctx, "registry.Promote", attribute.String("churn.model", c.Model), attribute.Int64("churn.version", c.Version))
	c, err := r.Registry.Promote(ctx, c, expected)
	end(err)
	return c, err
}

// Champion implements registry.Registry.
func (r Registry) Champion(ctx context.Context, model, stage string) (registry.Champion, error) {
	ctx, end := span(ctx, "registry.Champion", attribute.String("churn.model", model))
	c, err := r.Registry.Champion(ctx, model, stage)
	if churn.IsKind(err, churn.NotFound) { // an answer, too
		end(nil)
	} else {
		end(err)
	}
	return c, err
}

// Tracker is a registry.Tracker that is traced.
type Tracker struct{ registry.Tracker }

// Track implements registry.Tracker.
func (t Tracker) Track(ctx context.Context, r registry.Run, e registry.Entry) (string, error) {
	ctx, end := span(ctx, "tracker.Track", attribute.String("churn.run", r.Run), attribute.String("churn.entry", e.Stage))
	id, err := t.Tracker.Track(ctx, r, e)
	end(err)
	return id, err
}
