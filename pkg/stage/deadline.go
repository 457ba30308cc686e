package stage

import (
	"context"
	"errors"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Deadline gives one attempt so long, from what the event names to the outputs'
// acknowledgement. Heartbeats go on while a handler hangs, so nothing else would
// end it. Running over is Internal: it may be the event's doing.
func Deadline(limit time.Duration) Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			limited, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			out, err := next.Handle(limited, e)
			if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
				return nil, churn.Errorf("stage.Deadline", churn.Internal, "not done within %s (CHURN_TIMEOUT): %w", limit, err)
			}
			return out, err
		})
	}
}
