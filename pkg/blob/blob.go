// Package blob is what the pipeline needs of an object store: objects written
// once and verified whenever they are read.
package blob

import (
	"context"
	"io"
	"iter"

	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
)

// Artifact is a reference to an object, as events carry it.
type Artifact = artifactv1.Artifact

// MaxObject is the most bytes of an object: what S3 takes in one PUT.
const MaxObject = 5 << 30

// Store holds objects of one bucket. Keys are clean relative slash paths:
// implementations refuse anything else as Invalid.
type Store interface {
	// Put writes body under key unless an object is there (If-None-Match: *).
	// One that is there must have the same digest, or the error is a Conflict;
	// so a repeated Put is harmless. The digest travels with the upload and is
	// checked by the store.
	Put(ctx context.Context, key, mediaType string, body io.ReadSeeker) (*Artifact, error)

	// Get returns the object's bytes, verified against a's size and digest. An
	// object larger than limit, of another bucket, or with other bytes is an
	// Invalid error; one that is not there is NotFound.
	Get(ctx context.Context, a *Artifact, limit int64) ([]byte, error)

	// Open streams the object. Read fails with an Invalid error in place of
	// io.EOF if the bytes were not those of a. Without a digest in a nothing is
	// verified: for a dataset that a request names by URI alone.
	Open(ctx context.Context, a *Artifact) (io.ReadCloser, error)

	// Stat returns the artifact at key, or NotFound.
	Stat(ctx context.Context, key string) (*Artifact, error)

	// List yields the keys that start with prefix, in lexical order.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]

	// URI returns the s3:// URI of key in this store's bucket.
	URI(key string) string

	// Key returns the key of a URI of this store's bucket. Another bucket or
	// scheme, or an unclean path, is an Invalid error.
	Key(uri string) (string, error)

	// EnsureBucket creates the bucket if it is missing.
	EnsureBucket(ctx context.Context) error

	// Ping returns nil if the store answers and the bucket is there.
	Ping(ctx context.Context) error
}
