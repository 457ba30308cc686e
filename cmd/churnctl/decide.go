package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
)

// decide publishes what a person decides about a run, as say makes it, follows the
// run and shows its end. It returns the run; nil if it is not followed. what names
// the decision for people and machines.
func (a *app) decide(ctx context.Context, p *parts, w waitFlags, prefix, what string, say func(run *fold.Run, at time.Time) (event.Event, error)) (*fold.Run, error) {
	started := time.Now()
	ctx, cancel := w.context(ctx)
	defer cancel()
	if !w.wait {
		if err := p.outlives(); err != nil {
			return nil, err
		}
	}
	follower, err := p.follow(ctx) // before the history, so that nothing is missed between
	if err != nil {
		return nil, err
	}
	runs, err := p.history(ctx)
	if err != nil {
		return nil, err
	}
	run, err := findRun(runs, prefix)
	if err != nil {
		return nil, err
	}
	e, err := say(run, started)
	if err != nil {
		return nil, err
	}
	if err := p.publish(ctx, e); err != nil {
		return nil, err
	}
	if !w.wait {
		return nil, a.print(map[string]string{"run": run.ID, what: e.ID}, printedRun(run.ID))
	}
	v := &view{app: a, started: started}
	v.event(e)
	run, err = follower.until(ctx, runs, e, v)
	v.close()
	if errors.Is(err, context.Canceled) {
		return nil, &exitErr{exitInterrupted, fmt.Errorf("interrupted; the %s is on the log: `churnctl show %s` tells what came of it", what, e.Run())}
	}
	if err != nil {
		return nil, err
	}
	return run, a.showEnd(run, v.tracking, time.Since(started))
}
