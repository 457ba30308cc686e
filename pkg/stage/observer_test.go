package stage_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
)

// What an observer gives up on is a dead letter, and ends no run.
func TestObserversEndNoRun(t *testing.T) {
	simulate(t, func(w *world) {
		h, _ := failing(100, invalid())
		s := featurizer(h)
		s.Observer = true
		_, stop := w.start(s)
		defer stop()
		w.publish(w.record(request("1")))
		w.settle()
		w.count(dead, 1)
		w.count(failures, 0)
		w.committed(in, 1)
	})
}

// A handler can tell when its event was written, also after the retry topic; of
// one that is tried anew by hand it is when that was asked for.
func TestRecorded(t *testing.T) {
	simulate(t, func(w *world) {
		var seen []time.Time
		_, stop := w.start(featurizer(func(ctx context.Context, _ event.Event) ([]event.Event, error) {
			seen = append(seen, stage.Recorded(ctx))
			return nil, broken()
		}))
		defer stop()
		written := time.Now()
		w.publish(w.record(request("1")))
		w.pass(time.Hour) // through every round
		anew := time.Now()
		w.publish(w.redriven(w.count(dead, 1)[0]))
		w.settle()
		n := inPlace * (rounds + 1)
		if len(seen) <= n || slices.ContainsFunc(seen[:n], func(at time.Time) bool { return !at.Equal(written) }) || !seen[n].Equal(anew) {
			t.Errorf("%d attempts, at first of %s (written %s), at last of %s (tried anew %s)", len(seen), seen[0], written, seen[len(seen)-1], anew)
		}
		if !stage.Recorded(t.Context()).IsZero() {
			t.Error("there is a time without a record")
		}
	})
}
