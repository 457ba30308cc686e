package gate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// rows returns what a gate writes to the table with the outputs.
func rows(t *testing.T, store blob.Store, outputs ...event.Event) []event.Event {
	t.Helper()
	_, s := start(store)
	rows, err := s.Tables(t.Context(), outputs)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// wantRow checks that the only row is the promotion.
func wantRow(t *testing.T, rows []event.Event, promoted event.Event) {
	t.Helper()
	promoted.Topic = churn.ModelCurrent
	if len(rows) != 1 || rows[0].Topic != churn.ModelCurrent || rows[0].Key != model || encoded(t, rows[0]) != encoded(t, promoted) {
		t.Errorf("the rows are %v, want %v", rows, promoted)
	}
}

func TestTable(t *testing.T) {
	store := newStore()
	first := promote(t, store, "first")
	wantRow(t, rows(t, store, first), first)
	second := promote(t, store, "second")
	wantRow(t, rows(t, store, second), second)
	wantRow(t, rows(t, store, first), second) // published again

	h, _ := start(store)
	rejected := handle(t, h, evaluate(t, store, trained("bad"), metrics(0.5, 0.5), equal))
	other := promote(t, store, "other", func(p *eventv1.Plan) { p.Gate.BaselineStage = "Staging" })
	if got := rows(t, store, rejected, other); len(got) != 0 {
		t.Errorf("neither a rejection nor a promotion to staging makes a row: %v", got)
	}
}

// A promotion whose gate was cut off before it had stored its answer has no row
// yet, and an older one must not come instead.
func TestTableOfAPromotionNotFinished(t *testing.T) {
	store := newStore()
	first := promote(t, store, "first")
	in := evaluate(t, store, trained("second"), good, equal)
	r := objectstore.New(store)
	v, err := r.Register(t.Context(), registry.Version{Model: model, Run: in.Run()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Promote(t.Context(), registry.Champion{Model: model, Stage: churn.ServingStage, Version: v.Version, Run: in.Run(), Cause: in.ID}, 1); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, store, first); len(got) != 0 {
		t.Errorf("the rows are %v", got)
	}
	h, _ := start(store)
	second := handle(t, h, in) // comes again
	wantRow(t, rows(t, store, second), second)
	wantRow(t, rows(t, store, first), second)
}

// However often and in whatever order promotions are published again, the table
// never goes back.
func TestTableNeverGoesBack(t *testing.T) {
	const runs = 12
	random := rand.New(rand.NewPCG(42, 0))
	store := newStore()
	var delivered []event.Event
	shown := int64(0) // generation
	for i := range runs {
		h, s := start(store)
		in := evaluate(t, store, trained(fmt.Sprint("request ", i)), good, equal)
		delivered = append(delivered, in)
		for _, again := range append([]int{i}, random.Perm(len(delivered))...) {
			out, err := h.Handle(t.Context(), delivered[again])
			if err != nil {
				t.Fatal(err)
			}
			rows, err := s.Tables(t.Context(), out)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				generation := row.Data.(*eventv1.ModelPromoted).GetGeneration()
				if generation < shown {
					t.Fatalf("generation %d comes after %d", generation, shown)
				}
				shown = generation
			}
		}
		if shown != int64(i)+1 {
			t.Fatalf("the table shows generation %d of %d", shown, i+1)
		}
	}
}
