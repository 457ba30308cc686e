package mlflow

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// Registry is a registry.Registry that shows in MLflow what the authority
// decides. Reads are answered by the authority. It is safe for concurrent use,
// by any number of processes.
type Registry struct {
	registry.Registry // the authority

	runs    runs
	catchUp *semaphore.Weighted // one at a time: many would make one another's versions
}

var _ registry.Registry = (*Registry)(nil)

// New returns the registry. The store holds the artifacts of the versions, and
// which MLflow run is a run's.
func New(c *Client, store blob.Store, authority registry.Registry) *Registry {
	return &Registry{authority, runs{c, store}, semaphore.NewWeighted(1)}
}

// Register implements registry.Registry: the version becomes one of MLflow's,
// with a complete model, and with it any that MLflow has not been told of.
func (r *Registry) Register(ctx context.Context, v registry.Version) (registry.Version, error) {
	const op = "mlflow.Register"
	if v.Experiment != "" {
		if err := checkName(op, "experiment", v.Experiment); err != nil {
			return registry.Version{}, err
		}
	}
	v, err := r.Registry.Register(ctx, v)
	if err != nil {
		return registry.Version{}, err
	}
	if _, err := r.ensure(ctx, v); err != nil {
		return registry.Version{}, recording(op, err)
	}
	return v, nil
}

// Promote implements registry.Registry: the authority's champion, which is a
// later one if the promotion is an old one repeated, becomes MLflow's.
func (r *Registry) Promote(ctx context.Context, c registry.Champion, expected int64) (registry.Champion, error) {
	c, err := r.Registry.Promote(ctx, c, expected)
	if err != nil {
		return registry.Champion{}, err
	}
	if err := r.crown(ctx, c.Model, c.Stage); err != nil {
		return registry.Champion{}, settled("mlflow.Promote", err)
	}
	return c, nil
}

// Ping implements registry.Registry. It asks the authority and MLflow.
func (r *Registry) Ping(ctx context.Context) error {
	return errors.Join(r.Registry.Ping(ctx), r.runs.client.Ping(ctx))
}

// crown shows the newest champion of the stage. Another may be promoted and
// shown while this one is written, and be overwritten; so it looks again
// afterwards.
func (r *Registry) crown(ctx context.Context, model, stage string) error {
	for {
		c, err := r.Champion(ctx, model, stage)
		if err != nil {
			return err
		}
		v, err := r.Version(ctx, model, c.Version)
		if err != nil {
			return err
		}
		there, err := r.ensure(ctx, v)
		if err != nil {
			return err
		}
		if err := r.show(ctx, c, v, there); err != nil {
			return err
		}
		now, err := r.Champion(ctx, model, stage)
		if err != nil || now.Generation == c.Generation {
			return err
		}
	}
}

// staged reports whether MLflow's stage of that name is to show the champion. A
// version can be in one stage of MLflow's alone: one that serves stays there.
func (r *Registry) staged(ctx context.Context, c registry.Champion) (bool, error) {
	if c.Stage == churn.ServingStage {
		return true, nil
	}
	if c.Stage != "Staging" {
		return false, nil
	}
	serving, err := r.Champion(ctx, c.Model, churn.ServingStage)
	if churn.IsKind(err, churn.NotFound) {
		return true, nil
	}
	return serving.Version != c.Version, err
}
