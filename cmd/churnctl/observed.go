package main

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/obs"
)

// observed does something that is traced, and hands its spans over.
func (a *app) observed(ctx context.Context, do func(trace.TracerProvider) error) error {
	o, err := obs.New(ctx, obs.Config{Service: string(client), Version: config.Version, Endpoint: a.config.OTLPEndpoint})
	if err != nil {
		return err
	}
	err = do(o.Tracer)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return errors.Join(err, o.Close(ctx))
}
