package stage

import (
	"context"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/obs"
)

// Backoff says how often something is tried in place, and how long the pauses
// are: the first, then twice as long each time up to the longest, each shortened
// at random by up to half so that many do not come back at once.
type Backoff struct {
	Attempts       int // 0: for ever
	First, Longest time.Duration
}

// pause returns the pause after the n-th attempt, from 1.
func (b Backoff) pause(n int) time.Duration {
	d := b.Longest
	if shift := n - 1; shift < 63 && b.First <= b.Longest>>shift { // so that nothing overflows
		d = b.First << shift
	}
	if d < 2 {
		return d
	}
	return d - rand.N(d/2)
}

// spent reports whether n attempts are all there are.
func (b Backoff) spent(n int) bool { return b.Attempts > 0 && n >= b.Attempts }

// Retry tries again, in place, what has not failed for good. The error of the
// last attempt is returned. A part that is away or refuses is waited for, for as
// long as it takes.
func Retry(b Backoff, failed func(ctx context.Context, e event.Event, err error)) Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			for n := 1; ; n++ {
				out, err := attempt(ctx, next, e, n)
				if err == nil {
					return out, nil
				}
				failed(ctx, e, err)
				if permanent(err) || b.spent(n) && !ofParts(err) || !sleep(ctx, b.pause(n)) {
					return nil, err
				}
			}
		})
	}
}

// attempt makes the n-th attempt, from 1. The first is the event's own span; each
// later one has one below it.
func attempt(ctx context.Context, next Handler, e event.Event, n int) ([]event.Event, error) {
	if n == 1 {
		return next.Handle(ctx, e)
	}
	ctx, end := obs.Span(ctx, "retry", trace.WithAttributes(attemptKey.Int(deliveryFrom(ctx).attempts+1)))
	out, err := next.Handle(ctx, e)
	end(err)
	return out, err
}

// sleep pauses, and reports false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
