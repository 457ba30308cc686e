package gate_test

import (
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// cancellation asks for the end of the run.
func cancellation(run, id string) event.Event {
	return event.Event{
		Topic: churn.CancelRequested, Key: model, ID: id, Source: "/test", Type: churn.CancelRequested.Type(),
		Subject: run, Correlation: run, Time: time.Date(2026, 1, 31, 13, 0, 0, 0, time.UTC),
		Data: &eventv1.CancelRequested{Model: model, Run: run, RequestedBy: "adam", Reason: "wrong file"},
	}
}

// nothing wants the gate to answer with nothing.
func nothing(t testing.TB, h stage.Handler, e event.Event) {
	t.Helper()
	if out, err := h.Handle(t.Context(), e); err != nil || len(out) != 0 {
		t.Fatalf("answered with %v, %v", out, err)
	}
}

// A run that is cancelled before the gate begins to decide ends there, whoever
// cancels it again.
func TestCancelled(t *testing.T) {
	store := newStore()
	in := evaluate(t, store, trained("request"), good, nil)
	h, _ := start(store)
	nothing(t, h, cancellation(in.Run(), "first"))
	nothing(t, h, cancellation(in.Run(), "second"))
	want := ""
	for range 2 {
		h, raw := start(store)
		out := handle(t, h, in)
		m, ok := out.Data.(*eventv1.RunFailed)
		if !ok || m.GetKind() != stage.Cancelled || m.GetMessage() != "cancelled by adam: wrong file" || m.GetStage() != "gate" || out.Key != model {
			t.Fatalf("the answer is %v", out.Data)
		}
		if want != "" && encoded(t, out) != want {
			t.Errorf("another answer: %v", out)
		}
		want = encoded(t, out)
		if _, err := raw.Handler.Handle(t.Context(), in); !churn.IsKind(err, churn.Transient) {
			t.Errorf("a gate that did not look decides all the same: %v", err)
		}
	}
	if len(versions(t, store)) != 0 || len(history(t, store)) != 0 {
		t.Error("the candidate of a cancelled run is registered")
	}
}

// What is being decided is decided: a gate that was cut off goes on.
func TestCancelledTooLate(t *testing.T) {
	whole := &cut{Store: newStore()}
	in := evaluate(t, whole, trained("request"), good, nil)
	h, _ := start(whole)
	handle(t, h, in)
	for n := range whole.puts {
		store := &cut{Store: newStore(), n: n + 1, after: true}
		h, _ := start(store)
		_, err := h.Handle(t.Context(), in)
		if err == nil || !churn.IsKind(err, churn.Transient) {
			t.Fatalf("cut off after write %d: %v", n+1, err)
		}
		h, _ = start(store)
		nothing(t, h, cancellation(in.Run(), "late"))
		if out := handle(t, h, in); out.Topic != churn.ModelPromoted || len(versions(t, store)) != 1 || len(history(t, store)) != 1 {
			t.Errorf("cut off after write %d and cancelled: %v", n+1, out.Data)
		}
	}
}

// A run that waits for approval is denied, even by the requester.
func TestCancelledWhileItWaits(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1h/not-by-requester"))
	h, _ := start(store)
	e := cancellation(question.Run(), "first")
	e.Data.(*eventv1.CancelRequested).RequestedBy = "rita"
	out := handle(t, h, e)
	m, ok := out.Data.(*eventv1.ModelRejected)
	if !ok || m.GetReason() != "every rule passed, and the promotion was denied by rita: wrong file" || out.Run() != question.Run() || out.Causation != "first" {
		t.Fatalf("the answer is %v", out)
	}
	nothing(t, h, cancellation(question.Run(), "second"))
	wantRefused(t, h, answer(question, true, "adam"), "was denied by rita")
	if again := handle(t, h, e); encoded(t, again) != encoded(t, out) || len(versions(t, store)) != 0 {
		t.Errorf("again: %v", again)
	}
}

// One that was decided stays so.
func TestCancelledAfterTheDecision(t *testing.T) {
	store := newStore()
	question := ask(t, store, "one that waits", asks("1h"))
	promoted := promote(t, store, "request")
	h, _ := start(store)
	nothing(t, h, cancellation(promoted.Run(), "late"))
	back := handle(t, h, answer(question, true, "adam"))
	if back.Topic != churn.ModelTrained { // the champion has changed
		t.Fatalf("%v", back)
	}
	nothing(t, h, cancellation(question.Run(), "in time"))
	if out := handle(t, h, evaluate(t, store, back, good, equal)); out.Topic != churn.RunFailed {
		t.Errorf("the second round, which was cancelled, ends as %v", out.Data)
	}
}

// What asks for nothing that there is changes nothing, and fails no run.
func TestCancellationRefused(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	run := churn.RunID("request")
	for say, edit := range map[string]func(*event.Event, *eventv1.CancelRequested){
		"by its correlationid": func(e *event.Event, _ *eventv1.CancelRequested) { e.Correlation = churn.RunID("another") },
		"requested_by":         func(_ *event.Event, m *eventv1.CancelRequested) { m.RequestedBy = "" },
		"reason":               func(_ *event.Event, m *eventv1.CancelRequested) { m.Reason = "" },
		"run":                  func(_ *event.Event, m *eventv1.CancelRequested) { m.Run = "../../registry" },
	} {
		e := cancellation(run, say)
		edit(&e, e.Data.(*eventv1.CancelRequested))
		wantRefused(t, h, e, say)
	}
	if c, err := stage.CancellationOf(t.Context(), store, run); c != nil || err != nil {
		t.Errorf("it is cancelled all the same: %v, %v", c, err)
	}
}
