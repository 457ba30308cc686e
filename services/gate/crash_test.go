package gate_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

var errCut = churn.Errorf("test", churn.Transient, "cut off")

// cut is a store whose n-th Put fails: before it writes, or after.
type cut struct {
	*memory.Store
	n, puts int
	after   bool
	at      string // key of the Put that failed
}

func (c *cut) Put(ctx context.Context, key, media string, body io.ReadSeeker) (*blob.Artifact, error) {
	if c.puts++; c.puts != c.n {
		return c.Store.Put(ctx, key, media, body)
	}
	c.at = key
	if c.after {
		if _, err := c.Store.Put(ctx, key, media, body); err != nil {
			return nil, err
		}
	}
	return nil, errCut
}

// A gate that is cut off before or after any of its writes, and is started
// again, leaves the same bytes as one that is not.
func TestCutOffAnywhere(t *testing.T) {
	forEachCut(t, func(t *testing.T, in event.Event, store *memory.Store, whole map[string]string, want string) {
		h, _ := start(store)
		if got := encoded(t, handle(t, h, in)); got != want {
			t.Errorf("answered with\n%s\nwant\n%s", got, want)
		}
		if got := contents(t, store); !maps.Equal(got, whole) {
			t.Errorf("the store holds\n%v\nwant\n%v", got, whole)
		}
	})
}

// If another candidate was promoted in the meantime, the one that was promoted
// before says so with the same bytes, and the one that was not goes back to be
// evaluated. Nobody is promoted twice, and no version is lost.
func TestCutOffAnywhereWithARival(t *testing.T) {
	forEachCut(t, func(t *testing.T, in event.Event, store *memory.Store, _ map[string]string, want string) {
		first := len(history(t, store)) == 1
		promote(t, store, "rival")
		h, _ := start(store)
		out := handle(t, h, in)
		switch out.Topic {
		case churn.ModelPromoted:
			if got := encoded(t, out); !first || got != want {
				t.Errorf("answered with\n%s\nwant\n%s", got, want)
			}
		case churn.ModelTrained:
			if first {
				t.Errorf("the candidate was promoted, and is sent back")
			}
			out = handle(t, h, evaluate(t, store, out, good, equal))
		}
		if m, ok := out.Data.(*eventv1.ModelPromoted); !ok || m.GetRun() != in.Run() {
			t.Fatalf("the run ended as %v", out.Data)
		}
		runs := map[string]int{}
		for _, c := range history(t, store) {
			runs[c.Run]++
		}
		if want := map[string]int{in.Run(): 1, churn.RunID("rival"): 1}; !maps.Equal(runs, want) || len(versions(t, store)) != 2 {
			t.Errorf("promotions by run: %v of %d versions, want %v", runs, len(versions(t, store)), want)
		}
	})
}

// forEachCut calls test with a store that a gate was cut off over, for each of
// its writes; whole and want are of a gate that was not.
func forEachCut(t *testing.T, test func(t *testing.T, in event.Event, store *memory.Store, whole map[string]string, want string)) {
	in := evaluate(t, newStore(), trained("request"), good, nil)
	whole := &cut{Store: newStore()}
	h, _ := start(whole)
	want := encoded(t, handle(t, h, in))
	if whole.puts != 6 { // claim, version, champion, decision, tracking, outcome
		t.Fatalf("the gate has written %d objects", whole.puts)
	}
	for n := range whole.puts {
		for _, after := range []bool{false, true} {
			store := &cut{Store: newStore(), n: n + 1, after: after}
			h, _ := start(store)
			_, err := h.Handle(t.Context(), in)
			if !churn.IsKind(err, churn.Transient) {
				t.Fatalf("cut off at write %d: %v", n+1, err)
			}
			name := store.at[strings.LastIndex(store.at, "/")+1:]
			t.Run(fmt.Sprintf("%d %s after=%v", n+1, name, after), func(t *testing.T) {
				test(t, in, store.Store, contents(t, whole), want)
			})
		}
	}
}

// deaf is a registry that does what it is told and answers with an error, for
// as many times as is said.
type deaf struct {
	registry.Registry
	register, promote int
}

func (d *deaf) Register(ctx context.Context, v registry.Version) (registry.Version, error) {
	out, err := d.Registry.Register(ctx, v)
	if d.register--; d.register >= 0 && err == nil {
		return registry.Version{}, errCut
	}
	return out, err
}

func (d *deaf) Promote(ctx context.Context, c registry.Champion, expected int64) (registry.Champion, error) {
	out, err := d.Registry.Promote(ctx, c, expected)
	if d.promote--; d.promote >= 0 && err == nil {
		return registry.Champion{}, errCut
	}
	return out, err
}

// Of whatever registry: if its answers are lost, there is still one version and
// one promotion, and others that were promoted meanwhile change nothing.
func TestLostAnswersOfTheRegistry(t *testing.T) {
	in := evaluate(t, newStore(), trained("request"), good, nil)
	whole := newStore()
	h, _ := start(whole)
	want := encoded(t, handle(t, h, in))

	store := newStore()
	reg := &deaf{Registry: objectstore.New(store), register: 2, promote: 2}
	g := gate.New(store, reg, objectstore.NewTracker(store))
	for attempt := range 4 {
		_, err := g.Handle(t.Context(), in)
		if !churn.IsKind(err, churn.Transient) {
			t.Fatalf("attempt %d: %v, want the registry's error", attempt+1, err)
		}
	}
	promote(t, store, "another")
	if got := encoded(t, handle(t, g, in)); got != want {
		t.Errorf("answered with\n%s\nwant\n%s", got, want)
	}
	if v, c := versions(t, store), history(t, store); len(v) != 2 || len(c) != 2 || c[0].Run != in.Run() {
		t.Errorf("versions %v, promotions %v", v, c)
	}
}

// contradicting is a registry that does not know what it has confirmed.
type contradicting struct{ registry.Registry }

func (c contradicting) Promote(ctx context.Context, p registry.Champion, expected int64) (registry.Champion, error) {
	p.Version = 99
	return c.Registry.Promote(ctx, p, expected)
}

// The registry's faults are not the candidate's: the run does not fail by them.
func TestContradictingRegistry(t *testing.T) {
	store := newStore()
	s := gate.New(store, contradicting{objectstore.New(store)}, objectstore.NewTracker(store)).Stage()
	in := evaluate(t, store, trained("request"), good, nil)
	if _, err := s.Handler.Handle(t.Context(), in); !churn.IsKind(err, churn.Internal) {
		t.Errorf("promoted: %v, want an Internal error", err)
	}
	other := newStore()
	if _, err := s.Tables(t.Context(), []event.Event{promote(t, other, "of another registry")}); !churn.IsKind(err, churn.Internal) {
		t.Errorf("tables: %v, want an Internal error", err)
	}
}

// A decision that an earlier attempt has written down otherwise is never
// overwritten: people are told what to do, and the gate waits.
func TestDecidedInOtherWords(t *testing.T) {
	store := newStore()
	in := evaluate(t, store, trained("request"), good, nil)
	key := churn.ArtifactKey(in.Run(), churn.Gate, churn.DecisionJSON)
	if _, err := store.Put(t.Context(), key, "application/json", strings.NewReader("{}")); err != nil {
		t.Fatal(err)
	}
	h, _ := start(store)
	_, err := h.Handle(t.Context(), in)
	if !churn.IsKind(err, churn.Conflict) || !strings.Contains(err.Error(), "remove the object") || !strings.Contains(err.Error(), store.URI(key)) {
		t.Errorf("%v, want a Conflict that says what to do", err)
	}
}
