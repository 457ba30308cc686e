package main

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func approveCmd(a *app) *cobra.Command {
	return answerCmd(a, "approve", "Approve the promotion of a run that waits for it", true)
}

func denyCmd(a *app) *cobra.Command {
	return answerCmd(a, "deny", "Deny the promotion of a run that waits for approval", false)
}

func answerCmd(a *app, verb, short string, approved bool) *cobra.Command {
	var who personFlags
	var w waitFlags
	cmd := &cobra.Command{
		Use:   verb + " RUN --reason TEXT",
		Short: short,
		Long: short + `, by its id or the start of it, and follow the run to its
end. The first answer counts. If the champion has changed since approval was
asked for, the candidate is evaluated beside the new one, and approval is asked
for again.

Exit codes: 0 promoted, 3 rejected, 4 failed, 5 waits for another approval,
2 there is nothing to decide or you may not, 1 anything else.`,
		Example: "  churnctl " + verb + " 3f2a --reason 'looked at the slices'",
		Args:    cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error { return who.check() },
		RunE: a.with(readWrite, func(cmd *cobra.Command, args []string, p *parts) error {
			run, err := a.decide(cmd.Context(), p, w, args[0], "answer", func(run *fold.Run, at time.Time) (event.Event, error) {
				question, err := openQuestion(run, who.by, at)
				return answerTo(question, approved, who, at), err
			})
			if run == nil || err != nil {
				return err
			}
			return outcome(run.Status(), false)
		}),
	}
	who.add(cmd)
	w.add(cmd)
	return cmd
}

// openQuestion returns the approval-requested event that the run waits over, or
// says why there is nothing for that person to decide, as the gate would.
func openQuestion(run *fold.Run, by string, at time.Time) (event.Event, error) {
	approvals := run.Approvals()
	if len(approvals) == 0 {
		return event.Event{}, usageErrorf("run %s waits for no approval: it is %s", run.ID, run.Status())
	}
	last := approvals[len(approvals)-1]
	e, m := run.Events[last.ID], fold.Data[eventv1.ApprovalRequested](run, churn.ApprovalRequested)
	switch {
	case last.Answer != nil:
		return e, usageErrorf("run %s is decided: %s", run.ID, describeFound(last.Answer))
	case run.Status() != fold.Pending:
		return e, usageErrorf("run %s waits for no approval: it is %s", run.ID, run.Status())
	case last.Lapsed(at):
		return e, usageErrorf("the approval of run %s lapsed at %s", run.ID, last.ExpiresAt.Format(time.RFC3339))
	case m.GetNotByRequester() && by == last.RequestedBy:
		return e, usageErrorf("%s has asked for run %s, and its policy wants somebody else to decide", by, run.ID)
	}
	return e, nil
}

func describeFound(f *fold.Answer) string {
	verdict := "denied"
	switch {
	case f.Expired:
		return "nobody decided in time"
	case f.Approved:
		verdict = "approved"
	}
	return fmt.Sprintf("%s by %s: %s", verdict, f.By, f.Reason)
}

// answerTo returns the answer as an event.
func answerTo(question event.Event, approved bool, who personFlags, at time.Time) event.Event {
	m, _ := question.Data.(*eventv1.ApprovalRequested)
	e := question.Reply(client, churn.ApprovalDecided, 0, m.GetModel(), &eventv1.ApprovalDecided{
		Model: m.GetModel(), Run: m.GetRun(), ApprovalId: question.ID, Approved: approved, DecidedBy: who.by, Reason: who.reason,
	})
	e.ID, e.Time = uuid.NewString(), at.UTC().Truncate(time.Millisecond) // of its own: others may answer, too
	return e
}
