package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stage/fault"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// askedJSON is where an approval notes what was asked, so that whichever gate is
// given the answer goes on from there.
const askedJSON = "asked.json"

// approvalKey returns where an approval keeps what is asked or answered. The id
// must be one that the gate gives: see plainID.
func approvalKey(run, id, name string) string {
	return churn.ArtifactKey(run, churn.Gate, "approvals", id, name)
}

// asked is the question of an approval.
type asked struct {
	Decision Document        `json:"decision"` // as it will be if the answer is yes
	Events   json.RawMessage `json:"events"`   // a CloudEvents batch: the approval-requested event

	event   event.Event
	request *eventv1.ApprovalRequested
}

// unasked says that nobody can be asked: the policy wants somebody other than the
// requester, and nobody knows who that is.
const unasked = "the policy wants somebody other than whoever asked for the run to approve it, and the request does not say who did: ask again with requested_by set"

// ask asks people. When the question lapses is counted from the first attempt and
// noted with it: each later one asks the same.
func (g *Gate) ask(ctx context.Context, e event.Event, m *eventv1.ModelEvaluated, d *decision, a *policy.Approval) ([]event.Event, error) {
	q := event.Event{ID: churn.EventID(e.ID, churn.ApprovalRequested.Type(), 0)}
	known, err := g.asked(ctx, e.Run(), q.ID)
	if churn.IsKind(err, churn.NotFound) {
		q = question(e, m, d, a, now().Add(a.Expires))
		known, err = g.pin(ctx, q, d)
	}
	if err != nil {
		return nil, err
	}
	fault.Point("gate.asked")
	stage.Report(ctx, stage.Progress{Activity: "waiting for approval", Done: 1, Total: 1})
	return []event.Event{known.event}, nil
}

// now is what the clock says. How long people have is the clock's, and no event's;
// what is made of it is noted before anything follows from it.
func now() time.Time {
	return time.Now() //nolint:forbidigo // see above
}

// question returns the approval-requested event.
func question(e event.Event, m *eventv1.ModelEvaluated, d *decision, a *policy.Approval, expires time.Time) event.Event {
	return e.Reply(churn.Gate, churn.ApprovalRequested, 0, d.Model, &eventv1.ApprovalRequested{
		Model: d.Model, Run: d.Run, Round: d.Round, Plan: m.GetPlan(),
		ChampionVersion: m.GetChampion().GetVersion(), ChampionGeneration: m.GetChampion().GetGeneration(),
		ExpiresAt: expires.UTC().Truncate(time.Second).Format(time.RFC3339), NotByRequester: a.NotByRequester,
		Summary: summary(m, d),
		Metrics: m.GetMetrics(), ChampionMetrics: m.GetChampionMetrics(), Rules: d.rules, Evaluation: m.GetEvaluation(),
	})
}

// summary says in a sentence what is asked.
func summary(m *eventv1.ModelEvaluated, d *decision) string {
	text := fmt.Sprintf("put the candidate of run %s for %s into %s: hold-out AUC %.4f, every rule passed", d.Run, d.Model, d.Stage, m.GetMetrics().GetAuc())
	if c := m.GetChampion(); c != nil {
		return text + fmt.Sprintf("; it would replace version %d, whose AUC on the same rows is %.4f", c.GetVersion(), m.GetChampionMetrics().GetAuc())
	}
	return text + "; it would be the first"
}

// pin notes the question, and returns it, or the one that another gate has asked.
func (g *Gate) pin(ctx context.Context, q event.Event, d *decision) (*asked, error) {
	batch, err := event.EncodeBatch([]event.Event{q})
	if err != nil {
		return nil, err
	}
	err = g.putJSON(ctx, approvalKey(d.Run, q.ID, askedJSON), asked{Decision: d.Document, Events: batch})
	if err != nil && !churn.IsKind(err, churn.Conflict) {
		return nil, err
	}
	return g.asked(ctx, d.Run, q.ID)
}

// asked returns what was asked, or NotFound.
func (g *Gate) asked(ctx context.Context, run, id string) (*asked, error) {
	const op = "gate.asked"
	q := &asked{}
	at := approvalKey(run, id, askedJSON)
	if err := g.readJSON(ctx, at, maxKept, q); err != nil {
		return nil, err
	}
	events, err := event.DecodeBatch(q.Events)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	if len(events) == 1 {
		q.event = events[0]
		if m, ok := q.event.Data.(*eventv1.ApprovalRequested); ok {
			q.request = m
			return q, nil
		}
	}
	return nil, churn.Errorf(op, churn.Internal, "%s is damaged: it holds no question", g.store.URI(at))
}
