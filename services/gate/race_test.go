package gate_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// race calls f with 0 to n-1, all at once.
func race(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

// Gates that race for one model make one promotion a generation, and every run
// comes to its end.
func TestGatesRace(t *testing.T) {
	const runs = 8
	store := newStore()
	var mu sync.Mutex
	generations := map[int64]*eventv1.ModelPromoted{}
	race(runs, func(i int) {
		h, _ := start(store)
		next := trained(fmt.Sprint("request ", i))
		for {
			out, err := h.Handle(t.Context(), evaluate(t, store, next, good, equal))
			if err != nil || len(out) != 1 {
				t.Error(out, err)
				return
			}
			m, ok := out[0].Data.(*eventv1.ModelPromoted)
			if !ok { // superseded
				next = out[0]
				continue
			}
			mu.Lock()
			defer mu.Unlock()
			if generations[m.GetGeneration()] != nil {
				t.Errorf("two promotions have generation %d", m.GetGeneration())
			}
			generations[m.GetGeneration()] = m
			return
		}
	})
	registered, changes := versions(t, store), history(t, store)
	if len(registered) != runs || len(changes) != runs {
		t.Fatalf("%d versions and %d promotions, want %d of both", len(registered), len(changes), runs)
	}
	of := map[string]bool{}
	for i, c := range changes {
		m := generations[c.Generation]
		if c.Generation != int64(i)+1 || m.GetVersion() != c.Version || m.GetRun() != c.Run || m.GetPreviousVersion() != c.Previous {
			t.Errorf("the registry has %v and the event says %v", c, m)
		}
		of[registered[c.Version-1].Run] = true
	}
	if len(of) != runs {
		t.Errorf("%d runs were promoted, want %d", len(of), runs)
	}
}

// Two gates that have the same event (one of them is being taken off) answer
// alike, and promote once.
func TestGatesShareAnEvent(t *testing.T) {
	store := newStore()
	in := evaluate(t, store, trained("request"), good, nil)
	var out [8]event.Event
	race(len(out), func(i int) {
		h, _ := start(store)
		if got, err := h.Handle(t.Context(), in); err != nil || len(got) != 1 {
			t.Error(got, err)
		} else {
			out[i] = got[0]
		}
	})
	if t.Failed() {
		return
	}
	for i, e := range out {
		if e.Topic != churn.ModelPromoted || encoded(t, e) != encoded(t, out[0]) {
			t.Errorf("gate %d has answered %v", i, e)
		}
	}
	if len(versions(t, store)) != 1 || len(history(t, store)) != 1 {
		t.Errorf("versions %v, promotions %v", versions(t, store), history(t, store))
	}
}
