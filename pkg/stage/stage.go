// Package stage runs a stage: a function from one event to the events that
// follow from it. The same value runs behind a consumer group, in the
// all-in-one process, from the command line on one event, and under an audit.
package stage

import (
	"context"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Handler answers one event with the events that follow from it. It is
// deterministic (same event and artifacts, same bytes out) and idempotent. It
// knows nothing of the broker.
type Handler interface {
	Handle(ctx context.Context, e event.Event) ([]event.Event, error)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, e event.Event) ([]event.Event, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	return f(ctx, e)
}

// Stage is a handler with its name and the topics it reacts to.
type Stage struct {
	Service churn.Service
	Topics  []churn.Topic
	Handler Handler
	// Ordered stages try a transient error again in place, for as long as it
	// takes, rather than let later records of the partition overtake: the gate.
	Ordered bool
	// Tables returns the rows of compacted topics that outputs bring up to date;
	// nil if the stage keeps none. Unlike outputs, rows are not part of what
	// finished work is: they show the present, and so Tables is asked at each
	// publication, also when old outputs are published again.
	Tables func(ctx context.Context, outputs []event.Event) ([]event.Event, error)
	// Observer stages watch what becomes of runs and are no part of them: what one
	// gives up on is a dead letter, and ends no run.
	Observer bool
	// GaveUp returns what the stage answers to an event that it has given up on, in
	// place of the run's failure: a trial fails, and its run goes on. Without an
	// answer, or if nil, the run fails.
	GaveUp func(e event.Event, why *eventv1.RunFailed) (event.Event, bool)
	// Stops reports whether the event may still be answered by the end of its run,
	// which somebody has cancelled, and sees to it that the answer stays the same. If
	// nil, every event may, and work that goes on is stopped; otherwise it is not.
	Stops func(ctx context.Context, e event.Event, c *Cancellation) (bool, error)
	// Beside runs beside the stage until ctx is done, and then returns nil; its
	// error ends the service. Nil if nothing does.
	Beside func(ctx context.Context, b bus.Bus) error
}

// inPlaceOf returns what the stage answers to e in place of its run's failure; the
// failure if it answers nothing.
func (s Stage) inPlaceOf(failed, e event.Event) event.Event {
	if s.GaveUp != nil {
		if answer, ok := s.GaveUp(e, failed.Data.(*eventv1.RunFailed)); ok {
			return answer
		}
	}
	return failed
}

// Middleware wraps a handler with one behaviour.
type Middleware func(Handler) Handler

// Chain wraps h with the middlewares, the first of them outermost.
func Chain(h Handler, ms ...Middleware) Handler {
	for i := len(ms) - 1; i >= 0; i-- {
		h = ms[i](h)
	}
	return h
}
