package obs

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

type identityKey struct{}

// WithIdentity returns a context in which a root span is the one named: a run's
// first span has ids that follow from the run's id, so that what is below it knows
// them without having been told.
func WithIdentity(ctx context.Context, root trace.SpanContext) context.Context {
	return context.WithValue(ctx, identityKey{}, root)
}

// identities gives a root span the ids of its context, and any other random ones.
type identities struct{}

// NewIDs implements sdktrace.IDGenerator.
func (i identities) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if root, ok := ctx.Value(identityKey{}).(trace.SpanContext); ok && root.IsValid() {
		return root.TraceID(), root.SpanID()
	}
	var id trace.TraceID
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id, i.NewSpanID(ctx, id)
}

// NewSpanID implements sdktrace.IDGenerator.
func (identities) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
