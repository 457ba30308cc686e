// Package service runs stages as a process: a service binary is its stage and a
// call of Main.
package service

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/stage"
)

// Parts is what a stage is built from and runs on.
type Parts struct {
	Config   config.Config
	Store    blob.Store
	Registry registry.Registry
	Tracker  registry.Tracker
	Log      *zap.Logger           // nil: nothing is logged
	Tracer   trace.TracerProvider  // nil: nothing is traced
	Metrics  prometheus.Registerer // nil: nothing is measured
}

// Build makes a service's stage.
type Build func(ctx context.Context, p Parts) (stage.Stage, error)

// NewParts returns the parts that the configuration names. It does not connect.
func NewParts(c config.Config, log *zap.Logger) (Parts, error) {
	store, err := c.Store()
	if err != nil {
		return Parts{}, err
	}
	reg, tracker, err := c.Registry(store)
	if err != nil {
		return Parts{}, err
	}
	return Parts{Config: c, Store: store, Registry: reg, Tracker: tracker, Log: log}, nil
}

// Run makes the topics and the bucket that are missing, and runs the stages
// until ctx is done; then it returns nil. Parts that are away are waited for.
func Run(ctx context.Context, p Parts, b bus.Bus, stages ...stage.Stage) error {
	return run(ctx, p, b, runners(p, b, stages))
}

func runners(p Parts, b bus.Bus, stages []stage.Stage) []*stage.Runner {
	metrics := stage.NewMetrics(p.Metrics)
	rs := make([]*stage.Runner, len(stages))
	for i, s := range stages {
		rs[i] = stage.NewRunner(s, stage.Options{
			Log: b, Store: p.Store, Prefix: p.Config.TopicPrefix,
			Concurrency: p.Config.Concurrency, Timeout: p.Config.Timeout,
			Logger: p.Log, Tracer: p.Tracer, Metrics: metrics,
		})
	}
	return rs
}

func run(ctx context.Context, p Parts, b bus.Bus, runners []*stage.Runner) error {
	if err := Provision(ctx, p, b); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped, not failed
		}
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range runners {
		g.Go(func() error { return r.Run(ctx) })
	}
	return g.Wait()
}

// Provision makes the topics and the bucket that are missing. Parts that are
// away are waited for.
func Provision(ctx context.Context, p Parts, b bus.Bus) error {
	err := await(ctx, p.Log, "broker", func(ctx context.Context) error {
		return b.Ensure(ctx, stage.Topics(p.Config.TopicPrefix)...)
	})
	if err != nil {
		return err
	}
	return await(ctx, p.Log, "object store", func(ctx context.Context) error {
		if p.Store.Ping(ctx) == nil {
			return nil
		}
		return p.Store.EnsureBucket(ctx)
	})
}

// await calls f until it succeeds or its error is not Transient.
func await(ctx context.Context, log *zap.Logger, what string, f func(context.Context) error) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := f(ctx)
		if err == nil || !churn.IsKind(err, churn.Transient) {
			return err
		}
		if log != nil {
			log.Warn("waiting for the "+what, zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}
