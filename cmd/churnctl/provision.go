package main

import (
	"context"
	"errors"

	"github.com/asfotec/churn/pkg/bus"
)

// provisioner calls f with the broker. Whoever provisions a cluster may have no
// business in its object store, whose settings are not needed.
func (a *app) provisioner(ctx context.Context, f func(context.Context, bus.Provisioner) error) (err error) {
	b, done, err := a.broker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	p, is := b.(bus.Provisioner)
	if !is {
		return errors.New("this broker cannot be provisioned")
	}
	reach, cancel := context.WithTimeout(ctx, reachPatience)
	defer cancel()
	if err := b.Ping(reach); err != nil { // which tells what is wrong
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, provisionPatience)
	defer cancel()
	return f(ctx, p)
}

// broker opens the broker of the settings, or that of the local stack.
func (a *app) broker(ctx context.Context) (bus.Bus, func() error, error) {
	if len(a.config.Brokers) > 0 {
		b, err := a.config.Bus()
		if err != nil {
			return nil, nil, err
		}
		return b, b.Close, nil
	}
	p, err := a.open(ctx, readOnly)
	if err != nil {
		return nil, nil, err
	}
	return p.bus, p.close, nil
}
