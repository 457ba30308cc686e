package stage

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/event"
)

type loggerKey struct{}

// withLogger returns a context whose Logger is log.
func withLogger(ctx context.Context, log *zap.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, log)
}

// Logger returns the log of the event that is being handled: its lines say of
// which run, event and record they are, and of which trace. Outside a stage it is
// a log of nothing.
func Logger(ctx context.Context) *zap.Logger {
	if log, ok := ctx.Value(loggerKey{}).(*zap.Logger); ok {
		return log
	}
	return zap.NewNop()
}

func (r *Runner) recordLog(d *delivery) *zap.Logger {
	return r.log.With(zap.String("topic", d.record.Topic), zap.Int("partition", d.record.Partition), zap.Int64("offset", d.record.Offset))
}

func (r *Runner) eventLog(d *delivery, e event.Event) *zap.Logger {
	log := r.recordLog(d).With(zap.String("run", e.Run()), zap.String("event", e.ID))
	if d.span.IsValid() {
		return log.With(zap.Stringer("trace_id", d.span.TraceID()), zap.Stringer("span_id", d.span.SpanID()))
	}
	return log.With(zap.String("trace_id", traceID(e)))
}

// traceID returns the id of the run's trace.
func traceID(e event.Event) string {
	if parts := strings.Split(e.TraceParent, "-"); len(parts) == 4 {
		return parts[1]
	}
	return ""
}
