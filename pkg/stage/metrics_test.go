package stage_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

func TestMetrics(t *testing.T) {
	simulate(t, func(w *world) {
		h, _ := failing(int64(2*inPlace+2), broken()) // once round the retry topic
		_, stop := w.start(featurizer(h))
		defer stop()
		w.publish(garbage("x"), w.record(request("1")))
		w.pass(time.Hour)
		bad := w.record(request("2"))
		bad.Value = nil
		w.publish(w.record(request("3")), bad)
		w.pass(time.Second)
		want := map[string]float64{
			`churn_events_total{outcome="done",service="featurizer",topic="test.retrain-requested"}`:   2,
			`churn_events_total{outcome="retry",service="featurizer",topic="test.retrain-requested"}`:  2,
			`churn_events_total{outcome="failed",service="featurizer",topic="test.retrain-requested"}`: 2,
			`churn_failed_attempts_total{kind="internal",service="featurizer"}`:                        float64(2*inPlace + 1),
			`churn_dead_letters_total{kind="invalid",service="featurizer"}`:                            2,
			`churn_events_in_flight{service="featurizer"}`:                                             0,
			`churn_event_seconds{service="featurizer"}`:                                                4,
		}
		if got := w.series(); !maps.Equal(got, want) {
			for _, name := range slices.Sorted(maps.Keys(got)) {
				t.Log(name, got[name])
			}
			t.Errorf("not as wanted: %v", want)
		}
	})
}

// What is in flight is counted while it is.
func TestInFlight(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(reporting(1, time.Minute)))
		defer stop()
		w.publish(w.record(request("1")))
		w.settle()
		name := fmt.Sprintf("churn_events_in_flight{service=%q}", "featurizer")
		if got := w.series()[name]; got != 1 {
			t.Errorf("%v in flight", got)
		}
		w.pass(2 * time.Minute)
		if got := w.series()[name]; got != 0 {
			t.Errorf("%v in flight", got)
		}
	})
}
