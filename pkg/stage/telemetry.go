package stage

import (
	"context"
	"sync"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	// progressEvery is the least time between two reports of a run.
	progressEvery = 100 * time.Millisecond
	// progressPatience is how long a report may take to be published.
	progressPatience = 2 * time.Second
)

// Telemetry publishes what the handler reports to run-progress: the newest
// report at most every 100 ms, and the last one. It never makes the handler
// wait, and what cannot be published is lost.
func Telemetry(to bus.Publisher, prefix string, s churn.Service) Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			r := &reporter{
				wake: make(chan struct{}, 1),
				send: func(n int, p Progress) {
					ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), progressPatience)
					defer cancel()
					_ = publish(ctx, to, prefix, []event.Event{progressEvent(s, e, n, p)})
				},
			}
			defer r.close()
			return next.Handle(WithProgress(ctx, r.report), e)
		})
	}
}

func progressEvent(s churn.Service, e event.Event, n int, p Progress) event.Event {
	return e.Reply(s, churn.RunProgress, n, e.Run(), &eventv1.RunProgress{
		Run: e.Run(), Stage: string(s), Activity: p.Activity, Done: p.Done, Total: p.Total,
		Metric: p.Metric, Value: p.Value, TrackingRun: p.Tracking,
	})
}

// reporter hands the newest report to send, on a goroutine of its own.
type reporter struct {
	wake chan struct{} // there is a report, or the end
	send func(n int, p Progress)

	mu      sync.Mutex
	newest  Progress
	fresh   bool // newest is not sent yet
	started bool
	closed  bool
}

func (r *reporter) report(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if p.Tracking == "" {
		p.Tracking = r.newest.Tracking // said once, it is known
	}
	r.newest, r.fresh = p, true
	if !r.started {
		r.started = true
		go r.run()
	}
	r.notify()
}

// close lets run end once the last report is sent. It does not wait for it.
func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.notify()
}

func (r *reporter) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reporter) run() {
	for n := 0; ; n++ {
		<-r.wake
		p, fresh, closed := r.take()
		if fresh {
			r.send(n, p)
		}
		if closed {
			return
		}
		time.Sleep(progressEvery)
	}
}

func (r *reporter) take() (p Progress, fresh, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, fresh, closed = r.newest, r.fresh, r.closed
	r.fresh = false
	return p, fresh, closed
}
