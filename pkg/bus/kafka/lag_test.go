package kafka_test

import (
	"maps"
	"testing"

	"github.com/asfotec/churn/pkg/bus"
)

// Behind is what a group has not committed; one that has never been is behind by
// all.
func TestLag(t *testing.T) {
	b := open(t, broker(t).Addr())
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 3})
	ensure(t, b, bus.TopicConfig{Name: "empty", Partitions: 1})
	lag := func() map[string]int64 {
		t.Helper()
		behind, err := b.Lag(t.Context(), "g", "t", "empty")
		if err != nil {
			t.Fatal(err)
		}
		return behind
	}
	for _, key := range []string{"a", "b", "c", "d"} {
		publish(t, b, "t", key, "value")
	}
	if got := lag(); !maps.Equal(got, map[string]int64{"t": 4, "empty": 0}) {
		t.Errorf("of a group that has never been: %v", got)
	}
	values := subscribe(t, b, "g", "t")
	for range 4 {
		receive(t, values)
	}
	for lag()["t"] != 0 { // commits follow
		select {
		case <-t.Context().Done():
			t.Fatal("it stays behind")
		default:
		}
	}
	if _, err := b.Lag(t.Context(), "g", "nowhere"); err == nil {
		t.Error("of a topic that is not there there is a lag")
	}
}
