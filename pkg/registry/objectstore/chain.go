package objectstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
//
// Whatever is not such a sequence is damage: an Internal error that names the
// object. It is for people to mend, and never the fault of an event.
type chain[T any] struct {
	store  blob.Store
	prefix string
	isNth  func(entry T, n int64) bool // what the entry says of itself

	mu      sync.Mutex
	entries []T // known so far, never changed
}

func (c *chain[T]) key(n int) string { return fmt.Sprintf("%s/%010d.json", c.prefix, n) }

// load returns all entries, oldest first.
func (c *chain[T]) load(ctx context.Context) ([]T, error) {
	known := c.known() // before the listing, which therefore has all of them
	n, err := c.length(ctx)
	if err != nil {
		return nil, err
	}
	if n < len(known) {
		return nil, c.damaged(n+1, errors.New("it was there and is gone"))
	}
	if n == len(known) {
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
			return 0, c.damaged(n, fmt.Errorf("%s is in its place", c.store.URI(key)))
		}
	}
	return n, nil
}

// read returns the n-th entry, which has been listed.
func (c *chain[T]) read(ctx context.Context, n int) (entry T, err error) {
	data, err := c.get(ctx, n)
	switch {
	case churn.IsKind(err, churn.NotFound), churn.IsKind(err, churn.Invalid):
		return entry, c.damaged(n, err)
	case err != nil:
		return entry, err
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		return entry, c.damaged(n, err)
	}
	if !c.isNth(entry, int64(n)) {
		return entry, c.damaged(n, errors.New("its content is not what belongs there"))
	}
	return entry, nil
}

func (c *chain[T]) get(ctx context.Context, n int) ([]byte, error) {
	a, err := c.store.Stat(ctx, c.key(n))
	if err != nil {
		return nil, err
	}
	return c.store.Get(ctx, a, entryLimit)
}

func (c *chain[T]) damaged(n int, why error) error {
	return churn.Errorf("objectstore.chain", churn.Internal, "the registry is damaged at %s: %w", c.store.URI(c.key(n)), why)
}

// create makes entry the n-th. The error is a Conflict if there is another.
func (c *chain[T]) create(ctx context.Context, n int, entry T) error {
	const op = "objectstore.create"
	data, err := json.MarshalIndent(entry, "", "  ")
	if err != nil {
		return churn.E(op, churn.Internal, err)
	}
	if data = append(data, '\n'); len(data) > entryLimit { // could not be read back
		return churn.Errorf(op, churn.Invalid, "an entry of %d bytes for %s: at most %d are allowed", len(data), c.prefix, entryLimit)
	}
	_, err = c.store.Put(ctx, c.key(n), mediaJSON, bytes.NewReader(data))
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
