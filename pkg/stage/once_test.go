package stage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// batch is the answers as bytes.
func batch(t *testing.T, events []event.Event) []byte {
	t.Helper()
	text, err := event.EncodeBatch(events)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOnceAnswersFromTheStore(t *testing.T) {
	store := memory.New("churn")
	h, attempts := failing(2, transient())
	handler := stage.Chain(h, stage.Once(store, churn.Featurizer))
	if _, err := handler.Handle(t.Context(), request("1")); !churn.IsKind(err, churn.Transient) {
		t.Fatalf("error is %v", err)
	}
	var answers [][]byte
	for range 3 { // a failure is not stored
		out, err := handler.Handle(t.Context(), request("1"))
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, batch(t, out))
	}
	if attempts.Load() != 2 {
		t.Errorf("the handler ran %d times", attempts.Load())
	}
	if !bytes.Equal(answers[0], answers[1]) || !bytes.Equal(answers[0], answers[2]) {
		t.Errorf("the answers differ:\n%s\n%s", answers[0], answers[1])
	}

	// What is stored, and where, is part of the contract.
	key := "runs/" + churn.RunID("1") + "/featurizer/outcome/1.json"
	a, err := store.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := store.Get(t.Context(), a, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var stored struct {
		Input  struct{ ID, SHA256 string }
		Events []json.RawMessage
	}
	if err := json.Unmarshal(text, &stored); err != nil || stored.Input.ID != "1" || len(stored.Input.SHA256) != 64 || len(stored.Events) != 2 {
		t.Errorf("%v: stored is %s", err, text)
	}
}

// An event without an answer has none the next time, too.
func TestOnceKeepsNoAnswer(t *testing.T) {
	n := 0
	handler := stage.Chain(stage.HandlerFunc(func(context.Context, event.Event) ([]event.Event, error) { n++; return nil, nil }),
		stage.Once(memory.New("churn"), churn.Featurizer))
	for range 2 {
		if out, err := handler.Handle(t.Context(), request("1")); err != nil || len(out) != 0 {
			t.Errorf("%v, %v", out, err)
		}
	}
	if n != 1 {
		t.Errorf("the handler ran %d times", n)
	}
}

// Another service, another run and another event have outcomes of their own.
func TestOnceKeepsThemApart(t *testing.T) {
	store := memory.New("churn")
	h, attempts := failing(1, nil)
	one := request("1")
	same := one
	same.Correlation = "another-run"
	for _, try := range []struct {
		service churn.Service
		event   event.Event
	}{{churn.Featurizer, one}, {churn.Trainer, one}, {churn.Featurizer, request("2")}, {churn.Featurizer, same}} {
		if _, err := stage.Chain(h, stage.Once(store, try.service)).Handle(t.Context(), try.event); err != nil {
			t.Fatal(err)
		}
	}
	if attempts.Load() != 4 {
		t.Errorf("the handler ran %d times, not 4", attempts.Load())
	}
}

// A request's id is any text: none leads out of the run's folder, and no two are
// stored in one place.
func TestOnceTakesAnyID(t *testing.T) {
	store := memory.New("churn")
	h, attempts := failing(1, nil)
	handler := stage.Chain(h, stage.Once(store, churn.Featurizer))
	ids := []string{"../../../etc/passwd", "a/b", "..", "π", "a?b#c", "a%2Fb", strings.Repeat("x", 128), strings.Repeat("x", 129), strings.Repeat("x", 1024)}
	for _, id := range ids {
		e := request(id)
		e.Correlation = "run"
		if _, err := handler.Handle(t.Context(), e); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	n := 0
	for key, err := range store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; !strings.HasPrefix(key, "runs/run/featurizer/outcome/") {
			t.Errorf("stored as %s", key)
		}
	}
	if n != len(ids) || attempts.Load() != int64(n) {
		t.Errorf("%d outcomes and %d attempts of %d events", n, attempts.Load(), len(ids))
	}
}

// An id that was used before, with other content: a dead letter; the run that
// has the id keeps its own end, even if what came was invalid besides.
func TestAnIDThatIsReused(t *testing.T) {
	simulate(t, func(w *world) {
		h, attempts := failing(1, nil)
		_, stop := w.start(featurizer(h))
		defer stop()
		other, bad := request("1"), request("1")
		other.Data = &eventv1.RetrainRequested{Model: "m", Dataset: request("1").Data.(*eventv1.RetrainRequested).Dataset, Reason: "other"}
		bad.Data = &eventv1.RetrainRequested{Model: "m"}
		w.publish(w.record(request("1")), w.record(other), w.record(bad), w.record(request("1")))
		w.settle()
		w.committed(in, 4)
		if attempts.Load() != 1 {
			t.Errorf("the handler ran %d times", attempts.Load())
		}
		w.count(failures, 0)
		w.count(out, 4)
		for i, letter := range w.count(dead, 2) {
			w.untouched(letter, []bus.Record{w.record(other), w.record(bad)}[i])
			if m := header(letter, "dlq_message"); !strings.Contains(m, "event id reused with other content") || !strings.Contains(m, "new id") {
				t.Errorf("the letter says %q", m)
			}
		}
	})
}

// Of two that finish at the same time the first to store wins, and both answer
// alike; here each would answer something else.
func TestOnceWithTwoAtATime(t *testing.T) {
	const n = 8
	store := memory.New("churn")
	var mu sync.Mutex
	var together sync.WaitGroup
	together.Add(n)
	attempts := 0
	handler := stage.Chain(stage.HandlerFunc(func(_ context.Context, e event.Event) ([]event.Event, error) {
		together.Done()
		together.Wait()
		mu.Lock()
		defer mu.Unlock()
		attempts++
		data := &eventv1.FeaturesReady{Trial: int32(attempts)}
		return []event.Event{e.Reply(churn.Featurizer, churn.FeaturesReady, 0, "k", data)}, nil
	}), stage.Once(store, churn.Featurizer))
	answers := make([][]byte, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			out, err := handler.Handle(t.Context(), request("1"))
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = batch(t, out)
		})
	}
	wg.Wait()
	for _, a := range answers {
		if !bytes.Equal(a, answers[0]) {
			t.Errorf("two answers:\n%s\n%s", a, answers[0])
		}
	}
}

// A stored outcome that was damaged or tampered with is not answered with.
func TestOnceDoesNotTrustTheStore(t *testing.T) {
	key := churn.ArtifactKey(churn.RunID("1"), churn.Featurizer, "outcome", "1.json")
	for name, text := range map[string]string{
		"other bytes": `{"input":{"id":"1"},"events":[]}`, "nothing": "", "cut off": `{"input"`, "no batch": `{"input":{},"events":{}}`,
	} {
		store := memory.New("churn")
		h, attempts := failing(1, nil)
		handler := stage.Chain(h, stage.Once(store, churn.Featurizer))
		if _, err := handler.Handle(t.Context(), request("1")); err != nil {
			t.Fatal(err)
		}
		store.Corrupt(key, []byte(text))
		if out, err := handler.Handle(t.Context(), request("1")); !churn.IsKind(err, churn.Internal) || out != nil {
			t.Errorf("%s: %v, %v", name, out, err)
		}
		if attempts.Load() != 1 {
			t.Errorf("%s: the handler ran %d times", name, attempts.Load())
		}
	}
	// Also not if whoever wrote it knew the digest.
	for name, text := range map[string]string{"no JSON": "x", "no outcome": "{}", "null": "null"} {
		store := memory.New("churn")
		if _, err := store.Put(t.Context(), key, "application/json", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		h, _ := failing(1, nil)
		if out, err := stage.Chain(h, stage.Once(store, churn.Featurizer)).Handle(t.Context(), request("1")); err == nil {
			t.Errorf("%s: answered with %v", name, out)
		}
	}
}
