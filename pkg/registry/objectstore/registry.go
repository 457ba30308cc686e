// Package objectstore keeps the model registry and the record of runs in the
// artifact store itself: nothing else is needed to run the pipeline.
//
// Versions and changes of champion are chains of immutable objects:
//
//	registry/<model>/versions/0000000001.json
//	registry/<model>/<stage>/0000000001.json
//	tracking/<experiment>/<run>/<stage>.json
//
// The next object of a chain is created if it is not there (If-None-Match: *).
// That is the compare-and-swap: of all who create generation 8, one succeeds.
package objectstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

const (
	root     = "registry"
	versions = "versions" // not a stage's name
)

// Registry is a registry.Registry in an object store. It is safe for concurrent
// use, by any number of processes.
type Registry struct {
	store blob.Store

	mu        sync.Mutex
	versions  map[string]*chain[registry.Version]
	champions map[string]*chain[registry.Champion]
}

var _ registry.Registry = (*Registry)(nil)

// New returns the registry in the store.
func New(store blob.Store) *Registry {
	return &Registry{
		store:     store,
		versions:  map[string]*chain[registry.Version]{},
		champions: map[string]*chain[registry.Champion]{},
	}
}

// Register implements registry.Registry.
func (r *Registry) Register(ctx context.Context, v registry.Version) (registry.Version, error) {
	const op = "objectstore.Register"
	if err := errors.Join(checkName(op, "model", v.Model), checkName(op, "run", v.Run)); err != nil {
		return registry.Version{}, err
	}
	c := r.versionsOf(v.Model)
	for {
		all, err := c.load(ctx)
		if err != nil {
			return registry.Version{}, err
		}
		if i := slices.IndexFunc(all, func(o registry.Version) bool { return o.Run == v.Run }); i >= 0 {
			return all[i], nil
		}
		v.Version = int64(len(all)) + 1
		err = c.create(ctx, len(all)+1, v)
		if err == nil {
			return v, nil
		}
		if !churn.IsKind(err, churn.Conflict) { // else another version took the number
			return registry.Version{}, err
		}
	}
}

// Promote implements registry.Registry.
func (r *Registry) Promote(ctx context.Context, p registry.Champion, expected int64) (registry.Champion, error) {
	const op = "objectstore.Promote"
	if err := errors.Join(checkStage(op, p.Model, p.Stage), checkName(op, "run", p.Run), checkCause(op, p.Cause)); err != nil {
		return registry.Champion{}, err
	}
	if _, err := r.Version(ctx, p.Model, p.Version); err != nil {
		return registry.Champion{}, err
	}
	c := r.championsOf(p.Model, p.Stage)
	for {
		all, err := c.load(ctx)
		if err != nil {
			return registry.Champion{}, err
		}
		if earlier, ok := causedBy(all, p.Cause); ok {
			return earlier, nil
		}
		if int64(len(all)) != expected {
			return registry.Champion{}, churn.Errorf(op, churn.Conflict,
				"%s of %s is at generation %d, not %d: another version was promoted", p.Stage, p.Model, len(all), expected)
		}
		p.Generation, p.Previous = expected+1, 0
		if expected > 0 {
			p.Previous = all[expected-1].Version
		}
		err = c.create(ctx, len(all)+1, p)
		if err == nil {
			return p, nil
		}
		if !churn.IsKind(err, churn.Conflict) { // else another promotion was first: look whose
			return registry.Champion{}, err
		}
	}
}

func causedBy(all []registry.Champion, cause string) (registry.Champion, bool) {
	i := slices.IndexFunc(all, func(c registry.Champion) bool { return c.Cause == cause })
	if i < 0 {
		return registry.Champion{}, false
	}
	return all[i], true
}

// Champion implements registry.Registry.
func (r *Registry) Champion(ctx context.Context, model, stage string) (registry.Champion, error) {
	all, err := r.History(ctx, model, stage)
	if err != nil {
		return registry.Champion{}, err
	}
	if len(all) == 0 {
		return registry.Champion{}, churn.Errorf("objectstore.Champion", churn.NotFound, "%s has no version in %s", model, stage)
	}
	return all[len(all)-1], nil
}

// Version implements registry.Registry.
func (r *Registry) Version(ctx context.Context, model string, version int64) (registry.Version, error) {
	all, err := r.Versions(ctx, model)
	if err != nil {
		return registry.Version{}, err
	}
	if version < 1 || version > int64(len(all)) {
		return registry.Version{}, churn.Errorf("objectstore.Version", churn.NotFound, "%s has no version %d", model, version)
	}
	return all[version-1], nil
}

// Versions implements registry.Registry.
func (r *Registry) Versions(ctx context.Context, model string) ([]registry.Version, error) {
	if err := checkName("objectstore.Versions", "model", model); err != nil {
		return nil, err
	}
	all, err := r.versionsOf(model).load(ctx)
	return slices.Clone(all), err
}

// History implements registry.Registry.
func (r *Registry) History(ctx context.Context, model, stage string) ([]registry.Champion, error) {
	if err := checkStage("objectstore.History", model, stage); err != nil {
		return nil, err
	}
	all, err := r.championsOf(model, stage).load(ctx)
	return slices.Clone(all), err
}

// Models implements registry.Registry.
func (r *Registry) Models(ctx context.Context) ([]string, error) {
	var models []string
	for key, err := range r.store.List(ctx, root+"/") {
		if err != nil {
			return nil, err
		}
		if parts := strings.Split(key, "/"); len(parts) == 4 && parts[2] == versions {
			models = append(models, parts[1])
		}
	}
	slices.Sort(models)
	return slices.Compact(models), nil
}

// Ping implements registry.Registry.
func (r *Registry) Ping(ctx context.Context) error { return r.store.Ping(ctx) }

func (r *Registry) versionsOf(model string) *chain[registry.Version] {
	return chainOf(r, r.versions, root+"/"+model+"/"+versions, func(v registry.Version, n int64) bool {
		return v.Version == n && v.Model == model && v.Run != ""
	})
}

func (r *Registry) championsOf(model, stage string) *chain[registry.Champion] {
	return chainOf(r, r.champions, root+"/"+model+"/"+stage, func(c registry.Champion, n int64) bool {
		return c.Generation == n && c.Model == model && c.Stage == stage && c.Version > 0 && c.Cause != ""
	})
}

func chainOf[T any](r *Registry, chains map[string]*chain[T], prefix string, isNth func(T, int64) bool) *chain[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := chains[prefix]
	if c == nil {
		c = &chain[T]{store: r.store, prefix: prefix, isNth: isNth}
		chains[prefix] = c
	}
	return c
}
