package registrytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// Tracker tests the tracker that open returns. Calls of open within one test
// return clients of the same tracking server.
func Tracker(t *testing.T, open func(t *testing.T) registry.Tracker) {
	name := names()
	run := func(id string) registry.Run {
		return registry.Run{
			Experiment: name("experiment"), Run: id, Name: "for people: " + id,
			Started: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Tags: map[string]string{"git_sha": "abc"},
		}
	}
	entry := func(stage string) registry.Entry {
		return registry.Entry{
			Stage: stage, Params: map[string]string{"num_leaves": "31"}, Metrics: map[string]float64{"auc": 0.84},
			Series:    map[string][]float64{"valid_auc": {0.7, 0.8, 0.84}},
			Artifacts: map[string]*blob.Artifact{"model.txt": artifact(name("a"), "model.txt")},
		}
	}
	track := func(t *testing.T, r registry.Tracker, run registry.Run, e registry.Entry) string {
		t.Helper()
		id, err := r.Track(t.Context(), run, e)
		if err != nil || id == "" {
			t.Fatalf("the id is %q, %v", id, err)
		}
		return id
	}

	t.Run("a run keeps its id", func(t *testing.T) {
		one, two := open(t), open(t)
		first := track(t, one, run(name("a")), entry("trainer"))
		for what, got := range map[string]string{
			"again":                  track(t, one, run(name("a")), entry("trainer")),
			"by another client":      track(t, two, run(name("a")), entry("trainer")),
			"of a later stage":       track(t, two, run(name("a")), entry("evaluator")),
			"of a later round":       track(t, one, run(name("a")), entry("evaluator-round-1")),
			"of an entry of nothing": track(t, one, run(name("a")), registry.Entry{Stage: "gate"}),
		} {
			if got != first {
				t.Errorf("the id %s is %q, and was %q", what, got, first)
			}
		}
		if other := track(t, one, run(name("b")), entry("trainer")); other == first {
			t.Errorf("two runs have the id %q", other)
		}
	})
	t.Run("what is said again in other words changes nothing and is no error", func(t *testing.T) {
		r := open(t)
		first := track(t, r, run(name("c")), entry("trainer"))
		other := entry("trainer")
		other.Metrics = map[string]float64{"auc": 0.5}
		if got := track(t, r, run(name("c")), other); got != first {
			t.Errorf("the id is %q, and was %q", got, first)
		}
	})
	t.Run("many at once make one run", func(t *testing.T) {
		one, two := open(t), open(t)
		var got [racers]string
		race(func(i int) {
			id, err := []registry.Tracker{one, two}[i%2].Track(t.Context(), run(name("d")), entry(fmt.Sprintf("stage-%d", i/4)))
			if err != nil {
				t.Error(err)
			}
			got[i] = id
		})
		for i, id := range got {
			if id != got[0] {
				t.Errorf("racer %d was told the id %q, the first %q", i, id, got[0])
			}
		}
	})
	t.Run("hostile names are Invalid", func(t *testing.T) {
		r := open(t)
		for _, bad := range hostile {
			of := run(name("e"))
			of.Experiment = bad
			_, err := r.Track(t.Context(), of, entry("trainer"))
			wantKind(t, fmt.Sprintf("experiment %.20q", bad), err, churn.Invalid)
			_, err = r.Track(t.Context(), run(bad), entry("trainer"))
			wantKind(t, fmt.Sprintf("run %.20q", bad), err, churn.Invalid)
			_, err = r.Track(t.Context(), run(name("e")), entry(bad))
			wantKind(t, fmt.Sprintf("stage %.20q", bad), err, churn.Invalid)
		}
	})
}
