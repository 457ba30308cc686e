package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/stage"
)

func retrainCmd(a *app) *cobra.Command {
	var request requestFlags
	var w waitFlags
	cmd := &cobra.Command{
		Use:   "retrain",
		Short: "Publish a retrain request and follow it to its end",
		Long: `Publish a retrain-requested event and follow the run to its end: promoted,
rejected or failed. Where the policy leaves the promotion to a person, it stops
there and says so; ` + "`churnctl approve`" + ` and ` + "`churnctl deny`" + ` go on.

With KAFKA_BROKERS set, or a local stack running (` + "`churnctl up`" + `), the request goes
there. Otherwise broker, store and services run inside this command until the
run ends; their state stays in the state folder, and a command that was
interrupted goes on when it is called again with the same --request-id.

Exit codes: 0 promoted (or a dry run that would have been), 3 rejected,
4 failed, 5 waits for approval, 1 anything else.`,
		Example: `  churnctl retrain --data data/telco_churn.csv
  churnctl retrain --num-leaves 31 --learning-rate 0.1 --dry-run
  churnctl retrain --min-auc 0.84 -o json
  churnctl retrain --policy mine.yaml`,
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return request.overrides.loadPolicy(a) },
		RunE: a.with(readWrite, func(cmd *cobra.Command, _ []string, p *parts) error {
			ctx, cancel := w.context(cmd.Context())
			defer cancel()
			e, err := request.event(ctx, a, p.Store)
			if err != nil {
				return err
			}
			if !w.wait {
				return a.publishOnly(ctx, p, e)
			}
			run, err := a.retrain(ctx, p, e)
			if err != nil {
				return err
			}
			return outcome(run.Status(), passedDryRun(run))
		}),
	}
	request.add(cmd)
	w.add(cmd)
	return cmd
}

// publishOnly publishes the request and says what run it is.
func (a *app) publishOnly(ctx context.Context, p *parts, e event.Event) error {
	if err := p.outlives(); err != nil {
		return err
	}
	if err := a.request(ctx, p, e); err != nil {
		return err
	}
	if a.json() {
		return a.printLine(map[string]string{"run": e.Run(), "request": e.ID})
	}
	_, err := fmt.Fprintln(a.out, e.Run())
	return err
}

// retrain publishes the request, follows the run and shows its end.
func (a *app) retrain(ctx context.Context, p *parts, request event.Event) (*fold.Run, error) {
	started := time.Now()
	follower, err := p.follow(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.request(ctx, p, request); err != nil {
		return nil, err
	}
	view := newView(a, request)
	run, err := follower.until(ctx, fold.Runs{}, request, view)
	view.close()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, &exitErr{exitInterrupted, fmt.Errorf("interrupted; the run goes on: follow it again with --request-id %s, or end it with `churnctl cancel %.8s`", request.ID, request.Run())}
		}
		return nil, err
	}
	return run, a.showEnd(run, view.tracking, time.Since(started))
}

// request puts a request on the log, and begins the trace of its run.
func (a *app) request(ctx context.Context, p *parts, request event.Event) error {
	return a.observed(ctx, func(tp trace.TracerProvider) error {
		r, end, err := stage.Request(ctx, tp, request, p.prefix)
		if err != nil {
			return err
		}
		err = p.bus.Publish(ctx, r)
		end(err)
		return err
	})
}

// publish puts one event on the log.
func (p *parts) publish(ctx context.Context, e event.Event) error {
	r, err := event.Encode(e, p.prefix)
	if err != nil {
		return err
	}
	return p.bus.Publish(ctx, r)
}

// passedDryRun reports whether only the dry run stood in the promotion's way.
func passedDryRun(run *fold.Run) bool {
	rejected := rejection(run)
	return rejected != nil && rejected.GetDryRun()
}
