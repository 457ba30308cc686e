package kafka

import (
	"context"
	"sync"

	"github.com/asfotec/churn/pkg/bus"
)

// flight is one record that is being handled. It goes on while the group
// rebalances, and is cancelled only when its partition has gone to another member:
// a trainer that joins does not undo the work of all others.
type flight struct {
	offset    int64
	cancel    context.CancelFunc
	cancelled bool // its partition has gone; guarded by flights.mu
	done      chan struct{}
	err       error // of the handler, once done
}

// flights are a member's, by partition: at most one each.
type flights struct {
	ctx    context.Context // of the subscription
	handle bus.Handle
	slots  chan struct{} // one for each record that may be handled at a time

	mu  sync.Mutex
	all map[partition]*flight
}

func newFlights(ctx context.Context, concurrency int, handle bus.Handle) *flights {
	return &flights{ctx: ctx, handle: handle, slots: make(chan struct{}, concurrency), all: map[partition]*flight{}}
}

// run handles the record, or waits for the handler that does so since an earlier
// generation. It returns whether the record is done with, and the handler's error,
// which is not one if the handler was cancelled. When ctx, the generation's, ends
// first, the handler goes on.
func (f *flights) run(ctx context.Context, p partition, r bus.Record) (done bool, err error) {
	if ctx.Err() != nil {
		return false, nil
	}
	one, ok := f.begin(ctx, p, r)
	if !ok {
		return false, nil
	}
	select {
	case <-one.done:
	case <-ctx.Done():
		if f.ctx.Err() == nil {
			return false, nil
		}
		<-one.done // it is told to end, and may yet come to a good one
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, p)
	if one.err != nil && (one.cancelled || f.ctx.Err() != nil) {
		return false, nil
	}
	return one.err == nil, one.err
}

// begin returns the record's flight, begun now or before. Another one of the
// partition is ended first.
func (f *flights) begin(ctx context.Context, p partition, r bus.Record) (*flight, bool) { //nolint:contextcheck // a flight outlives the generation whose ctx this is
	f.mu.Lock()
	one := f.all[p]
	goesOn := one != nil && one.offset == r.Offset && !one.cancelled
	f.mu.Unlock()
	if goesOn {
		return one, true
	}
	if one != nil {
		one.cancel()
		select {
		case <-one.done:
		case <-ctx.Done():
			return nil, false
		}
	}
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	flying, cancel := context.WithCancel(f.ctx)
	one = &flight{offset: r.Offset, cancel: cancel, done: make(chan struct{})}
	f.mu.Lock()
	f.all[p] = one
	f.mu.Unlock()
	go func() {
		defer close(one.done)
		defer func() { <-f.slots }()
		defer cancel()
		one.err = f.handle(flying, r)
	}()
	return one, true
}

// keep cancels the flights of partitions that are not in assigned.
func (f *flights) keep(assigned map[partition]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, one := range f.all {
		if !assigned[p] {
			one.cancelled = true
			one.cancel()
		}
	}
}

// end cancels all, and waits for them.
func (f *flights) end() {
	f.keep(nil)
	f.mu.Lock()
	all := f.all
	f.all = map[partition]*flight{}
	f.mu.Unlock()
	for _, one := range all {
		<-one.done
	}
}
