package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func cancelCmd(a *app) *cobra.Command {
	var who personFlags
	var w waitFlags
	cmd := &cobra.Command{
		Use:   "cancel RUN --reason TEXT",
		Short: "End a run that nobody needs any more",
		Long: `Ask for the end of a run, by its id or the start of it, and follow it there. A
training that is under way stops within seconds, trials that wait do not begin, and
a promotion that waits for approval is denied. The run ends in run-failed, of kind
cancelled, with who cancelled it and why. A run that the gate has decided by then
stays as it was decided.

The same request, sent again, is the same run and stays cancelled: ask for a new
one.

Exit codes: 0 cancelled, 2 it has ended already, 4 it came to another end first,
1 anything else.`,
		Example: "  churnctl cancel 3f2a --reason 'wrong file'",
		Args:    cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error { return who.check() },
		RunE: a.with(readWrite, func(cmd *cobra.Command, args []string, p *parts) error {
			ctx, cancel := w.context(cmd.Context())
			defer cancel()
			if !w.wait {
				if err := p.outlives(); err != nil {
					return err
				}
			}
			return a.cancel(ctx, p, args[0], who, w.wait)
		}),
	}
	who.add(cmd)
	w.add(cmd)
	return cmd
}

// cancel publishes the request, follows the run and shows its end.
func (a *app) cancel(ctx context.Context, p *parts, prefix string, who personFlags, wait bool) error {
	started := time.Now()
	follower, err := p.follow(ctx) // before the history, so that nothing is missed between
	if err != nil {
		return err
	}
	runs, err := p.history(ctx)
	if err != nil {
		return err
	}
	run, err := findRun(runs, prefix)
	if err != nil {
		return err
	}
	if run.Status().Ended() {
		return usageErrorf("run %s has ended: it is %s", run.ID, run.Status())
	}
	e := cancellation(run, who, started)
	if err := p.publish(ctx, e); err != nil {
		return err
	}
	if !wait {
		return a.print(map[string]string{"run": run.ID, "cancellation": e.ID}, printedRun(run.ID))
	}
	v := &view{app: a, started: started}
	v.event(e)
	run, err = follower.until(ctx, runs, e, v)
	v.close()
	if errors.Is(err, context.Canceled) {
		return &exitErr{exitInterrupted, fmt.Errorf("interrupted; the cancellation is on the log: `churnctl show %s` tells what came of it", e.Run())}
	}
	if err != nil {
		return err
	}
	if err := a.showEnd(run, v.tracking, time.Since(started)); err != nil {
		return err
	}
	if wasCancelled(run) {
		return nil
	}
	return &exitErr{code: exitFailed}
}

// cancellation returns the request as an event.
func cancellation(run *fold.Run, who personFlags, at time.Time) event.Event {
	key := run.Model
	if key == "" {
		key = run.ID
	}
	return event.Event{
		Topic: churn.CancelRequested, Key: key, ID: uuid.NewString(), Source: client.Source(), Type: churn.CancelRequested.Type(),
		Subject: run.ID, Correlation: run.ID, Time: at.UTC().Truncate(time.Millisecond),
		Data: &eventv1.CancelRequested{Model: run.Model, Run: run.ID, RequestedBy: who.by, Reason: who.reason},
	}
}

// wasCancelled reports whether that is how the run ended: failed as cancelled, or
// denied while it waited for approval.
func wasCancelled(run *fold.Run) bool {
	switch run.Status() {
	case fold.Failed:
		return fold.Data[eventv1.RunFailed](run, churn.RunFailed).GetKind() == stage.Cancelled
	case fold.Rejected:
		a := fold.Data[eventv1.ModelRejected](run, churn.ModelRejected).GetApproval()
		return a != nil && !a.GetExpired()
	}
	return false
}
