package gate_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

// lapse returns what the gate says of a question that nobody has answered in time.
func lapse(t testing.TB, question event.Event) event.Event {
	t.Helper()
	m := question.Data.(*eventv1.ApprovalRequested)
	e := question.Reply(churn.Gate, churn.ApprovalDecided, 0, model, &eventv1.ApprovalDecided{
		Model: model, Run: m.GetRun(), ApprovalId: question.ID, Expired: true,
	})
	at, err := time.Parse(time.RFC3339, m.GetExpiresAt())
	if err != nil {
		t.Fatal(err)
	}
	e.Time = at
	return e
}

func TestLapsed(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1ns"))
	h, _ := start(store)
	wantRefused(t, h, answer(question, true, "adam"), "too late")
	out := handle(t, h, lapse(t, question))
	m, ok := out.Data.(*eventv1.ModelRejected)
	if !ok || !strings.HasPrefix(m.GetReason(), "every rule passed, and nobody decided in time: the approval lapsed at 20") ||
		!m.GetApproval().GetExpired() || m.GetApproval().GetDecidedBy() != "" {
		t.Fatalf("the answer is %v", out.Data)
	}
	wantRefused(t, h, answer(question, true, "adam"), "was lapsed already")
	if d := decision(t, store, m.GetDecision()); d.Outcome != gate.Rejected || !d.Approval.Expired || len(versions(t, store)) != 0 {
		t.Errorf("decision.json says %+v", d)
	}
}

// Where somebody was in time, that nobody was is no news.
func TestLapsedAfterAnAnswer(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1s"))
	h, _ := start(store)
	in := answer(question, true, "adam")
	in.Time = in.Time.Add(-time.Minute)
	handle(t, h, in)
	if out, err := h.Handle(t.Context(), lapse(t, question)); err != nil || len(out) != 0 {
		t.Errorf("answered with %v, %v", out, err)
	}
}

// Gates beside one another, over a broker: what nobody decides on lapses, however
// many of them say so, and what somebody decided on does not.
func TestApprovalsLapseByThemselves(t *testing.T) {
	t.Parallel()
	broker, err := embedded.StartBroker(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	store := newStore()
	b, err := kafka.New(kafka.Config{Brokers: []string{broker.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Ensure(t.Context(), stage.Topics(churn.DefaultPrefix)...); err != nil {
		t.Fatal(err)
	}
	approved := ask(t, store, "approved", asks("2s"))
	in := evaluate(t, store, trained("lapsing", asks("1s")), good, nil)
	yes := answer(approved, true, "adam")
	yes.Time = yes.Time.Add(-time.Minute)
	for _, e := range []event.Event{approved, yes, in} {
		if err := b.Publish(t.Context(), record(t, e)); err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	var gates sync.WaitGroup
	for range 2 {
		parts := service.Parts{Config: config.Config{TopicPrefix: churn.DefaultPrefix}, Store: store, Registry: objectstore.New(store), Tracker: objectstore.NewTracker(store)}
		built, err := gate.Build(ctx, parts)
		if err != nil {
			t.Fatal(err)
		}
		_, s := start(store)
		s.Beside = built.Beside
		gates.Go(func() {
			if err := service.Run(ctx, parts, b, s); err != nil {
				t.Error(err)
			}
		})
	}
	e := next(t, b, churn.ModelRejected)
	if e.Run() != in.Run() || !e.Data.(*eventv1.ModelRejected).GetApproval().GetExpired() {
		t.Errorf("rejected: %v", e)
	}
	if e := next(t, b, churn.ModelPromoted); e.Run() != approved.Run() {
		t.Errorf("promoted: %v", e)
	}
	stop()
	gates.Wait()
	ids := map[string]bool{}
	read(t, b, churn.ApprovalDecided, func(e event.Event) { ids[e.ID] = true })
	if len(ids) != 2 || !ids[yes.ID] {
		t.Errorf("the answers are %v, want the person's and one that the other has lapsed", ids)
	}
	read(t, b, churn.Gate.DeadLetterTopic(), func(e event.Event) { t.Errorf("a dead letter: %v", e) })
}

// next waits for the first event of the topic.
func next(t *testing.T, b bus.Bus, topic churn.Topic) (first event.Event) {
	t.Helper()
	ctx, found := context.WithTimeout(t.Context(), time.Minute)
	defer found()
	err := b.Read(ctx, topic.Name(churn.DefaultPrefix), nil, true, func(_ context.Context, r bus.Record) (err error) {
		defer found()
		first, err = event.Decode(r, churn.DefaultPrefix)
		return err
	})
	if err != nil || first.ID == "" {
		t.Fatalf("nothing came on %s: %v", topic, err)
	}
	return first
}

// read calls f for each event of the topic.
func read(t *testing.T, b bus.Bus, topic churn.Topic, f func(event.Event)) {
	t.Helper()
	err := b.Read(t.Context(), topic.Name(churn.DefaultPrefix), nil, false, func(_ context.Context, r bus.Record) error {
		e, err := event.Decode(r, churn.DefaultPrefix)
		f(e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
