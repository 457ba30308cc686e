package bustest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

func (s *suite) roundTrip() {
	b := s.bus()
	topic := s.topic(b, 1)
	at := time.UnixMilli(1700000000123)
	want := []bus.Record{
		{Topic: topic, Key: []byte("k"), Value: []byte("v"), Time: at, Headers: []bus.Header{
			{Key: "b", Value: []byte("2")}, {Key: "a", Value: []byte{0xff, 0}}, {Key: "b", Value: []byte("3")},
		}},
		{Topic: topic, Key: []byte("k"), Value: []byte{}, Time: at},
		{Topic: topic, Key: []byte("k"), Time: at}, // a tombstone
		{Topic: topic, Value: []byte("no key"), Time: at},
	}
	s.check(b.Publish(s.ctx, want...))
	got := s.all(b, topic)
	if len(got) != len(want) {
		s.Fatalf("%d records, not %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Topic != topic || g.Partition != 0 || g.Offset != int64(i) || !g.Time.Equal(at) ||
			!bytes.Equal(g.Key, w.Key) || !bytes.Equal(g.Value, w.Value) {
			s.Errorf("record %d is %+v, not %+v", i, g, w)
		}
		if (g.Value == nil) != (w.Value == nil) || (g.Key == nil) != (w.Key == nil) {
			s.Errorf("record %d: an empty key or value and none at all were confused", i)
		}
		if !slices.EqualFunc(g.Headers, w.Headers, func(x, y bus.Header) bool {
			return x.Key == y.Key && bytes.Equal(x.Value, y.Value)
		}) {
			s.Errorf("record %d: headers are %v, not %v", i, g.Headers, w.Headers)
		}
	}
}

// partitioning holds the partition of keys against murmur2 as Kafka's own tests
// give it: "21" hashes to -973932308, "foobar" to -790332482.
func (s *suite) partitioning() {
	b := s.bus()
	topic := s.topic(b, 5)
	s.check(b.Publish(s.ctx,
		bus.Record{Topic: topic, Key: []byte("21")}, bus.Record{Topic: topic, Key: []byte("foobar")}))
	for _, r := range s.all(b, topic) {
		if want := map[string]int{"21": 0, "foobar": 1}[string(r.Key)]; r.Partition != want {
			s.Errorf("key %s is in partition %d, not %d", r.Key, r.Partition, want)
		}
	}
}

// many records in one call are more than one batch.
func (s *suite) many() {
	b := s.bus()
	topic := s.topic(b, 3)
	var records []bus.Record
	for i := range 300 {
		records = append(records, bus.Record{
			Topic: topic, Key: []byte{byte(i % 7)}, Value: append([]byte{byte(i / 7)}, make([]byte, 9000)...),
		})
	}
	s.check(b.Publish(s.ctx, records...))
	next := map[string]byte{}
	n := 0
	for _, r := range s.all(b, topic) {
		if k := string(r.Key); r.Value[0] != next[k] {
			s.Fatalf("key %x: record %d comes before record %d", k, r.Value[0], next[k])
		}
		next[string(r.Key)]++
		n++
	}
	if n != len(records) {
		s.Errorf("%d records, not %d", n, len(records))
	}
}

func (s *suite) tooLarge() {
	b := s.bus()
	topic := s.topic(b, 1)
	start := time.Now()
	err := b.Publish(s.ctx, bus.Record{Topic: topic, Value: make([]byte, 2<<20)})
	if !churn.IsKind(err, churn.Invalid) {
		s.Errorf("error is %v, not Invalid", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		s.Errorf("refused only after %v", d)
	}
	large := "test.large-" + s.id
	s.check(b.Ensure(s.ctx, bus.TopicConfig{Name: large, Partitions: 1, MaxBytes: 3 << 20}))
	s.check(b.Publish(s.ctx, bus.Record{Topic: large, Value: make([]byte, 2<<20)}))
	if got := s.all(b, large); len(got) != 1 || len(got[0].Value) != 2<<20 {
		s.Errorf("a large record did not come back from a topic that takes it")
	}
}

func (s *suite) unknownTopic() {
	b := s.bus()
	if err := b.Publish(s.ctx, bus.Record{Topic: "test.none-" + s.id}); !churn.IsKind(err, churn.Invalid) {
		s.Errorf("publish: error is %v, not Invalid", err)
	}
	none := func(context.Context, bus.Record) error { return nil }
	if err := b.Read(s.ctx, "test.none-"+s.id, nil, true, none); !churn.IsKind(err, churn.NotFound) {
		s.Errorf("read: error is %v, not NotFound", err)
	}
}

func (s *suite) ensure() {
	b := s.bus()
	s.check(b.Ping(s.ctx))
	topic := s.topic(b, 2)
	s.publish(b, topic, "a1")
	s.check(b.Ensure(s.ctx, bus.TopicConfig{Name: topic, Partitions: 3}))
	end, err := b.End(s.ctx, topic)
	s.check(err)
	if len(end) != 2 {
		s.Errorf("an existing topic has now %d partitions", len(end))
	}
	if n := len(s.all(b, topic)); n != 1 {
		s.Errorf("an existing topic has now %d records", n)
	}
	names, err := s.bus().Topics(s.ctx)
	s.check(err)
	if !slices.Contains(names, topic) {
		s.Errorf("%s is not among %v", topic, names)
	}
	s.check(b.Ensure(s.ctx))
}

func (s *suite) positions() {
	b := s.bus()
	topic := s.topic(b, 2)
	end, err := b.End(s.ctx, topic)
	s.check(err)
	if len(end) != 2 || end[0] != 0 || end[1] != 0 {
		s.Errorf("the end of an empty topic is %v", end)
	}
	if got := s.all(b, topic); len(got) != 0 {
		s.Errorf("an empty topic holds %v", got)
	}
	s.publish(b, topic, "a1", "b1", "c1", "d1")
	middle, err := b.End(s.ctx, topic)
	s.check(err)
	s.publish(b, topic, "a2", "b2", "c2", "d2")
	var v seen
	s.check(b.Read(s.ctx, topic, middle, false, v.handle))
	got := v.list()
	slices.Sort(got)
	if !slices.Equal(got, []string{"a2", "b2", "c2", "d2"}) {
		s.Errorf("after the position there are %v", got)
	}
	if n := len(s.all(b, topic)); n != 8 {
		s.Errorf("%d records in all, not 8", n)
	}
	var one seen // a partition that the position does not name is read from its beginning
	s.check(b.Read(s.ctx, topic, bus.Position{0: middle[0]}, false, one.handle))
	if got := int64(len(one.list())); got != 4+middle[1] {
		s.Errorf("%d records with a position for one partition alone, not %d", got, 4+middle[1])
	}
}

func (s *suite) follow() {
	b := s.bus()
	topic := s.topic(b, 3)
	s.publish(b, topic, "a1")
	ctx, stop := context.WithCancel(s.ctx)
	var v seen
	done := make(chan error)
	go func() { done <- b.Read(ctx, topic, nil, true, v.handle) }()
	s.await("the old record", func() bool { return v.has("a1") })
	s.publish(b, topic, "a2", "b1", "c1")
	s.await("the new records", func() bool { return v.has("a2", "b1", "c1") })
	stop()
	if err := <-done; err != nil {
		s.Errorf("a follower that was told to stop returned %v", err)
	}
}

func (s *suite) readError() {
	b := s.bus()
	topic := s.topic(b, 1)
	s.publish(b, topic, "a1", "a2")
	for _, follow := range []bool{false, true} {
		n := 0
		err := b.Read(s.ctx, topic, nil, follow, func(context.Context, bus.Record) error { n++; return errHandler })
		if !errors.Is(err, errHandler) || n != 1 {
			s.Errorf("follow %v: error %v after %d records", follow, err, n)
		}
	}
}
