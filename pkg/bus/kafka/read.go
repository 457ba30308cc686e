package kafka

import (
	"context"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/bus"
)

// Read implements bus.Reader. A topic that does not exist is NotFound.
func (b *Bus) Read(ctx context.Context, topic string, from bus.Position, follow bool, handle bus.Handle) error {
	end, err := b.End(ctx, topic)
	if err != nil {
		return stopped(ctx, follow, err)
	}
	r := &reading{bus: b, topic: topic, from: from, handle: handle, begun: map[int]bool{}}
	r.group, ctx = errgroup.WithContext(ctx)
	for id, last := range end {
		r.begin(ctx, id, follow, last)
	}
	if follow {
		r.group.Go(func() error { return r.watch(ctx) })
	}
	return r.group.Wait()
}

// stopped hides the error of a follower that was told to stop.
func stopped(ctx context.Context, follow bool, err error) error {
	if follow && ctx.Err() != nil {
		return nil //nolint:nilerr // stopped, not failed
	}
	return err
}

// reading is one call of Read.
type reading struct {
	bus    *Bus
	topic  string
	from   bus.Position
	group  *errgroup.Group
	begun  map[int]bool // partitions that are being read; used by one goroutine at a time
	mu     sync.Mutex   // held while handle runs
	handle bus.Handle
}

// begin reads one partition: up to last, or for ever.
func (r *reading) begin(ctx context.Context, id int, follow bool, last int64) {
	r.begun[id] = true
	p := partition{r.topic, id}
	r.group.Go(func() error {
		first, err := r.start(ctx, p)
		if err != nil {
			return stopped(ctx, follow, err)
		}
		enough := func(next int64) bool { return !follow && next >= last }
		err = r.bus.tail(ctx, p, first, follow, enough, func(record bus.Record) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !follow && record.Offset >= last {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			return r.handle(ctx, record)
		})
		if err == nil && !follow {
			err = ctx.Err()
		}
		return stopped(ctx, follow, err)
	})
}

// start returns the offset to begin a partition at.
func (r *reading) start(ctx context.Context, p partition) (first int64, err error) {
	if at, ok := r.from[p.id]; ok {
		return at, nil
	}
	err = r.bus.retry(ctx, "kafka.Read", func(ctx context.Context) (err error) {
		first, err = r.bus.offset(ctx, p, kafka.FirstOffset)
		return err
	})
	return first, err
}

// watch begins partitions that are added later.
func (r *reading) watch(ctx context.Context) error {
	tick := time.NewTicker(r.bus.config.PartitionWatch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		ids, err := r.bus.known(ctx, r.topic)
		if err != nil {
			continue // it is the readers who wait for a broker
		}
		for _, id := range ids {
			if !r.begun[id] {
				r.begin(ctx, id, true, 0)
			}
		}
	}
}

// End implements bus.Reader.
func (b *Bus) End(ctx context.Context, topic string) (bus.Position, error) {
	ids, err := b.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	end := make(bus.Position, len(ids))
	err = b.retry(ctx, "kafka.End", func(ctx context.Context) error {
		for _, id := range ids {
			if end[id], err = b.offset(ctx, partition{topic, id}, kafka.LastOffset); err != nil {
				return err
			}
		}
		return nil
	})
	return end, err
}
