package stage

import (
	"context"

	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Recover turns a panic into an Internal error. The stack goes to the log alone.
func Recover() Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) (out []event.Event, err error) {
			defer func() {
				if p := recover(); p != nil {
					Logger(ctx).Error("panic", zap.Any("panic", p), zap.StackSkip("stack", 1))
					out, err = nil, churn.Errorf("stage.Recover", churn.Internal, "panic: %v", p)
				}
			}()
			return next.Handle(ctx, e)
		})
	}
}
