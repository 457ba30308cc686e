package kafka

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// Subscribe implements bus.Subscriber. While the group rebalances, handlers go on;
// those whose partition has gone to another member are cancelled. Topics that are
// not there yet are consumed once they are.
func (b *Bus) Subscribe(ctx context.Context, group string, topics []string, concurrency int, handle bus.Handle) error {
	const op = "kafka.Subscribe"
	if group == "" || len(topics) == 0 {
		return churn.Errorf(op, churn.Invalid, "a group and at least one topic must be named")
	}
	m := &member{
		bus:     b,
		group:   group,
		topics:  topics,
		flights: newFlights(ctx, max(concurrency, 1), handle),
		log:     b.config.Log.With(zap.String("group", group)),
	}
	defer m.flights.end()
	return m.run(ctx)
}

// member is this process's part in a consumer group.
type member struct {
	bus     *Bus
	group   string
	topics  []string
	flights *flights
	log     *zap.Logger
	counts  map[string]int // partitions of each topic, read before the last join

	mu    sync.Mutex
	owned map[string][]int // partitions of the last generation
}

// run takes part in one generation of the group after the other.
func (m *member) run(ctx context.Context) error {
	var pause backoff
	for ctx.Err() == nil {
		err := m.join(ctx, &pause)
		var failed handlerError
		if errors.As(err, &failed) {
			return failed.error
		}
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errChanged) {
			m.log.Info("partitions have changed: joining again")
			continue
		}
		if errors.Is(err, kafka.InvalidSessionTimeout) {
			return churn.Errorf("kafka.Subscribe", churn.Invalid,
				"the broker does not allow a session timeout of %v (KAFKA_SESSION_TIMEOUT): %w", m.bus.config.SessionTimeout, err)
		}
		m.log.Warn("away from the group: joining again", zap.Error(m.bus.fail("kafka.Subscribe", err)))
		pause.wait(ctx)
		m.bus.refresh()
	}
	return nil //nolint:nilerr // stopped, not failed
}

// errChanged is returned by join when a topic has other partitions than before.
var errChanged = errors.New("partitions have changed")

// handlerError is the error of a handler, which ends the subscription.
type handlerError struct{ error }

// join joins the group, for the topics that exist, and stays in it until ctx is
// done, a handler fails, partitions change, or the group cannot be reached.
func (m *member) join(ctx context.Context, pause *backoff) error {
	var err error
	if m.counts, err = m.count(ctx); err != nil {
		return err
	}
	topics := m.existing()
	if len(topics) == 0 {
		return m.watch(ctx)
	}
	g, err := kafka.NewConsumerGroup(m.config(topics))
	if err != nil {
		return handlerError{churn.E("kafka.Subscribe", churn.Invalid, err)}
	}
	defer func() { _ = g.Close() }() // leaves the group; a failure means a session time-out
	for {
		gen, err := g.Next(ctx)
		if errors.Is(err, kafka.RebalanceInProgress) {
			continue
		}
		if err != nil {
			return err
		}
		pause.reset()
		if err := m.generation(ctx, gen); err != nil {
			return err
		}
	}
}

// existing returns the topics that have partitions. kafka-go's group leader
// assigns nothing at all while one of the topics is missing.
func (m *member) existing() []string {
	var topics []string
	for _, t := range m.topics {
		if m.counts[t] > 0 {
			topics = append(topics, t)
		}
	}
	return topics
}

func (m *member) config(topics []string) kafka.ConsumerGroupConfig {
	c := m.bus.config
	return kafka.ConsumerGroupConfig{
		ID:                m.group,
		Brokers:           c.Brokers,
		Dialer:            m.bus.dialer,
		Topics:            topics,
		GroupBalancers:    []kafka.GroupBalancer{sticky{m.has}, kafka.RangeGroupBalancer{}, kafka.RoundRobinGroupBalancer{}},
		HeartbeatInterval: c.Heartbeat,
		SessionTimeout:    c.SessionTimeout,
		RebalanceTimeout:  c.RebalanceTimeout,
		JoinGroupBackoff:  minPause, // after an error, join pauses and begins anew
		StartOffset:       kafka.FirstOffset,
		ErrorLogger:       kafka.LoggerFunc(m.log.Sugar().Debugf),
	}
}

// generation handles the records of the partitions that are assigned to this
// member, until the generation ends. Its error is a handlerError or errChanged.
func (m *member) generation(parent context.Context, gen *kafka.Generation) error {
	m.log.Debug("joined", zap.Int32("generation", gen.ID), zap.Any("assigned", gen.Assignments))
	var result error
	consumed := make(chan struct{})
	gen.Start(func(revoked context.Context) {
		ctx, cancel := context.WithCancel(parent)
		defer cancel()
		defer context.AfterFunc(revoked, cancel)()
		result = m.consume(ctx, cancel, gen)
		leaving := result != nil || parent.Err() != nil
		close(consumed)
		if leaving {
			// Returning would let kafka-go join again: wait until join has closed the
			// group.
			<-revoked.Done()
		}
	})
	<-consumed
	return result
}

// consume runs one loop for each partition, the committer, and the watch on
// partitions. When one of them ends, all end.
func (m *member) consume(ctx context.Context, cancel context.CancelFunc, gen *kafka.Generation) error {
	var loops, committing sync.WaitGroup
	m.assigned(gen.Assignments)
	result := &firstError{}
	run := func(wg *sync.WaitGroup, f func() error) {
		wg.Go(func() {
			defer cancel()
			result.set(f())
		})
	}
	commits := newCommitter(gen.CommitOffsets)
	for topic, assigned := range gen.Assignments {
		for _, a := range assigned {
			run(&loops, func() error { return m.partition(ctx, partition{topic, a.ID}, a.Offset, commits) })
		}
	}
	run(&loops, func() error { return m.watch(ctx) })
	run(&committing, func() error {
		if err := commits.run(); err != nil {
			m.log.Info("commit refused: the records will be delivered again", zap.Error(err))
		}
		return nil
	})
	loops.Wait()
	commits.close()
	committing.Wait()
	return result.err
}

// assigned takes note of the member's partitions, and lets go of what is handled
// of others.
func (m *member) assigned(to map[string][]kafka.PartitionAssignment) {
	owned, mine := map[string][]int{}, map[partition]bool{}
	for topic, partitions := range to {
		for _, a := range partitions {
			owned[topic] = append(owned[topic], a.ID)
			mine[partition{topic, a.ID}] = true
		}
	}
	m.flights.keep(mine)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owned = owned
}

// has returns the member's partitions, as of the last generation.
func (m *member) has() map[string][]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned
}

// firstError keeps the first of several errors.
type firstError struct {
	once sync.Once
	err  error
}

func (f *firstError) set(err error) {
	if err != nil {
		f.once.Do(func() { f.err = err })
	}
}

// partition handles the records of one partition in order. An error of a
// handler whose partition was taken away is not one.
func (m *member) partition(ctx context.Context, p partition, offset int64, commits *committer) error {
	forever := func(int64) bool { return false }
	if offset < 0 { // nothing committed yet
		first, err := m.first(ctx, p)
		if err != nil {
			return nil //nolint:nilerr // stopped, not failed
		}
		offset = first
	}
	return m.bus.tail(ctx, p, offset, true, forever, func(r bus.Record) error {
		done, err := m.flights.run(ctx, p, r)
		if err != nil {
			return handlerError{err}
		}
		if done {
			commits.done(p, r.Offset+1)
		}
		return nil
	})
}

// first waits for the first offset of a partition.
func (m *member) first(ctx context.Context, p partition) (int64, error) {
	var pause backoff
	for {
		first, err := m.bus.offset(ctx, p, kafka.FirstOffset)
		if err == nil {
			return first, nil
		}
		if !pause.wait(ctx) {
			return 0, ctx.Err()
		}
		m.bus.refresh()
	}
}

// watch returns errChanged when a topic has other partitions than when the group
// was joined, and nil when ctx is done. kafka-go's own watch compares with what
// it finds only after the assignment, and rejoins without a pause while a topic
// is missing.
func (m *member) watch(ctx context.Context) error {
	tick := time.NewTicker(m.bus.config.PartitionWatch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		counts, err := m.count(ctx)
		if err == nil && !maps.Equal(counts, m.counts) {
			return errChanged
		}
	}
}

// count returns how many partitions each topic has; none for one that is
// missing.
func (m *member) count(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for _, topic := range m.topics {
		ids, err := m.bus.known(ctx, topic)
		if err != nil && !missing(err) {
			return nil, err
		}
		counts[topic] = len(ids)
	}
	return counts, nil
}
