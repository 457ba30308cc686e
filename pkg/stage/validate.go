package stage

import (
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Validate refuses an event whose data lacks what every stage needs, so that
// the run ends with the names of the fields. What people decide is no step of the
// run, which does not end because they put it wrongly.
func Validate(next Handler) Handler {
	return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
		err := event.Validate(e)
		switch {
		case err != nil && (e.Topic == churn.ApprovalDecided || e.Topic == churn.CancelRequested):
			return nil, Foreign(err)
		case err != nil:
			return nil, err
		}
		return next.Handle(ctx, e)
	})
}
