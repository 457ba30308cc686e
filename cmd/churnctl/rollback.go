package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// requested are the flags of what a person asks the gate for.
type requested struct {
	who personFlags
	w   waitFlags
	id  string
}

func (f *requested) add(cmd *cobra.Command) {
	f.who.add(cmd)
	f.w.add(cmd)
	cmd.Flags().StringVar(&f.id, "request-id", "", "the request's id; the same id twice is one request (default: a new one)")
}

// run publishes the request, follows it and shows its end.
func (f *requested) run(ctx context.Context, a *app, p *parts, t churn.Topic, model string, m proto.Message) error {
	ctx, cancel := f.w.context(ctx)
	defer cancel()
	id := cmp.Or(f.id, uuid.NewString())
	e := event.Event{
		Topic: t, Key: model, ID: id, Source: client.Source(), Type: t.Type(), Subject: churn.RunID(id), Correlation: churn.RunID(id),
		Time: time.Now().UTC().Truncate(time.Millisecond), Data: m,
	}
	if !f.w.wait {
		return a.publishOnly(ctx, p, e)
	}
	run, err := a.retrain(ctx, p, e)
	if err != nil {
		return err
	}
	return outcome(run.Status(), false)
}

func rollbackCmd(a *app) *cobra.Command {
	var f requested
	var to int64
	var stage string
	cmd := &cobra.Command{
		Use:   "rollback MODEL --reason TEXT",
		Short: "Put a former version into production again",
		Long: `Ask the gate to put a former version of the model into production again, and
follow the request to its end: the version before the present one, or --to. Asked
again, it goes one step further back. ModelService and whoever else follows the
log take it up as they do any promotion.

If another version is put into production while the request is under way, it is
refused: look at that one first.

Exit codes: 0 done, 4 refused, with the reason, 2 nothing to go back from,
1 anything else.`,
		Example: `  churnctl rollback churn-classifier --reason 'complaints since Tuesday'
  churnctl rollback churn-classifier --to 3 --reason 'known to be good'`,
		Args:    cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error { return f.who.check() },
		RunE: a.with(readWrite, func(cmd *cobra.Command, args []string, p *parts) error {
			champion, err := p.Registry.Champion(cmd.Context(), args[0], stage)
			if churn.IsKind(err, churn.NotFound) {
				return usageErrorf("no version of %s is in %s; `churnctl models` lists them", args[0], stage)
			}
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), a, p, churn.RollbackRequested, args[0], &eventv1.RollbackRequested{
				Model: args[0], Stage: stage, ToVersion: to, FromVersion: champion.Version, RequestedBy: f.who.by, Reason: f.who.reason,
			})
		}),
	}
	f.add(cmd)
	cmd.Flags().Int64Var(&to, "to", 0, "the version to go back to (0: the one before)")
	cmd.Flags().StringVar(&stage, "stage", churn.ServingStage, "registry stage")
	return cmd
}

func overrideCmd(a *app) *cobra.Command {
	var f requested
	cmd := &cobra.Command{
		Use:   "override RUN --reason TEXT",
		Short: "Put the candidate of a rejected run into production all the same",
		Long: `Ask the gate to promote the candidate of a run, by its id or the start of it,
though it rejected it: because a rule failed, because the request was a dry run, or
because nobody decided in time. What a person has denied stays denied. Who
overrode what, and why, is on the log for ever.

Exit codes: 0 done, 4 refused, with the reason, 1 anything else.`,
		Example: `  churnctl override 3f2a --reason 'the old model breaks the new contract; approved by the board'`,
		Args:    cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error { return f.who.check() },
		RunE: a.with(readWrite, func(cmd *cobra.Command, args []string, p *parts) error {
			run, err := p.run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), a, p, churn.OverrideRequested, run.Model, &eventv1.OverrideRequested{
				Model: run.Model, Run: run.ID, RequestedBy: f.who.by, Reason: f.who.reason,
			})
		}),
	}
	f.add(cmd)
	return cmd
}

// printedRun prints the run's id alone.
func printedRun(id string) func(io.Writer) {
	return func(w io.Writer) { _, _ = fmt.Fprintln(w, id) }
}
