package stage

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/jsonfile"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Cancelled is the kind of a run-failed event of a run that somebody has cancelled.
const Cancelled = "cancelled"

const (
	// endedJSON is where a service notes which event's answer is the run's end: of
	// the trials of a cancelled search, one.
	endedJSON       = "ended.json"
	maxCancellation = 64 << 10 // bytes
)

// Cancellation is who has cancelled a run, and why.
type Cancellation struct {
	Event  string `json:"event"` // the cancel-requested event that asked for it
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// String says so in words.
func (c *Cancellation) String() string { return fmt.Sprintf("cancelled by %s: %s", c.By, c.Reason) }

// NoteCancellation notes that the run is cancelled, for every service to see. The
// first to ask for it counts.
func NoteCancellation(ctx context.Context, store blob.Store, run string, c Cancellation) error {
	body, err := jsonfile.Encode(c)
	if err != nil {
		return err
	}
	_, err = store.Put(ctx, cancellationKey(run), outcomeMedia, bytes.NewReader(body))
	if churn.IsKind(err, churn.Conflict) {
		return nil
	}
	return err
}

// CancellationOf returns who has cancelled the run, or nil if nobody has.
func CancellationOf(ctx context.Context, store blob.Store, run string) (*Cancellation, error) {
	a, err := store.Stat(ctx, cancellationKey(run))
	if churn.IsKind(err, churn.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := store.Get(ctx, a, maxCancellation)
	if err != nil {
		return nil, err
	}
	c := &Cancellation{}
	return c, jsonfile.Decode(text, c)
}

func cancellationKey(run string) string {
	return churn.ArtifactKey(run, churn.Gate, churn.CancelledJSON)
}

// Cancel answers the event of a run that somebody has cancelled with the run's end.
// It looks before the handler is called and, unless the stage has a say in what may
// be stopped, every so often while it is at work. The answer is stored as any other
// (Once, around it): what was finished before is not undone, and the stage that it
// went to ends the run. tell is told of the end first. Observers are no part of a
// run.
func Cancel(s Stage, store blob.Store, every time.Duration, tell func(ctx context.Context, e, end event.Event) error) Middleware {
	return func(next Handler) Handler {
		if s.Observer {
			return next
		}
		return canceller{s, store, every, tell, next}
	}
}

type canceller struct {
	stage Stage
	store blob.Store
	every time.Duration
	tell  func(ctx context.Context, e, end event.Event) error
	next  Handler
}

func (h canceller) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	c, err := CancellationOf(ctx, h.store, e.Run())
	if err != nil {
		return nil, err
	}
	if c != nil {
		stops, err := h.stops(ctx, e, c)
		if err != nil {
			return nil, err
		}
		if stops {
			return h.stop(ctx, e, c)
		}
	}
	if h.stage.Stops != nil {
		return h.next.Handle(ctx, e)
	}
	return h.watched(ctx, e)
}

func (h canceller) stops(ctx context.Context, e event.Event, c *Cancellation) (bool, error) {
	if h.stage.Stops == nil {
		return true, nil
	}
	return h.stage.Stops(ctx, e, c)
}

// watched handles the event, and stops once the run is cancelled.
func (h canceller) watched(ctx context.Context, e event.Event) ([]event.Event, error) {
	working, done := context.WithCancel(ctx)
	defer done()
	found := make(chan *Cancellation, 1)
	go func() {
		defer done()
		found <- h.watch(working, e.Run())
	}()
	out, err := h.next.Handle(working, e)
	done()
	if c := <-found; c != nil && err != nil {
		return h.stop(ctx, e, c)
	}
	return out, err
}

// watch looks whether the run is cancelled, and by whom, until it is or ctx is
// done. What cannot be looked up is looked up next time.
func (h canceller) watch(ctx context.Context, run string) *Cancellation {
	for sleep(ctx, h.every) {
		if c, err := CancellationOf(ctx, h.store, run); c != nil && err == nil {
			return c
		}
	}
	return nil
}

// stop returns what follows from an event whose run is cancelled.
func (h canceller) stop(ctx context.Context, e event.Event, c *Cancellation) ([]event.Event, error) {
	failed := runFailed(h.stage.Service, e, churn.Errorf("stage.Cancel", churn.Invalid, "%s", c), 1)
	end := failed.Data.(*eventv1.RunFailed)
	end.Kind, end.Message = Cancelled, c.String()
	answer := h.stage.inPlaceOf(failed, e)
	if answer.Topic != churn.RunFailed {
		return []event.Event{answer}, nil
	}
	first, err := h.claimEnd(ctx, e)
	if err != nil || !first {
		return nil, err
	}
	if err := h.tell(ctx, e, failed); err != nil {
		return nil, err
	}
	return []event.Event{failed}, nil
}

// claimEnd reports whether this event's answer is the run's end: that of the first
// that asks.
func (h canceller) claimEnd(ctx context.Context, e event.Event) (bool, error) {
	body, err := jsonfile.Encode(struct {
		Event string `json:"event"`
	}{e.ID})
	if err != nil {
		return false, err
	}
	_, err = h.store.Put(ctx, churn.ArtifactKey(e.Run(), h.stage.Service, endedJSON), outcomeMedia, bytes.NewReader(body))
	if churn.IsKind(err, churn.Conflict) {
		return false, nil
	}
	return err == nil, err
}
