package stage_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/bus"
)

// memLog is a stage.Log in memory with what a broker guarantees: order within a
// topic, which has one partition; offsets; and a commit only after the handler
// returned nil.
type memLog struct {
	mu        sync.Mutex
	changed   *sync.Cond
	topics    map[string][]bus.Record
	committed map[place]int64

	// refuse fails a record before it is written, lose after: its acknowledgement
	// is lost. stall holds it up.
	refuse, lose func(bus.Record) error
	stall        func(context.Context, bus.Record)
	// onCommit sees each record that is committed. The log is locked.
	onCommit func(group string, r bus.Record)
}

// place is where a group is in a topic.
type place struct{ group, topic string }

func newLog() *memLog {
	l := &memLog{topics: map[string][]bus.Record{}, committed: map[place]int64{}}
	l.changed = sync.NewCond(&l.mu)
	return l
}

func (l *memLog) Publish(ctx context.Context, records ...bus.Record) error {
	for _, r := range records {
		if l.stall != nil {
			l.stall(ctx, r)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.append(r); err != nil {
			return err
		}
	}
	return nil
}

func (l *memLog) append(r bus.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		if err := l.refuse(r); err != nil {
			return err
		}
	}
	r.Offset = int64(len(l.topics[r.Topic]))
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	l.topics[r.Topic] = append(l.topics[r.Topic], r)
	l.changed.Broadcast()
	if l.lose != nil {
		return l.lose(r)
	}
	return nil
}

func (l *memLog) Subscribe(ctx context.Context, group string, topics []string, concurrency int, handle bus.Handle) error {
	g, inner := errgroup.WithContext(ctx)
	defer context.AfterFunc(inner, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changed.Broadcast()
	})()
	slots := make(chan struct{}, concurrency)
	for _, topic := range topics {
		g.Go(func() error { return l.consume(inner, place{group, topic}, slots, handle) })
	}
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

func (l *memLog) consume(ctx context.Context, p place, slots chan struct{}, handle bus.Handle) error {
	for {
		r, ok := l.next(ctx, p)
		if !ok {
			return nil
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		err := handle(ctx, r)
		<-slots
		if ctx.Err() != nil && err != nil {
			return nil //nolint:nilerr // stopped, not failed
		}
		if err != nil {
			return err
		}
		l.commit(p, r)
	}
}

// next waits for the record after those that are committed.
func (l *memLog) next(ctx context.Context, p place) (bus.Record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ctx.Err() == nil {
		if at := l.committed[p]; at < int64(len(l.topics[p.topic])) {
			return l.topics[p.topic][at], true
		}
		l.changed.Wait()
	}
	return bus.Record{}, false
}

func (l *memLog) commit(p place, r bus.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.committed[p] != r.Offset {
		panic(fmt.Sprintf("%v: commit of %d after %d", p, r.Offset, l.committed[p]))
	}
	l.committed[p] = r.Offset + 1
	if l.onCommit != nil {
		l.onCommit(p.group, r)
	}
}

// records returns those of a topic.
func (l *memLog) records(topic string) []bus.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]bus.Record(nil), l.topics[topic]...)
}

// at returns how many records of a topic a group has committed.
func (l *memLog) at(group, topic string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.committed[place{group, topic}]
}

// set changes how the log behaves.
func (l *memLog) set(change func(*memLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}
