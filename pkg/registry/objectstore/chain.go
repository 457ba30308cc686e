package objectstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

const (
	mediaJSON = "application/json"
	// entryLimit bounds one entry in bytes.
	entryLimit = 1 << 20
	// fetches at a time when a chain is read for the first time.
	fetches = 16
)

// chain is a sequence of immutable objects prefix/0000000001.json,
// prefix/0000000002.json, … without a gap. An entry is appended by creating the
// next object if it is not there: that is the compare-and-swap.
type chain[T any] struct {
	store  blob.Store
	prefix string

	mu      sync.Mutex
	entries []T // known so far, never changed
}

func (c *chain[T]) key(n int) string { return fmt.Sprintf("%s/%010d.json", c.prefix, n) }

// load returns all entries, oldest first.
func (c *chain[T]) load(ctx context.Context) ([]T, error) {
	n, err := c.length(ctx)
	if err != nil {
		return nil, err
	}
	known := c.known()
	if n <= len(known) {
		return known, nil
	}
	entries := make([]T, n)
	copy(entries, known)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i := len(known); i < n; i++ {
		g.Go(func() (err error) {
			entries[i], err = c.read(ctx, i+1)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	c.remember(entries)
	return entries, nil
}

// length returns how many objects there are, having checked that none is
// missing between.
func (c *chain[T]) length(ctx context.Context) (int, error) {
	n := 0
	for key, err := range c.store.List(ctx, c.prefix+"/") {
		if err != nil {
			return 0, err
		}
		if n++; key != c.key(n) {
			return 0, churn.Errorf("objectstore.length", churn.Internal,
				"the registry is damaged: found %s where %s should be", c.store.URI(key), c.store.URI(c.key(n)))
		}
	}
	return n, nil
}

func (c *chain[T]) read(ctx context.Context, n int) (entry T, err error) {
	a, err := c.store.Stat(ctx, c.key(n))
	if err != nil {
		return entry, err
	}
	data, err := c.store.Get(ctx, a, entryLimit)
	if err != nil {
		return entry, err
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		return entry, churn.Errorf("objectstore.read", churn.Internal, "the registry is damaged: %s: %w", a.GetUri(), err)
	}
	return entry, nil
}

// create makes entry the n-th. The error is a Conflict if there is another.
func (c *chain[T]) create(ctx context.Context, n int, entry T) error {
	data, err := json.MarshalIndent(entry, "", "  ")
	if err != nil {
		return churn.E("objectstore.create", churn.Internal, err)
	}
	_, err = c.store.Put(ctx, c.key(n), mediaJSON, bytes.NewReader(append(data, '\n')))
	return err
}

func (c *chain[T]) known() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries
}

func (c *chain[T]) remember(entries []T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(entries) > len(c.entries) {
		c.entries = entries
	}
}
