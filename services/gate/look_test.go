package gate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

// policyOf returns what the run's decision.json says of its look.
func policyOf(t *testing.T, store blob.Store, e event.Event) gate.Policy {
	t.Helper()
	a, err := store.Stat(t.Context(), churn.ArtifactKey(e.Run(), churn.Gate, churn.DecisionJSON))
	if err != nil {
		t.Fatal(err)
	}
	text, err := store.Get(t.Context(), a, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var d gate.Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return *d.Policy
}

// Each comparison with a champion on a hold-out is one more look at it, with less
// left to spend; what is looked at again, or is other rows, is not.
func TestLooksAreCounted(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	first := evaluate(t, store, trained("first"), good, nil)
	handle(t, h, first)
	if p := policyOf(t, store, first); p.Look != 0 {
		t.Errorf("without a champion: %+v", p)
	}
	for n := int64(1); n <= 3; n++ {
		in := evaluate(t, store, trained(fmt.Sprint("request ", n)), good, equal)
		handle(t, h, in)
		again, _ := start(store) // with nothing in mind
		handle(t, again, in)
		if p := policyOf(t, store, in); p.Look != n || p.Holdout == "" {
			t.Errorf("look %d: %+v", n, p)
		}
	}
	other := evaluate(t, store, trained("others", func(p *eventv1.Plan) { p.Split.Salt = "other rows" }), good, equal)
	handle(t, h, other)
	if p := policyOf(t, store, other); p.Look != 1 {
		t.Errorf("at other rows: %+v", p)
	}
}

// A gate that is cut off at any write looks once.
func TestCutOffLooksAreCountedOnce(t *testing.T) {
	for n := 1; ; n++ {
		store := newStore()
		h, _ := start(store)
		handle(t, h, evaluate(t, store, trained("champion"), good, nil))
		in := evaluate(t, store, trained("request"), good, equal)
		cut := &cut{Store: store, n: n, after: true}
		failing, _ := start(cut)
		_, err := failing.Handle(t.Context(), in)
		whole, _ := start(store)
		handle(t, whole, in)
		looks := 0
		for key, err := range store.List(t.Context(), "holdouts/") {
			if err != nil || !strings.HasPrefix(key, "holdouts/"+model+"/") {
				t.Fatal(key, err)
			}
			looks++
		}
		if p := policyOf(t, store, in); p.Look != 1 || looks != 1 {
			t.Errorf("cut off after write %d: look %d of %d", n, p.Look, looks)
		}
		if err == nil {
			return // it was not cut off any more
		}
	}
}
