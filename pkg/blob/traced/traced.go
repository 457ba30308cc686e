// Package traced makes a span for each object that is read or written, below the
// one in the caller's context.
package traced

import (
	"context"
	"io"
	"iter"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/obs"
)

// Store is a blob.Store whose calls are traced.
type Store struct{ blob.Store }

// New returns the store, traced.
func New(s blob.Store) Store { return Store{s} }

func span(ctx context.Context, operation, object string) (context.Context, func(error)) {
	return obs.Span(ctx, "store."+operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("churn.object", object)))
}

// expected drops the error that is an answer: an object that is not there.
func expected(err error) error {
	if churn.IsKind(err, churn.NotFound) {
		return nil
	}
	return err
}

// Put implements blob.Store.
func (s Store) Put(ctx context.Context, key, mediaType string, body io.ReadSeeker) (*blob.Artifact, error) {
	ctx, end := span(ctx, "Put", key)
	a, err := s.Store.Put(ctx, key, mediaType, body)
	end(err)
	return a, err
}

// Get implements blob.Store.
func (s Store) Get(ctx context.Context, a *blob.Artifact, limit int64) ([]byte, error) {
	ctx, end := span(ctx, "Get", a.GetUri())
	data, err := s.Store.Get(ctx, a, limit)
	end(err)
	return data, err
}

// Open implements blob.Store. The span ends when the object is closed.
func (s Store) Open(ctx context.Context, a *blob.Artifact) (io.ReadCloser, error) {
	ctx, end := span(ctx, "Open", a.GetUri())
	body, err := s.Store.Open(ctx, a)
	if err != nil {
		end(err)
		return nil, err
	}
	return &reading{body, end}, nil
}

// reading is an object that is being read.
type reading struct {
	io.ReadCloser

	end func(error)
}

func (r *reading) Close() error {
	err := r.ReadCloser.Close()
	r.end(err)
	return err
}

// Stat implements blob.Store.
func (s Store) Stat(ctx context.Context, key string) (*blob.Artifact, error) {
	ctx, end := span(ctx, "Stat", key)
	a, err := s.Store.Stat(ctx, key)
	end(expected(err))
	return a, err
}

// List implements blob.Store.
func (s Store) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, end := span(ctx, "List", prefix)
		var failed error
		defer func() { end(failed) }()
		for key, err := range s.Store.List(ctx, prefix) {
			failed = err
			if !yield(key, err) {
				return
			}
		}
	}
}
