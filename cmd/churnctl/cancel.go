package main

import (
	"cmp"
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
			run, err := a.decide(cmd.Context(), p, w, args[0], "cancellation", func(run *fold.Run, at time.Time) (event.Event, error) {
				if run.Status().Ended() {
					return event.Event{}, usageErrorf("run %s has ended: it is %s", run.ID, run.Status())
				}
				return cancellation(run, who, at), nil
			})
			if run == nil || err != nil || wasCancelled(run) {
				return err
			}
			return &exitErr{code: exitFailed}
		}),
	}
	who.add(cmd)
	w.add(cmd)
	return cmd
}

// cancellation returns the request as an event.
func cancellation(run *fold.Run, who personFlags, at time.Time) event.Event {
	return event.Event{
		Topic: churn.CancelRequested, Key: cmp.Or(run.Model, run.ID), ID: uuid.NewString(), Source: client.Source(), Type: churn.CancelRequested.Type(),
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
