package bustest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/asfotec/churn/pkg/bus"
)

func (s *suite) redelivery() {
	b := s.bus()
	topic := s.topic(b, 1)
	s.publish(b, topic, "a1", "a2", "a3")
	var first seen
	err := b.Subscribe(s.ctx, s.group(), []string{topic}, 1, func(_ context.Context, r bus.Record) error {
		if string(r.Value) == "a2" {
			return errHandler
		}
		first.add(r)
		return nil
	})
	if !errors.Is(err, errHandler) {
		s.Errorf("error is %v, not the handler's", err)
	}
	if got := first.list(); !slices.Equal(got, []string{"a1"}) {
		s.Errorf("handled %v before the error", got)
	}
	var second seen
	sub := s.subscribe(b, 1, second.handle, topic)
	s.await("the rest", func() bool { return second.has("a2", "a3") })
	s.check(sub.end())
	if got := second.list(); !slices.Equal(got, []string{"a2", "a3"}) {
		s.Errorf("redelivered %v", got)
	}
}

func (s *suite) commitAfter() {
	b := s.bus()
	topic := s.topic(b, 1)
	s.publish(b, topic, "a1")
	began := make(chan struct{})
	sub := s.subscribe(b, 1, func(ctx context.Context, _ bus.Record) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}, topic)
	<-began
	s.check(sub.end())
	var v seen
	s.subscribe(b, 1, v.handle, topic)
	s.await("the record again", func() bool { return v.has("a1") })
}

func (s *suite) resume() {
	b := s.bus()
	topic := s.topic(b, 1)
	for round := range 3 {
		want := numbered(string(rune('a'+round)), 20)
		s.publish(b, topic, want...)
		var v seen
		sub := s.subscribe(b, 1, v.handle, topic)
		s.await("this round's records", func() bool { return v.has(want...) })
		s.check(sub.end())
		if got := v.list(); !slices.Equal(got, want) {
			s.Fatalf("round %d: %v", round, got)
		}
	}
}

func (s *suite) concurrency() {
	b := s.bus()
	topic := s.topic(b, 6)
	var now, most atomic.Int32
	var busy [6]atomic.Bool // the partitions
	var next [6]int64
	var v seen
	sub := s.subscribe(b, 2, func(_ context.Context, r bus.Record) error {
		if busy[r.Partition].Swap(true) {
			s.Errorf("two records of partition %d at once", r.Partition)
		}
		defer busy[r.Partition].Store(false)
		if r.Offset != next[r.Partition] {
			s.Errorf("partition %d: offset %d comes before %d", r.Partition, r.Offset, next[r.Partition])
		}
		next[r.Partition] = r.Offset + 1
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(10 * time.Millisecond)
		v.add(r)
		return nil
	}, topic)
	var all []string
	for _, letter := range "abcdefghij" {
		all = append(all, numbered(string(letter), 5)...)
	}
	s.publish(b, topic, all...)
	s.await("all records", func() bool { return v.has(all...) })
	s.check(sub.end())
	if most.Load() != 2 {
		s.Errorf("%d records at once, not 2", most.Load())
	}
}

func (s *suite) topics() {
	b := s.bus()
	one, two := s.topic(b, 1), s.topic(b, 2)
	var v seen
	s.subscribe(b, 4, v.handle, one, two)
	s.publish(b, one, "a1")
	s.publish(b, two, "b1", "c1", "d1")
	s.await("records of both topics", func() bool { return v.has("a1", "b1", "c1", "d1") })
}

func (s *suite) lateTopic() {
	b := s.bus()
	first, second := "test.first-"+s.id, "test.second-"+s.id
	var v seen
	s.subscribe(b, 1, v.handle, first, second) // neither is there
	for _, topic := range []string{first, second} {
		s.check(b.Ensure(s.ctx, bus.TopicConfig{Name: topic, Partitions: 1}))
		s.publish(b, topic, "a "+topic)
		s.await("the record of "+topic, func() bool { return v.has("a " + topic) })
	}
}

func (s *suite) handOver() {
	b := s.bus()
	topic := s.topic(b, 4)
	var one, two seen
	first := s.subscribe(s.bus(), 4, one.handle, topic)
	batch := func(round string) []string {
		var all []string
		for _, letter := range "abcdefghijklmnop" {
			all = append(all, string(letter)+round)
		}
		return all
	}
	s.publish(b, topic, batch("1")...)
	s.await("the first member alone", func() bool { return one.has(batch("1")...) })

	second := s.subscribe(s.bus(), 4, two.handle, topic)
	round := 0
	s.await("both members at work", func() bool {
		round++
		s.publish(b, topic, batch("s"+string(rune('A'+round%26)))...)
		time.Sleep(50 * time.Millisecond)
		return len(two.list()) > 0
	})
	s.publish(b, topic, batch("2")...)
	s.await("all records, whoever handles them", func() bool {
		for _, v := range batch("2") {
			if !one.has(v) && !two.has(v) {
				return false
			}
		}
		return true
	})
	s.check(first.end())
	s.publish(b, topic, batch("3")...)
	s.await("the second member alone", func() bool { return two.has(batch("3")...) })
	s.check(second.end())
}

// revocation: of two partitions whose records are being handled, one goes to
// another member. Its handler is cancelled; the other's work is not undone.
func (s *suite) revocation() {
	b := s.bus()
	topic := s.topic(b, 2)
	values := s.both(b, topic)
	began, cancelled, finish := make(chan int, 9), make(chan int, 9), make(chan struct{})
	var kept seen
	s.subscribe(s.bus(), 2, func(ctx context.Context, r bus.Record) error {
		began <- r.Partition
		select {
		case <-ctx.Done():
			cancelled <- r.Partition
			return ctx.Err()
		case <-finish:
			kept.add(r)
			return nil
		}
	}, topic)
	<-began
	<-began
	var heir seen
	s.subscribe(s.bus(), 1, heir.handle, topic)
	var lost int
	select {
	case lost = <-cancelled:
	case <-time.After(patience):
		s.Fatal("the handler goes on though its partition has gone to another member")
	}
	s.await("the record that was interrupted", func() bool { return heir.has(values[lost]) })
	close(finish)
	s.await("the record that was not", func() bool { return kept.has(values[1-lost]) })
	if len(cancelled) > 0 || heir.has(values[1-lost]) {
		s.Errorf("the work on partition %d was undone, which stayed", 1-lost)
	}
}

// both publishes a record to each of the topic's two partitions, and returns their
// values by partition.
func (s *suite) both(b bus.Bus, topic string) [2]string {
	s.Helper()
	s.publish(b, topic, numbered("a", 1)...)
	values := [2]string{}
	for _, letter := range "bcdefghijklmnop" {
		for _, r := range s.all(b, topic) {
			values[r.Partition] = string(r.Value)
		}
		if values[0] != "" && values[1] != "" {
			return values
		}
		s.publish(b, topic, numbered(string(letter), 1)...)
		values = [2]string{}
	}
	s.Fatal("all records are in one partition")
	return values
}

// zombie hangs in its handlers, whatever their contexts say, until another member
// has taken a partition over and done its work; its own success must not move the
// group's offset back.
func (s *suite) zombie() {
	b := s.bus()
	topic := s.topic(b, 2)
	values := s.both(b, topic)
	began, wake := make(chan struct{}, 9), make(chan struct{})
	zombie := s.subscribe(s.bus(), 2, func(context.Context, bus.Record) error {
		began <- struct{}{}
		<-wake
		return nil
	}, topic)
	<-began
	<-began
	var heir seen
	second := s.subscribe(s.bus(), 1, heir.handle, topic)
	s.await("the heir to take over", func() bool { return len(heir.list()) > 0 })
	taken := 0
	if heir.has(values[1]) {
		taken = 1
	}
	var want []string
	for range 3 {
		for _, letter := range "abcdefghijklmnop" {
			s.publish(b, topic, string(letter)+"2")
		}
	}
	for _, r := range s.all(b, topic) {
		if r.Partition == taken {
			want = append(want, string(r.Value))
		}
	}
	s.await("the heir to go on", func() bool { return len(heir.list()) >= len(want) })
	s.check(second.end())
	close(wake)
	s.check(zombie.end())

	var last seen
	s.subscribe(b, 1, func(_ context.Context, r bus.Record) error {
		if r.Partition == taken {
			last.add(r)
		}
		return nil
	}, topic)
	for _, letter := range "abcdefghijklmnop" {
		s.publish(b, topic, string(letter)+"3")
	}
	s.await("the next records", func() bool { return len(last.list()) > 0 })
	for _, v := range last.list() {
		if v[1] != '3' {
			s.Errorf("the group's offset went back: %v", last.list())
		}
	}
}

func (s *suite) prompt() {
	b := s.bus()
	topic := s.topic(b, 3)
	s.publish(b, topic, "a1")
	var v seen
	sub := s.subscribe(b, 3, v.handle, topic)
	s.await("the record", func() bool { return v.has("a1") })
	start := time.Now()
	s.check(sub.end())
	if d := time.Since(start); d > patience/6 {
		s.Errorf("leaving the group took %v", d)
	}
}
