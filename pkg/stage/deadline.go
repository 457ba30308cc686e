package stage

import (
	"context"
	"errors"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// errStuck is why a handler is ended.
var errStuck = errors.New("no progress")

// Deadline ends an attempt that has made no progress for so long: reported none
// since it began or since the last report, outputs' acknowledgement included. How
// much there is to do has no limit, since data may be large, but heartbeats go on
// while a handler hangs, so nothing else would end that. It is Internal: it may be
// the event's doing.
func Deadline(limit time.Duration) Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			limited, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			stuck := time.AfterFunc(limit, func() { cancel(errStuck) })
			defer stuck.Stop()
			out, err := next.Handle(WithProgress(limited, func(Progress) { stuck.Reset(limit) }), e)
			if err != nil && errors.Is(context.Cause(limited), errStuck) && ctx.Err() == nil {
				return nil, churn.Errorf("stage.Deadline", churn.Internal, "no progress within %s (CHURN_TIMEOUT): %w", limit, err)
			}
			return out, err
		})
	}
}
