// Package notifier tells people and programs what becomes of runs: by Slack, by
// e-mail and by webhook.
package notifier

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stage/fault"
)

// sendTimeout is how long one attempt at one channel may take; of an e-mail, each of
// its steps.
const sendTimeout = 20 * time.Second

// Notifier tells of the events that end runs, and of approvals.
type Notifier struct {
	store  blob.Store
	routes map[Outcome][]Channel
	maxAge time.Duration // 0: none is too old
	count  *counter

	// By a receipt's key: a channel that is closed when the notice is done with,
	// and the receipt of what was sent and could not be noted.
	busy, sent sync.Map
}

// Stage returns the notifier as a stage. It answers nothing, and nothing that
// becomes of it is of any run.
func (n *Notifier) Stage() stage.Stage {
	return stage.Stage{
		Service: churn.Notifier,
		Topics:  []churn.Topic{churn.ModelPromoted, churn.ModelRejected, churn.RunFailed, churn.ApprovalRequested, churn.ApprovalDecided},
		Handler: n, Observer: true,
	}
}

// Handle tells every channel that the outcome is routed to, each once: one that
// has a receipt is left alone, so that an event can come again, and one channel
// can be tried again without the others.
//
// Errors of remotes are Internal rather than Transient: the next event may fare
// better, on another channel, and must not wait.
func (n *Notifier) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	at := stage.Recorded(ctx)
	if at.IsZero() {
		at = e.Time // by hand
	} else if n.maxAge > 0 && now().Sub(at) > n.maxAge {
		return nil, n.skip(ctx, e, at)
	}
	notice, err := describe(e, at)
	if err != nil {
		return nil, err
	}
	var failed []error
	var pause time.Duration
	for _, c := range n.routes[notice.Outcome] {
		if ctx.Err() != nil {
			return nil, churn.E("notifier.Handle", churn.Internal, ctx.Err())
		}
		if err := n.tell(ctx, e, c, notice); err != nil {
			failed, pause = append(failed, err), max(pause, pauseOf(err))
		}
	}
	if len(failed) > 0 {
		wait(ctx, pause)
	}
	return nil, first(failed)
}

// first returns the errors as one; of a part that is away if any is, which is
// waited for.
func first(errs []error) error {
	for _, err := range errs {
		if churn.IsKind(err, churn.Transient) || churn.IsKind(err, churn.Denied) {
			return err
		}
	}
	return churn.E("notifier.Handle", churn.Internal, errors.Join(errs...))
}

func (n *Notifier) skip(ctx context.Context, e event.Event, at time.Time) error {
	notice, err := describe(e, at)
	if err != nil {
		return err
	}
	for _, c := range n.routes[notice.Outcome] {
		n.count.add(c.Name(), notice.Outcome, TooOld)
	}
	stage.Logger(ctx).Info("too old to tell of", zap.String("outcome", string(notice.Outcome)), zap.Time("at", at))
	return nil
}

// tell sends the notice on the channel and notes it, unless that is done.
//
// Between the two it cannot be told whether the remote has it: who is killed there
// sends it again. So a send that has begun is ended and noted though the service
// stops, or the partition goes to another; and what cannot be noted, because the
// store is away, is remembered.
func (n *Notifier) tell(ctx context.Context, e event.Event, c Channel, notice *Notice) error {
	id := id(e.ID, c.Name())
	key := receiptKey(e, id)
	defer n.alone(key)()
	if done, err := n.noted(ctx, key); done || err != nil {
		return err
	}
	uncut := context.WithoutCancel(ctx)
	receipt, known := n.sent.Load(key)
	if !known {
		r, err := n.send(uncut, c, id, notice)
		if err != nil {
			return err
		}
		r.Event = e.ID
		n.sent.Store(key, r)
		receipt = r
		fault.Point("notifier.sent")
	}
	uncut, cancel := context.WithTimeout(uncut, sendTimeout)
	defer cancel()
	if err := n.note(uncut, key, receipt.(Receipt)); err != nil {
		return err
	}
	n.sent.Delete(key)
	return nil
}

// alone waits until nobody in this process is at the notice, and returns what ends
// one's own turn: of an event that is there twice, one copy may wait in the retry
// topic while the other is read.
func (n *Notifier) alone(key string) (done func()) {
	turn := make(chan struct{})
	for {
		other, taken := n.busy.LoadOrStore(key, turn)
		if !taken {
			return func() { n.busy.Delete(key); close(turn) }
		}
		<-other.(chan struct{})
	}
}

// send makes one attempt. Its receipt says what became of it for good; an error
// that it may be tried again.
func (n *Notifier) send(ctx context.Context, c Channel, id string, notice *Notice) (Receipt, error) {
	r := Receipt{Version: 1, ID: id, Outcome: notice.Outcome, Channel: c.Name(), Result: Sent}
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err := c.Send(sending, id, notice)
	log := stage.Logger(ctx).With(zap.String("channel", c.Name()), zap.String("outcome", string(notice.Outcome)), zap.String("notice", id))
	switch {
	case refused(err):
		r.Result, r.Error = Refused, clean(err.Error(), maxText)
		log.Error("notice refused", zap.String("error", r.Error))
	case err != nil:
		return r, err
	default:
		log.Info("notice sent")
	}
	n.count.add(c.Name(), notice.Outcome, r.Result)
	return r, nil
}

// wait pauses until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
