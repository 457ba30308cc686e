package kafka_test

import (
	"context"
	"maps"
	"testing"

	"github.com/asfotec/churn/pkg/bus"
)

// Behind is what a group has not committed; one that has never been is behind by
// all, and one that has been on some partitions by what came later, and by all that
// is on the others.
func TestLag(t *testing.T) {
	b := open(t, broker(t).Addr())
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 3})
	ensure(t, b, bus.TopicConfig{Name: "empty", Partitions: 1})
	lag := func(group string) map[int]int64 {
		t.Helper()
		behind, err := b.Lag(t.Context(), group, "t", "empty")
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(behind["empty"], map[int]int64{0: 0}) {
			t.Errorf("of a topic without records: %v", behind["empty"])
		}
		return behind["t"]
	}
	none := map[int]int64{0: 0, 1: 0, 2: 0}
	// read has the group read n records, until it is behind by none, and returns how
	// many there were of each partition.
	read := func(group string, n int) map[int]int64 {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		records, done := make(chan bus.Record, n), make(chan error, 1)
		go func() {
			done <- b.Subscribe(ctx, group, []string{"t"}, 1, func(_ context.Context, r bus.Record) error {
				records <- r
				return nil
			})
		}()
		counts := maps.Clone(none)
		for range n {
			counts[(<-records).Partition]++
		}
		for !maps.Equal(lag(group), none) { // commits follow
			if t.Context().Err() != nil {
				t.Fatal("it stays behind")
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		return counts
	}
	for range 2 {
		publish(t, b, "t", "a", "value")
	}
	early := read("g", 2)
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		publish(t, b, "t", key, "value")
	}
	never, some := lag("never"), lag("g")
	all := read("whole", 10)
	if !maps.Equal(never, all) {
		t.Errorf("a group that has never been is behind by %v of %v", never, all)
	}
	for id := range all {
		if want := all[id] - early[id]; some[id] != want {
			t.Errorf("one that has read %v of %v is behind by %d on partition %d", early, all, some[id], id)
		}
	}
	if _, err := b.Lag(t.Context(), "g", "nowhere"); err == nil {
		t.Error("of a topic that is not there there is a lag")
	}
}
