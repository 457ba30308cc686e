// Package service runs stages as a process: a service binary is its stage and a
// call of Main.
package service

import (
	"context"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	blobtraced "github.com/asfotec/churn/pkg/blob/traced"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/doctor"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/traced"
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

// Close closes what the parts keep open. They can still be used.
func (p Parts) Close() error {
	if c, is := p.Store.(io.Closer); is {
		return c.Close()
	}
	return nil
}

// Traced returns the parts with spans around what stages do with them, if there is
// a Tracer.
func (p Parts) Traced() Parts {
	if p.Tracer != nil {
		p.Store, p.Registry, p.Tracker = blobtraced.New(p.Store), traced.Registry{Registry: p.Registry}, traced.Tracker{Tracker: p.Tracker}
	}
	return p
}

// Run provisions what the stages need, and runs them until ctx is done; then it
// returns nil. Parts that are away are waited for.
func Run(ctx context.Context, p Parts, b bus.Bus, stages ...stage.Stage) error {
	return run(ctx, p, b, runners(p, b, stages))
}

func runners(p Parts, b bus.Bus, stages []stage.Stage) []*stage.Runner {
	p = p.Traced()
	metrics := stage.NewMetrics(p.Metrics)
	rs := make([]*stage.Runner, len(stages))
	for i, s := range stages {
		rs[i] = stage.NewRunner(s, stage.Options{
			Log: b, Store: p.Store, Prefix: p.Config.TopicPrefix,
			Concurrency: p.Config.Concurrency, Timeout: p.Config.Timeout,
			Failed: failed(p.Tracker), Logger: p.Log, Tracer: p.Tracer, Metrics: metrics,
		})
	}
	return rs
}

func run(ctx context.Context, p Parts, b bus.Bus, runners []*stage.Runner) error {
	services := make([]churn.Service, len(runners))
	for i, r := range runners {
		services[i] = r.Service()
	}
	if err := Provision(ctx, p, b, services...); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped, not failed
		}
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range runners {
		g.Go(func() error { return r.Run(ctx) })
		g.Go(func() error { return r.Beside(ctx, b) })
	}
	return g.Wait()
}

// Reach waits until every part answers, until ctx is done. One that refuses is an
// error at once, of kind Denied.
func Reach(ctx context.Context, p Parts, b bus.Bus) error {
	answers := func(ping func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			err := ping(ctx)
			if churn.IsKind(err, churn.Transient) || churn.IsKind(err, churn.Denied) {
				return err
			}
			return nil // what is missing is for Provision to make
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return await(ctx, p.Log, "broker", answers(b.Ping)) })
	g.Go(func() error { return await(ctx, p.Log, "object store", answers(p.Store.Ping)) })
	g.Go(func() error { return await(ctx, p.Log, "registry", answers(p.Registry.Ping)) })
	return g.Wait()
}

// Provision makes the topics of the services and the bucket, where they are
// missing, and sees that every part lets the services in. Parts that are away
// are waited for, until ctx is done; one that refuses is an error at once, of
// kind Denied.
func Provision(ctx context.Context, p Parts, b bus.Bus, services ...churn.Service) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return await(ctx, p.Log, "broker", func(ctx context.Context) error { return provisionBroker(ctx, p, b, services) })
	})
	g.Go(func() error {
		err := await(ctx, p.Log, "object store", func(ctx context.Context) error { return provisionStore(ctx, p.Store) })
		if err != nil {
			return err
		}
		return await(ctx, p.Log, "registry", p.Registry.Ping) // which relies on the bucket
	})
	return g.Wait()
}

// provisionBroker asks first, which tells at once what is wrong.
func provisionBroker(ctx context.Context, p Parts, b bus.Bus, services []churn.Service) error {
	if err := b.Ping(ctx); err != nil {
		return err
	}
	if err := b.Ensure(ctx, doctor.TopicsOf(p.Config.TopicPrefix, services...)...); err != nil {
		return err
	}
	return doctor.Allowed(ctx, p.Config, b, services...)
}

func provisionStore(ctx context.Context, s blob.Store) error {
	err := s.Ping(ctx)
	if err == nil || churn.IsKind(err, churn.Transient) || churn.IsKind(err, churn.Denied) {
		return err
	}
	return s.EnsureBucket(ctx)
}

// await calls f until it succeeds or its error is not Transient. When ctx is
// done it returns the error that it waited over.
func await(ctx context.Context, log *zap.Logger, what string, f func(context.Context) error) error {
	var last error
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := f(ctx)
		if err == nil || !churn.IsKind(err, churn.Transient) {
			return err
		}
		if last == nil || ctx.Err() == nil { // not merely that the time is over
			last = err
		}
		if log != nil {
			log.Warn("waiting for the "+what, zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(pause):
		}
	}
}
