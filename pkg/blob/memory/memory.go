// Package memory is an object store in memory, for tests of what uses one.
package memory

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

// Store is a blob.Store in memory. It is safe for concurrent use.
type Store struct {
	bucket  string
	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	data     []byte
	artifact *blob.Artifact
}

var _ blob.Store = (*Store)(nil)

// New returns an empty store of the named bucket.
func New(bucket string) *Store {
	return &Store{bucket: bucket, objects: map[string]object{}}
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key, mediaType string, body io.ReadSeeker) (*blob.Artifact, error) {
	const op = "memory.Put"
	if err := blob.CheckKey(op, key); err != nil {
		return nil, err
	}
	size, sum, err := blob.Digest(body)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, churn.E(op, churn.Transient, err)
	}
	a := &blob.Artifact{Uri: s.URI(key), Sha256: sum, Size: size, MediaType: mediaType}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.objects[key]; ok && old.artifact.GetSha256() != sum {
		return nil, churn.Errorf(op, churn.Conflict, "%s is there already with SHA-256 %s, not %s",
			a.GetUri(), old.artifact.GetSha256(), sum)
	}
	s.objects[key] = object{data: data, artifact: a}
	return clone(a), nil
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, a *blob.Artifact, limit int64) ([]byte, error) {
	const op = "memory.Get"
	if err := blob.CheckGet(op, a, limit); err != nil {
		return nil, err
	}
	body, err := s.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return blob.ReadAll(op, a, body, limit)
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, a *blob.Artifact) (io.ReadCloser, error) {
	const op = "memory.Open"
	key, err := s.Key(a.GetUri())
	if err != nil {
		return nil, err
	}
	o, err := s.object(ctx, op, key)
	if err != nil {
		return nil, err
	}
	return blob.Verify(op, a, io.NopCloser(bytes.NewReader(o.data))), nil
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, key string) (*blob.Artifact, error) {
	const op = "memory.Stat"
	if err := blob.CheckKey(op, key); err != nil {
		return nil, err
	}
	o, err := s.object(ctx, op, key)
	if err != nil {
		return nil, err
	}
	return clone(o.artifact), nil
}

func (s *Store) object(ctx context.Context, op, key string) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, churn.E(op, churn.Transient, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return object{}, churn.Errorf(op, churn.NotFound, "there is no object %s", s.URI(key))
	}
	return o, nil
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s.mu.Lock()
		keys := slices.Sorted(maps.Keys(s.objects))
		s.mu.Unlock()
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				yield("", churn.E("memory.List", churn.Transient, err))
				return
			}
			if strings.HasPrefix(key, prefix) && !yield(key, nil) {
				return
			}
		}
	}
}

// URI implements blob.Store.
func (s *Store) URI(key string) string { return blob.URI(s.bucket, key) }

// Key implements blob.Store.
func (s *Store) Key(uri string) (string, error) { return blob.ParseURI("memory.Key", s.bucket, uri) }

// EnsureBucket implements blob.Store.
func (s *Store) EnsureBucket(context.Context) error { return nil }

// Ping implements blob.Store.
func (s *Store) Ping(context.Context) error { return nil }

// Corrupt replaces the bytes at key and leaves their digest as it was: what a
// damaged or tampered store would serve.
func (s *Store) Corrupt(key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	o.data = bytes.Clone(data)
	s.objects[key] = o
}

func clone(a *blob.Artifact) *blob.Artifact {
	return &blob.Artifact{Uri: a.GetUri(), Sha256: a.GetSha256(), Size: a.GetSize(), MediaType: a.GetMediaType()}
}
