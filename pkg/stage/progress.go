package stage

import "context"

// Progress is what a handler says about how far it is. It is telemetry: nothing
// is derived from it, but that the handler does not hang (Deadline).
type Progress struct {
	Activity string // what is being done, in words: "training"
	Done     int64
	Total    int64   // 0 if unknown
	Metric   string  // newest metric, for example "auc"; empty if none
	Value    float64 // its value
	Tracking string  // tracking server's run id, once known
}

type progressKey struct{}

// WithProgress returns a context whose Report calls f, after whoever is called
// already. f must not block.
func WithProgress(ctx context.Context, f func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, func(p Progress) {
		Report(ctx, p)
		f(p)
	})
}

// Report says how far the handler is, if anyone listens.
func Report(ctx context.Context, p Progress) {
	if f, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		f(p)
	}
}
