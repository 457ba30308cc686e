package gate

import (
	"context"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// cancel notes that a run is cancelled, for whichever service is given it next. One
// that waits for a person is given to nobody: it is denied.
func (g *Gate) cancel(ctx context.Context, e event.Event, m *eventv1.CancelRequested) ([]event.Event, error) {
	if e.Correlation != "" && e.Correlation != m.GetRun() {
		return nil, stage.Foreign(churn.Errorf("gate.cancel", churn.Invalid,
			"the event is of run %s by its correlationid, and of run %s by its data", e.Correlation, m.GetRun()))
	}
	c := stage.Cancellation{Event: e.ID, By: m.GetRequestedBy(), Reason: m.GetReason()}
	if err := stage.NoteCancellation(ctx, g.store, m.GetRun(), c); err != nil {
		return nil, err
	}
	q, err := g.lastAsked(ctx, m.GetRun())
	if err != nil || q == nil {
		return nil, err
	}
	a := answered{Event: e.ID, DecidedBy: c.By, Reason: c.Reason, DecidedAt: e.Time.UTC().Format(time.RFC3339Nano)}
	counts, err := g.answerWith(ctx, q, a)
	if err != nil || counts != a {
		return nil, err // decided before
	}
	return g.settled(ctx, e, q, a)
}

// lastAsked returns what people were asked about the run's newest round, or nil.
func (g *Gate) lastAsked(ctx context.Context, run string) (*asked, error) {
	last, _, err := g.lastClaim(ctx, run)
	if err == nil {
		var q *asked
		if q, err = g.asked(ctx, run, churn.EventID(last.Event, churn.ApprovalRequested.Type(), 0)); err == nil {
			return q, nil
		}
	}
	if churn.IsKind(err, churn.NotFound) {
		return nil, nil
	}
	return nil, err
}

// stops reports whether a cancelled run can end here: no decision on the round has
// been begun, and none will be.
func (g *Gate) stops(ctx context.Context, e event.Event, c *stage.Cancellation) (bool, error) {
	m, ok := e.Data.(*eventv1.ModelEvaluated)
	if !ok || event.Validate(e) != nil {
		return false, nil //nolint:nilerr // what is wrong with the event is said where it is handled
	}
	is, err := g.claimAs(ctx, e, m.GetRound(), claimed{e.ID, c.Event})
	return is.Event == e.ID && is.Cancelled != "", err
}
