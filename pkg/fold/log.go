package fold

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Read folds the log under prefix, as far as it had come by the given time; the
// zero time is now. When an event came to the log is its record's time: that of the
// producer's clock, or of the broker's where the topic's message.timestamp.type is
// LogAppendTime. What cannot be decoded is in a dead-letter topic and passed over.
func Read(ctx context.Context, log bus.Reader, prefix string, by time.Time) (Runs, error) {
	runs := Runs{}
	var mu sync.Mutex // of runs: several topics are read at once
	group, ctx := errgroup.WithContext(ctx)
	for _, spec := range churn.Topology {
		if spec.Topic == churn.RunProgress || spec.Topic == churn.ModelCurrent {
			continue
		}
		group.Go(func() error {
			return log.Read(ctx, spec.Topic.Name(prefix), nil, false, func(_ context.Context, r bus.Record) error {
				if !by.IsZero() && r.Time.After(by) {
					return nil
				}
				e, err := event.Decode(r, prefix)
				if err != nil {
					return nil //nolint:nilerr // see above
				}
				mu.Lock()
				defer mu.Unlock()
				runs.AddAt(e, r.Time.UTC())
				return nil
			})
		})
	}
	return runs, group.Wait()
}
