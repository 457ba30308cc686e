package stage_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
)

// Anyone who can write to a retry topic can write any headers there: no panic, no
// new time series, no waiting beyond the delay, and the end is a dead letter or
// the answer.
func TestForgedRetryHeaders(t *testing.T) {
	numbers := []string{"", "-1", "0", "1.5", "x", fmt.Sprint(math.MaxInt64), "9223372036854775808", strings.Repeat("9", 10_000), "\xff"}
	times := []string{"", "now", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "-1", "\x00"}
	topics := []string{"", in, out, retry, dead, "elsewhere", strings.Repeat("t", 249), strings.Repeat("t", 100_000), "a\nb\"}", "\xff"}
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(answer))
		defer stop()
		n := int64(0)
		forge := func(r bus.Record, headers map[string]string) {
			t.Helper()
			r.Topic = retry
			for _, key := range slices.Sorted(maps.Keys(headers)) {
				r.Headers = append(r.Headers, bus.Header{Key: key, Value: []byte(headers[key])})
			}
			w.publish(r)
			w.pass(delay)
			n++
			if got := w.log.at(group, retry); got != n {
				t.Fatalf("%.300v: not done within the delay", headers)
			}
		}
		valid := w.record(request("1"))
		for _, topic := range topics {
			forge(valid, map[string]string{"retry_topic": topic})
			forge(valid, map[string]string{"dlq_topic": topic})
			forge(garbage("x"), map[string]string{"retry_topic": topic, "dlq_topic": topic})
		}
		for _, number := range numbers {
			for _, name := range []string{"partition", "offset", "attempts", "rounds"} {
				forge(garbage("x"), map[string]string{"retry_topic": in, "retry_" + name: number})
				forge(valid, map[string]string{"dlq_topic": in, "dlq_" + name: number})
			}
		}
		for _, at := range times {
			forge(garbage("x"), map[string]string{"retry_topic": in, "retry_first_time": at, "retry_not_before": at, "retry_time": at})
			forge(garbage("x"), map[string]string{"dlq_topic": in, "dlq_time": at})
		}
		if got := int64(len(w.log.records(dead)) + len(w.log.records(out))/2); got != n {
			t.Errorf("%d records came to %d ends", n, got)
		}
		for name := range w.series() {
			if !slices.Contains([]string{
				`churn_events_total{outcome="done",service="featurizer",topic="test.retrain-requested"}`,
				`churn_events_total{outcome="failed",service="featurizer",topic="test.retrain-requested"}`,
				`churn_events_total{outcome="failed",service="featurizer",topic="other"}`,
				`churn_dead_letters_total{kind="invalid",service="featurizer"}`,
				`churn_events_in_flight{service="featurizer"}`,
				`churn_event_seconds{service="featurizer"}`,
			}, name) {
				t.Errorf("a series %s", name)
			}
		}
	})
}

// A record that was put into the retry topic without saying where it is from is
// one of the retry topic.
func TestARetryFromNowhere(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(answer))
		defer stop()
		original := garbage("x")
		original.Topic = retry
		w.publish(original)
		w.settle()
		w.headers(w.count(dead, 1)[0], map[string]string{"dlq_topic": retry, "dlq_offset": "0", "dlq_message": "*"})
	})
}

// More attempts than can be are not counted on.
func TestForgedAttempts(t *testing.T) {
	simulate(t, func(w *world) {
		h, _ := failing(1<<40, broken())
		_, stop := w.start(featurizer(h))
		defer stop()
		r := w.record(request("1"))
		r.Topic = retry
		r.Headers = append(r.Headers, bus.Header{Key: "retry_topic", Value: []byte(in)},
			bus.Header{Key: "retry_attempts", Value: []byte("1073741823")}, bus.Header{Key: "retry_rounds", Value: []byte("1073741823")})
		w.publish(r)
		w.pass(time.Hour)
		w.committed(retry, 1) // no more rounds
		w.headers(w.count(dead, 1)[0], map[string]string{"dlq_attempts": "1073741829"})
		w.count(failures, 1)
	})
}
