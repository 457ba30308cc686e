package gate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

// asked returns a person's request, of the given id.
func asked(topic churn.Topic, id string, m proto.Message) event.Event {
	return event.Event{
		Topic: topic, Key: model, ID: id, Source: "/test", Type: topic.Type(), Time: time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Data: m,
	}
}

func rollback(id string, to, from int64) event.Event {
	return asked(churn.RollbackRequested, id, &eventv1.RollbackRequested{
		Model: model, ToVersion: to, FromVersion: from, RequestedBy: "olga", Reason: "complaints",
	})
}

// wantInvalid wants the request's run to fail with a message that says so.
func wantInvalid(t testing.TB, store blob.Store, e event.Event, say string) {
	t.Helper()
	h, _ := start(store)
	out, err := h.Handle(t.Context(), e)
	if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), say) {
		t.Errorf("answered with %v, %v, want an Invalid error that says %q", out, err, say)
	}
}

// served returns the versions that were in production, oldest first.
func served(t testing.TB, store blob.Store) string {
	t.Helper()
	var all []string
	for _, c := range history(t, store) {
		all = append(all, fmt.Sprint(c.Version))
	}
	return strings.Join(all, " ")
}

func TestRollback(t *testing.T) {
	store := newStore()
	var promoted []event.Event
	for n := range 3 {
		promoted = append(promoted, promote(t, store, fmt.Sprint("request ", n)))
	}
	h, s := start(store)
	in := rollback("back", 1, 3)
	out := handle(t, h, in)
	m, ok := out.Data.(*eventv1.ModelPromoted)
	if !ok || out.Run() != churn.RunID("back") || out.Key != model || out.Causation != "back" {
		t.Fatalf("the answer is %+v", out)
	}
	d := decision(t, store, m.GetDecision())
	if d.Kind != gate.Rollback || d.Outcome != gate.Promoted || d.Run != out.Run() || d.TrainedBy != promoted[0].Run() || d.RequestedBy != "olga" ||
		d.Reason != "olga asked to go back from version 3 to version 1: complaints" || d.Policy != nil || *d.Promotion != (gate.Promotion{Version: 1, Generation: 4, PreviousVersion: 3}) {
		t.Errorf("decision.json says %+v", d)
	}
	want := proto.CloneOf(promoted[0].Data.(*eventv1.ModelPromoted))
	want.Generation, want.PreviousVersion, want.Rules, want.Decision = 4, 3, nil, m.GetDecision()
	want.Rollback = &eventv1.Rollback{RequestedBy: "olga", Reason: "complaints"}
	if !proto.Equal(m, want) {
		t.Errorf("promoted\n%v\nwant\n%v", m, want)
	}
	wantRow(t, rows(t, store, promoted[2]), out)

	promote(t, store, "later") // and again, after another promotion
	again, err := s.Handler.Handle(t.Context(), in)
	if err != nil || encoded(t, single(t, again)) != encoded(t, out) {
		t.Errorf("answered again with %v, %v", again, err)
	}
	if got := served(t, store); got != "1 2 3 1 4" {
		t.Errorf("in production were %s", got)
	}
}

// Without a version it goes one step further back each time, past what was gone
// back to before.
func TestRollbackStepByStep(t *testing.T) {
	store := newStore()
	for n := range 3 {
		promote(t, store, fmt.Sprint("request ", n))
	}
	h, _ := start(store)
	handle(t, h, rollback("1", 0, 0))
	handle(t, h, rollback("2", 0, 2))
	wantInvalid(t, store, rollback("3", 0, 0), "version 1 of churn-classifier was the first in Production")
	promote(t, store, "better")
	handle(t, h, rollback("4", 0, 0))
	handle(t, h, rollback("5", 3, 0)) // forward again
	if got := served(t, store); got != "1 2 3 2 1 4 1 3" {
		t.Errorf("in production were %s", got)
	}
}

func TestRollbacksThatCannotBe(t *testing.T) {
	store := newStore()
	wantInvalid(t, store, rollback("of nothing", 0, 0), "no version of churn-classifier has ever been in Production")
	promote(t, store, "first")
	promote(t, store, "staged", func(p *eventv1.Plan) { p.Gate.BaselineStage = "Staging" })
	third := promote(t, store, "third")
	before := contents(t, store)
	for name, test := range map[string]struct {
		event event.Event
		say   string
	}{
		"in production":       {rollback("r", 3, 0), "version 3 of churn-classifier is in Production already"},
		"not there":           {rollback("r", 9, 0), "churn-classifier has no version 9"},
		"never in production": {rollback("r", 2, 0), "version 2 of churn-classifier was never in Production"},
		"the champion moved":  {rollback("r", 1, 1), "version 3 of churn-classifier is in Production, and the request is to replace version 1"},
		"hostile stage": {asked(churn.RollbackRequested, "r", &eventv1.RollbackRequested{
			Model: model, Stage: "versions", RequestedBy: "olga", Reason: "x"}), `"versions" cannot be the name of a stage`},
		"no reason":   {asked(churn.RollbackRequested, "r", &eventv1.RollbackRequested{Model: model, RequestedBy: "olga"}), "reason"},
		"another run": {func() event.Event { e := rollback("r", 1, 0); e.Correlation = third.Run(); return e }(), "correlationid"},
	} {
		t.Run(name, func(t *testing.T) { wantInvalid(t, store, test.event, test.say) })
	}
	if after := contents(t, store); len(after) != len(before) {
		t.Errorf("%d objects, before %d", len(after), len(before))
	}
}

// What a gate has promoted and has not announced yet is nothing to go back to.
func TestRollbackToWhatIsNotAnnounced(t *testing.T) {
	store := newStore()
	r := objectstore.New(store)
	if _, err := r.Register(t.Context(), registry.Version{Model: model, Run: "cut-off", Artifact: artifact("m"), Preprocessor: artifact("p")}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Promote(t.Context(), registry.Champion{Model: model, Stage: churn.ServingStage, Version: 1, Run: "cut-off", Cause: "e"}, 0); err != nil {
		t.Fatal(err)
	}
	promote(t, store, "second")
	wantInvalid(t, store, rollback("r", 1, 0), "has not been announced yet")
}

// Cut off before or after any write, a rollback and an override happen once.
func TestRequestsCutOffAnywhere(t *testing.T) {
	for name, test := range map[string]struct {
		in   event.Event
		want string
	}{
		"rollback": {rollback("r", 1, 0), "1 2 1"},
		"override": {override("o", "rejected"), "1 2 3"},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 1; ; n++ {
				store := newStore()
				promote(t, store, "first")
				promote(t, store, "second")
				reject(t, store, "rejected")
				failing := &cut{Store: store, n: n, after: n%2 == 0}
				h, _ := start(failing)
				_, err := h.Handle(t.Context(), test.in)
				h, _ = start(store)
				want := handle(t, h, test.in)
				if m, ok := want.Data.(*eventv1.ModelPromoted); !ok || m.GetGeneration() != 3 || served(t, store) != test.want {
					t.Errorf("cut off at write %d: %v, in production were %s", n, want.Data, served(t, store))
				}
				if err == nil {
					return // it was not cut off any more
				}
			}
		})
	}
}

// Rollbacks, overrides and candidates that race make one chain.
func TestEverythingRaces(t *testing.T) {
	store := newStore()
	promote(t, store, "first")
	promote(t, store, "second")
	reject(t, store, "rejected")
	race(6, func(i int) {
		h, _ := start(store)
		switch i % 3 {
		case 0:
			if _, err := h.Handle(t.Context(), rollback(fmt.Sprint("r", i), 0, 0)); err != nil && !churn.IsKind(err, churn.Invalid) {
				t.Error(err)
			}
		case 1:
			if _, err := h.Handle(t.Context(), override(fmt.Sprint("o", i), "rejected")); err != nil && !churn.IsKind(err, churn.Invalid) {
				t.Error(err)
			}
		default:
			next := trained(fmt.Sprint("request ", i))
			for next.Topic == churn.ModelTrained {
				next = handle(t, h, evaluate(t, store, next, good, equal))
			}
		}
	})
	all := history(t, store)
	overridden := 0
	for i, c := range all {
		if c.Generation != int64(i)+1 || i > 0 && (c.Previous != all[i-1].Version || c.Version == c.Previous) {
			t.Errorf("%v is at place %d", c, i+1)
		}
		if c.Run == churn.RunID("o1") || c.Run == churn.RunID("o4") {
			overridden++
		}
	}
	if overridden != 1 {
		t.Errorf("the run was overridden %d times", overridden)
	}
}
