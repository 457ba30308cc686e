package registrytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// Tracker tests the tracker that open returns, with artifacts in the store. Calls
// of open within one test return clients of the same tracking server.
func Tracker(t *testing.T, store blob.Store, open func(t *testing.T) registry.Tracker) {
	name := names()
	model := put(t, store, name("a"), "model.txt")
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
			Artifacts: map[string]*blob.Artifact{"model.txt": model},
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
	t.Run("a trial is a run of its own, below its run", func(t *testing.T) {
		one, two := open(t), open(t)
		trial := func(of string) registry.Run {
			r := run(name("f"))
			r.Trial = of
			return r
		}
		first := track(t, one, trial("trial-1"), entry("trainer"))
		whole := track(t, two, trial(""), entry("trainer"))
		second := track(t, two, trial("trial-2"), entry("trainer"))
		if first == whole || first == second || second == whole {
			t.Errorf("the ids are %q of the run, %q and %q of its trials", whole, first, second)
		}
		if again := track(t, two, trial("trial-1"), registry.Entry{Stage: "evaluator", Ends: true}); again != first {
			t.Errorf("the id is %q, and was %q", again, first)
		}
	})
	t.Run("a run that has ended is the same run, whatever is said of it later", func(t *testing.T) {
		one, two := open(t), open(t)
		first := track(t, one, run(name("g")), entry("trainer"))
		for _, e := range []registry.Entry{
			{Stage: "gate", Ends: true}, {Stage: "gate", Ends: true}, {Stage: "gate-failed", Ends: true, Failed: true}, entry("trainer"), entry("evaluator"),
		} {
			if got := track(t, two, run(name("g")), e); got != first {
				t.Errorf("the id after the %s is %q, and was %q", e.Stage, got, first)
			}
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
			if bad == "" { // no trial
				continue
			}
			of = run(name("e"))
			of.Trial = bad
			_, err = r.Track(t.Context(), of, entry("trainer"))
			wantKind(t, fmt.Sprintf("trial %.20q", bad), err, churn.Invalid)
		}
	})
}
