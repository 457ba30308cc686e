package stage

import (
	"context"

	"github.com/asfotec/churn/pkg/event"
)

// Validate refuses an event whose data lacks what every stage needs, so that
// the run ends with the names of the fields.
func Validate(next Handler) Handler {
	return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
		if err := event.Validate(e); err != nil {
			return nil, err
		}
		return next.Handle(ctx, e)
	})
}
