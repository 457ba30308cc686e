// Package bustest is what every bus.Bus must do, as one test.
package bustest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
)

// patience is how long anything may take before a test fails: rebalances on a
// loaded machine are slow.
const patience = 30 * time.Second

// Run tests the bus that open returns. Calls of open within one test return
// buses of the same broker; they are closed by the test. RebalanceTimeout (or
// what does its work) should be about 2 s, so that a hung member is given up
// within the test's time.
func Run(t *testing.T, open func(t *testing.T) bus.Bus) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"records come back as they were, in order", (*suite).roundTrip},
		{"keys choose partitions as Kafka's producers do", (*suite).partitioning},
		{"many records", (*suite).many},
		{"a record too large is Invalid", (*suite).tooLarge},
		{"an unknown topic is an error", (*suite).unknownTopic},
		{"Ensure may be repeated", (*suite).ensure},
		{"read from a position and to the end", (*suite).positions},
		{"follow", (*suite).follow},
		{"an error of a reader's handler ends the reading", (*suite).readError},
		{"an error of a handler ends the subscription and its record comes again", (*suite).redelivery},
		{"nothing is committed before its handler is done", (*suite).commitAfter},
		{"what is committed does not come again", (*suite).resume},
		{"in order within a partition, and at most so many partitions at once", (*suite).concurrency},
		{"several topics in one group", (*suite).topics},
		{"topics that are made later", (*suite).lateTopic},
		{"two members share and hand over", (*suite).handOver},
		{"a handler is cancelled when its partition is taken away", (*suite).revocation},
		{"the commit of a member that was given up is refused", (*suite).zombie},
		{"a subscription ends at once when it is told to", (*suite).prompt},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			c.test(&suite{T: t, ctx: ctx, open: open, id: strings.ToLower(rand.Text()[:8])})
		})
	}
}

type suite struct {
	*testing.T
	ctx  context.Context
	open func(t *testing.T) bus.Bus
	id   string // sets the test's topics and groups apart
}

func (s *suite) bus() bus.Bus {
	s.Helper()
	b := s.open(s.T)
	s.Cleanup(func() { s.check(b.Close()) })
	return b
}

// topic makes a topic and returns its name.
func (s *suite) topic(b bus.Bus, partitions int) string {
	s.Helper()
	name := fmt.Sprintf("test.%s-%d", s.id, partitions)
	s.check(b.Ensure(s.ctx, bus.TopicConfig{Name: name, Partitions: partitions}))
	return name
}

func (s *suite) group() string { return "test-" + s.id }

func (s *suite) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// publish publishes records whose values are given, with their first letter as
// key.
func (s *suite) publish(b bus.Bus, topic string, values ...string) {
	s.Helper()
	var records []bus.Record
	for _, v := range values {
		records = append(records, bus.Record{Topic: topic, Key: []byte(v[:1]), Value: []byte(v)})
	}
	s.check(b.Publish(s.ctx, records...))
}

// all reads the topic from the beginning to its end.
func (s *suite) all(b bus.Bus, topic string) []bus.Record {
	s.Helper()
	var records []bus.Record
	s.check(b.Read(s.ctx, topic, nil, false, func(_ context.Context, r bus.Record) error {
		records = append(records, r)
		return nil
	}))
	return records
}

// subscription is a Subscribe in the background.
type subscription struct {
	stop context.CancelFunc
	done chan struct{}
	err  error
}

func (s *suite) subscribe(b bus.Bus, concurrency int, handle bus.Handle, topics ...string) *subscription {
	ctx, stop := context.WithCancel(s.ctx)
	sub := &subscription{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(sub.done)
		sub.err = b.Subscribe(ctx, s.group(), topics, concurrency, handle)
	}()
	s.Cleanup(func() { stop(); <-sub.done })
	return sub
}

// end stops the subscription and returns its error.
func (sub *subscription) end() error {
	sub.stop()
	<-sub.done
	return sub.err
}

// seen collects what handlers saw.
type seen struct {
	mu     sync.Mutex
	values []string
	counts map[string]int
}

func (v *seen) add(r bus.Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values = append(v.values, string(r.Value))
	if v.counts == nil {
		v.counts = map[string]int{}
	}
	v.counts[string(r.Value)]++
}

// handle sees the record and is content with it.
func (v *seen) handle(_ context.Context, r bus.Record) error {
	v.add(r)
	return nil
}

func (v *seen) list() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.values)
}

func (v *seen) has(values ...string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, x := range values {
		if v.counts[x] == 0 {
			return false
		}
	}
	return true
}

// await waits until f.
func (s *suite) await(what string, f func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	s.Fatalf("waited %v in vain: %s", patience, what)
}

var errHandler = errors.New("handler failed")

// numbered returns n values that begin with the letter.
func numbered(letter string, n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("%s%04d", letter, i)
	}
	return values
}
