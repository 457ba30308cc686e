package stage_test

import (
	"context"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// cancel notes that the run of the request is cancelled.
func (w *world) cancel(id string) {
	w.Helper()
	c := stage.Cancellation{Event: "cancel " + id, By: "ada", Reason: "wrong file"}
	if err := stage.NoteCancellation(w.Context(), w.store, churn.RunID(id), c); err != nil {
		w.Fatal(err)
	}
}

// cancelled fails the test unless the topic's only event ends the run as cancelled.
func (w *world) cancelled(topic string) {
	w.Helper()
	w.count(topic, 1)
	e := w.events(topic)[0]
	m, ok := e.Data.(*eventv1.RunFailed)
	if !ok || m.GetKind() != stage.Cancelled || m.GetMessage() != "cancelled by ada: wrong file" || m.GetStage() != "featurizer" || event.Validate(e) != nil {
		w.Fatalf("the run ended by %v", e.Data)
	}
}

func TestCancelledBefore(t *testing.T) {
	simulate(t, func(w *world) {
		told := 0
		w.options.Failed = func(_ context.Context, _ event.Event, f *eventv1.RunFailed) error {
			if told++; told == 1 {
				return transient()
			}
			return nil
		}
		_, stop := w.start(featurizer(func(context.Context, event.Event) ([]event.Event, error) {
			t.Error("handled all the same")
			return nil, nil
		}))
		defer stop()
		w.cancel("1")
		w.publish(w.record(request("1")))
		w.pass(anInterval)
		w.cancelled(failures)
		w.count(dead, 0)
		w.committed(in, 1)
		if told != 2 {
			t.Errorf("told %d times: once in vain, once well", told)
		}
		w.publish(w.record(request("1"))) // sent again, it stays cancelled
		w.pass(anInterval)
		if again := w.events(failures); len(again) != 2 || again[1].ID != again[0].ID {
			t.Errorf("the second time %v", again)
		}
	})
}

// Work that goes on is stopped within the interval.
func TestCancelledWhileAtWork(t *testing.T) {
	simulate(t, func(w *world) {
		var stopped time.Time
		_, stop := w.start(featurizer(func(ctx context.Context, _ event.Event) ([]event.Event, error) {
			<-ctx.Done()
			stopped = time.Now()
			return nil, transient()
		}))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(anInterval)
		asked := time.Now()
		w.cancel("1")
		w.pass(anInterval)
		if took := stopped.Sub(asked); took <= 0 || took > 2*time.Second {
			t.Errorf("stopped after %v", took)
		}
		w.cancelled(failures)
		w.count(dead, 0)
		w.committed(in, 1)
	})
}

// What was finished before is not undone: the stage that it went to ends the run.
func TestCancelledAfterwards(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(answer))
		defer stop()
		w.publish(w.record(request("1")))
		w.settle()
		w.cancel("1")
		w.publish(w.record(request("1")))
		w.settle()
		w.count(out, 4)
		w.count(failures, 0)
	})
}

// A handler that comes to a good end although its run was cancelled has finished.
func TestCancelledTooLate(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			<-ctx.Done()
			return answer(ctx, e)
		}))
		defer stop()
		w.publish(w.record(request("1")))
		w.cancel("1")
		w.pass(anInterval)
		w.count(failures, 1) // it was cancelled before the handler was called
		w.publish(w.record(request("2")))
		w.settle()
		w.cancel("2")
		w.pass(anInterval)
		w.count(out, 2)
		w.count(failures, 1)
	})
}

// Of the many events of a cancelled run one is answered by its end.
func TestCancelledOnce(t *testing.T) {
	simulate(t, func(w *world) {
		s := featurizer(answer)
		s.Topics = []churn.Topic{churn.ModelTrained}
		_, stop := w.start(s)
		defer stop()
		w.cancel("1")
		var records []bus.Record
		for n := range 5 {
			e := request("1").Reply(churn.Trainer, churn.ModelTrained, n, churn.RunID("1"), &eventv1.ModelTrained{Trial: int32(n), Trials: 5})
			records = append(records, w.record(e))
		}
		w.publish(append(records, records...)...)
		w.pass(anInterval)
		ids := map[string]bool{}
		for _, e := range w.events(failures) {
			ids[e.ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("the run ended by %d events", len(ids))
		}
		w.count(dead, 0)
	})
}

// A stage that answers for what it gives up on does so here.
func TestCancelledTrial(t *testing.T) {
	simulate(t, func(w *world) {
		s := featurizer(answer)
		s.GaveUp = func(e event.Event, why *eventv1.RunFailed) (event.Event, bool) {
			return e.Reply(churn.Featurizer, churn.FeaturesReady, 0, e.Run(), &eventv1.FeaturesReady{Plan: &eventv1.Plan{Reason: why.GetKind()}}), true
		}
		_, stop := w.start(s)
		defer stop()
		w.cancel("1")
		w.publish(w.record(request("1")))
		w.pass(anInterval)
		w.count(failures, 0)
		if got := w.events(out); len(got) != 1 || got[0].Data.(*eventv1.FeaturesReady).GetPlan().GetReason() != stage.Cancelled {
			t.Errorf("answered by %v", got)
		}
	})
}

// A stage that has a say is asked, and is not stopped at work; an observer goes on.
func TestCancelledWithASay(t *testing.T) {
	for _, says := range []bool{true, false} {
		simulate(t, func(w *world) {
			s := featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
				if !sleepFor(ctx, time.Minute) {
					t.Error("stopped at work")
				}
				return answer(ctx, e)
			})
			s.Stops = func(_ context.Context, e event.Event, c *stage.Cancellation) (bool, error) {
				return says, nil
			}
			_, stop := w.start(s)
			defer stop()
			w.cancel("1")
			w.publish(w.record(request("1")))
			w.pass(3 * time.Minute)
			if ended := len(w.events(failures)) == 1; ended != says {
				t.Errorf("asked, the stage says %v, and the run's end: %v", says, ended)
			}
		})
	}
	simulate(t, func(w *world) {
		s := featurizer(answer)
		s.Observer = true
		_, stop := w.start(s)
		defer stop()
		w.cancel("1")
		w.publish(w.record(request("1")))
		w.settle()
		w.count(out, 2)
		w.count(failures, 0)
	})
}

func sleepFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
