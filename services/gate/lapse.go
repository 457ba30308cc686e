package gate

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// lapses says of each approval that nobody has decided in time. It runs beside the
// stage, in every gate: what it publishes follows from the question alone, so that
// any number of them, however often they are started, say the same.
//
// It reads the questions from the log, and from the store whether they have an
// answer. Answers on the log would not do: one that the gate refuses is no answer.
type lapses struct {
	gate   *Gate
	prefix string
	log    *zap.Logger
}

// open is an approval that may have no answer yet.
type open struct {
	run, id string
	due     time.Time // to look whether it has one
}

const (
	// again is the pause before it is looked whether the gate has taken note, and
	// before anything that has failed is tried again.
	again = 30 * time.Second
	// longestWait is how long is waited without looking at the clock: it may be
	// set, and timers stand still while a machine sleeps.
	longestWait = time.Minute
)

// run goes on until ctx is done. While no approval is open it waits for one.
func (l *lapses) run(ctx context.Context, b bus.Bus) error {
	questions := make(chan open)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.follow(ctx, b, questions) })
	g.Go(func() error { return l.watch(ctx, b, questions) })
	return g.Wait()
}

// follow reads all questions there are, and those to come.
func (l *lapses) follow(ctx context.Context, b bus.Bus, questions chan<- open) error {
	topic := churn.ApprovalRequested.Name(l.prefix)
	for {
		err := b.Read(ctx, topic, nil, true, func(ctx context.Context, r bus.Record) error {
			if q, ok := l.question(r); ok {
				select {
				case questions <- q:
				case <-ctx.Done():
				}
			}
			return nil
		})
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped, not failed
		}
		l.warn("approvals are not watched: reading them again after a pause", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

func (l *lapses) question(r bus.Record) (open, bool) {
	e, err := event.Decode(r, l.prefix)
	if err != nil {
		return open{}, false
	}
	m, ok := e.Data.(*eventv1.ApprovalRequested)
	if !ok || !plainID.MatchString(e.ID) || event.Validate(e) != nil {
		return open{}, false
	}
	due, err := time.Parse(time.RFC3339, m.GetExpiresAt())
	return open{m.GetRun(), e.ID, due}, err == nil
}

// watch looks after the approvals that are open.
func (l *lapses) watch(ctx context.Context, b bus.Publisher, questions <-chan open) error {
	pending := map[string]open{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-questions:
			pending[q.id] = q
		case <-next(pending):
		}
		for id, q := range pending {
			if time.Until(q.due) > 0 {
				continue
			}
			answered, err := l.lapse(ctx, b, q)
			if err != nil && ctx.Err() == nil {
				l.warn("the lapse of an approval is not told: trying again after a pause", err)
			}
			if answered {
				delete(pending, id)
				continue
			}
			q.due = now().Add(again)
			pending[id] = q
		}
	}
}

// next is ready when the first is due; never, if there is none.
func next(pending map[string]open) <-chan time.Time {
	if len(pending) == 0 {
		return nil
	}
	wait := longestWait
	for _, q := range pending {
		wait = min(wait, time.Until(q.due))
	}
	return time.After(wait)
}

// lapse publishes that nobody has decided, unless somebody has; it reports whether
// there is an answer, of whichever kind.
func (l *lapses) lapse(ctx context.Context, b bus.Publisher, o open) (answered bool, err error) {
	if _, err := l.gate.answered(ctx, o.run, o.id); !churn.IsKind(err, churn.NotFound) {
		return err == nil, err
	}
	q, err := l.gate.asked(ctx, o.run, o.id)
	if churn.IsKind(err, churn.NotFound) {
		return true, nil // the gate has not asked
	}
	if err != nil {
		return false, err
	}
	r, err := event.Encode(q.lapse(), l.prefix)
	if err != nil {
		return false, err
	}
	return false, b.Publish(ctx, r)
}

// lapse returns the event that says that nobody decided in time.
func (q *asked) lapse() event.Event {
	m := q.request
	e := q.event.Reply(churn.Gate, churn.ApprovalDecided, 0, m.GetModel(), &eventv1.ApprovalDecided{
		Model: m.GetModel(), Run: m.GetRun(), ApprovalId: q.event.ID, Expired: true,
	})
	e.Time = q.expires()
	return e
}

func (l *lapses) warn(what string, err error) {
	if l.log != nil {
		l.log.Warn(what, zap.String("service", string(churn.Gate)), zap.Error(err))
	}
}
