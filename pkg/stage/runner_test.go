package stage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestAnswersArePublishedAndTheRecordCommitted(t *testing.T) {
	simulate(t, func(w *world) {
		r, stop := w.start(featurizer(answer))
		defer stop()
		w.publish(w.record(request("1")))
		w.settle()
		w.committed(in, 1)
		w.count(failures, 0)
		w.count(dead, 0)
		for i, e := range w.events(out) {
			want := request("1").Reply(churn.Featurizer, churn.FeaturesReady, i, churn.RunID("1"), nil)
			if e.ID != want.ID || e.Run() != want.Run() || e.Causation != "1" || e.Sequence != 1 || !e.Time.Equal(request("1").Time) {
				t.Errorf("the answer is %+v", e)
			}
		}
		if err := r.Stalled(); err != nil {
			t.Errorf("stalled: %v", err)
		}
	})
}

// Whatever the outputs are refused with, the record is not committed before they
// are acknowledged, and the handler does not work twice.
func TestNothingIsCommittedBeforeTheOutputsAre(t *testing.T) {
	for name, fail := range map[string]func(*memLog, error){
		"not written":          func(l *memLog, err error) { l.refuse = on(out, err) },
		"acknowledgement lost": func(l *memLog, err error) { l.lose = on(out, err) },
		"second is refused": func(l *memLog, err error) {
			n := 0
			l.refuse = func(r bus.Record) error {
				if n++; r.Topic == out && n%2 == 0 && err != nil {
					return err
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				h, attempts := failing(1, nil)
				w.publish(w.record(request("1")))
				w.log.set(func(l *memLog) { fail(l, transient()) })
				_, stop := w.start(featurizer(h))
				defer stop()
				w.pass(time.Hour)
				w.committed(in, 0)
				w.count(retry, 0)
				w.log.set(func(l *memLog) { l.refuse, l.lose = nil, nil })
				w.pass(anInterval)
				w.committed(in, 1)
				if attempts.Load() != 1 {
					t.Errorf("the handler ran %d times", attempts.Load())
				}
				written := w.log.records(out)
				last := written[len(written)-2:]
				for _, r := range written { // equal bytes, however often
					if !slices.ContainsFunc(last, func(l bus.Record) bool { return string(l.Value) == string(r.Value) }) {
						t.Errorf("an output with other bytes: %q", r.Value)
					}
				}
			})
		})
	}
}

// on fails records of the topic.
func on(topic string, err error) func(bus.Record) error {
	return func(r bus.Record) error {
		if r.Topic == topic {
			return err
		}
		return nil
	}
}

func TestInvalidEndsTheRunAndKeepsTheRecord(t *testing.T) {
	simulate(t, func(w *world) {
		h := func(context.Context, event.Event) ([]event.Event, error) {
			time.Sleep(time.Second)
			return nil, fmt.Errorf("while reading: %w", invalid())
		}
		_, stop := w.start(featurizer(h))
		defer stop()
		original := w.record(request("1"))
		w.publish(original)
		w.pass(2 * time.Second)
		w.committed(in, 1)
		w.count(out, 0)
		w.count(retry, 0)
		letter := w.count(dead, 1)[0]
		w.untouched(letter, original)
		w.headers(letter, map[string]string{
			"dlq_topic": in, "dlq_partition": "0", "dlq_offset": "0", "dlq_group": group, "dlq_attempts": "1", "dlq_kind": "invalid",
			"dlq_message": "while reading: test.Do: line 4: change it", "dlq_time": "2000-01-01T00:00:00Z",
			"dlq_first_time": "2000-01-01T00:00:01Z", "dlq_last_time": "2000-01-01T00:00:01Z", "dlq_left_out": "",
		})
		w.count(failures, 1)
		e := w.events(failures)[0]
		want := &eventv1.RunFailed{
			Model: "m", Run: churn.RunID("1"), Stage: "featurizer", Kind: "invalid", Operation: "test.Do",
			Message: "while reading: test.Do: line 4: change it", Attempts: 1,
		}
		if !proto.Equal(e.Data, want) || e.Key != "m" || e.Causation != "1" || e.Source != "/asfotec/churn/featurizer" {
			t.Errorf("the run failed with %+v", e)
		}
		if err := event.Validate(e); err != nil {
			t.Error(err)
		}
	})
}

// What cannot be read is kept, says so, and does not hold up the next.
func TestUndecodableRecords(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(answer))
		defer stop()
		originals := []bus.Record{
			garbage("\xff not an event"), garbage(""), {Topic: in, Key: []byte("tombstone")}, {Topic: in},
			garbage(strings.Repeat("x", 2<<20)),
			{Topic: in, Headers: slices.Repeat([]bus.Header{{}}, 1000)},
		}
		for i, original := range originals {
			w.publish(original, w.record(request(fmt.Sprint(i))))
		}
		w.settle()
		w.committed(in, int64(2*len(originals)))
		w.count(out, 2*len(originals))
		w.count(failures, 0)
		for i, letter := range w.count(dead, len(originals)) {
			w.untouched(letter, originals[i])
			w.headers(letter, map[string]string{
				"dlq_topic": in, "dlq_offset": fmt.Sprint(2 * i), "dlq_attempts": "1", "dlq_kind": "invalid", "dlq_message": "*", "dlq_left_out": "",
			})
		}
	})
}

// A record that was compressed can be larger than any topic takes it: it must
// not hold up its partition, and can be found where it is.
func TestARecordThatIsTooLargeToKeep(t *testing.T) {
	for name, original := range map[string]bus.Record{
		"value":   garbage(strings.Repeat("x", 5<<20)),
		"key":     {Topic: in, Key: make([]byte, 5<<20)},
		"headers": {Topic: in, Headers: make([]bus.Header, 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				w.log.refuse = func(r bus.Record) error {
					if r.Topic != in && event.Size(r) > 4<<20 {
						return churn.Errorf("test", churn.Invalid, "record too large")
					}
					return nil
				}
				_, stop := w.start(featurizer(answer))
				defer stop()
				w.publish(original, w.record(request("next")))
				w.settle()
				w.committed(in, 2)
				w.count(out, 2)
				letter := w.count(dead, 1)[0]
				w.headers(letter, map[string]string{"dlq_left_out": fmt.Sprint(event.Size(original)), "dlq_topic": in, "dlq_offset": "0", "dlq_message": "*"})
				if letter.Key != nil || letter.Value != nil {
					t.Errorf("the letter has %d bytes", event.Size(letter))
				}
			})
		})
	}
}

// An attempt that fails: tried in place, with pauses that grow, and then put aside.
func TestInternalIsTriedAgain(t *testing.T) {
	simulate(t, func(w *world) {
		tries := make(chan time.Time, 100)
		h, _ := failing(int64(inPlace+1), broken())
		_, stop := w.start(featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			tries <- time.Now()
			return h(ctx, e)
		}))
		defer stop()
		original := w.record(request("1"))
		w.publish(original)
		w.pass(6 * time.Second)
		if len(tries) != inPlace {
			t.Fatalf("%d attempts in place, not %d", len(tries), inPlace)
		}
		var at []time.Time
		for range inPlace {
			at = append(at, <-tries)
		}
		for i := range inPlace - 1 {
			longest := 100 * time.Millisecond << i
			if pause := at[i+1].Sub(at[i]); pause <= longest/2-1 || pause > longest {
				t.Errorf("pause %d is %v, not up to half below %v", i+1, pause, longest)
			}
		}
		w.committed(in, 1)
		w.count(out, 0)
		aside := w.count(retry, 1)[0]
		w.untouched(aside, original)
		last := at[inPlace-1]
		w.headers(aside, map[string]string{
			"retry_topic": in, "retry_partition": "0", "retry_offset": "0", "retry_attempts": fmt.Sprint(inPlace), "retry_rounds": "1",
			"retry_time": "2000-01-01T00:00:00Z", "retry_first_time": at[0].UTC().Format(time.RFC3339Nano),
			"retry_not_before": last.Add(delay).UTC().Format(time.RFC3339Nano), "retry_count": "mine",
		})
		w.committed(retry, 0)
		w.pass(anInterval)
		if got := (<-tries).Sub(last); got != delay {
			t.Errorf("it came back after %v, not %v", got, delay)
		}
		w.committed(retry, 1)
		w.count(out, 2)
		w.count(retry, 1)
		w.count(dead, 0)
		w.count(failures, 0)
	})
}

func TestInternalIsGivenUpAfterAll(t *testing.T) {
	simulate(t, func(w *world) {
		h, attempts := failing(1<<40, broken())
		_, stop := w.start(featurizer(h))
		defer stop()
		original := w.record(request("1"))
		w.publish(original)
		w.pass(time.Hour)
		if want := int64(inPlace * (1 + rounds)); attempts.Load() != want {
			t.Errorf("%d attempts, not %d", attempts.Load(), want)
		}
		w.committed(in, 1)
		w.committed(retry, int64(rounds))
		w.count(retry, rounds)
		letter := w.count(dead, 1)[0]
		w.untouched(letter, original)
		w.headers(letter, map[string]string{
			"dlq_topic": in, "dlq_offset": "0", "dlq_kind": "internal", "dlq_attempts": "126", "dlq_first_time": "2000-01-01T00:00:00Z",
			"dlq_time": "2000-01-01T00:00:00Z", "retry_topic": "", "retry_rounds": "", "retry_count": "mine",
		})
		if letter.Time.Format(time.RFC3339Nano) != header(letter, "dlq_last_time") {
			t.Errorf("the letter is of %v, not of %s", letter.Time, header(letter, "dlq_last_time"))
		}
		e := w.events(failures)[0].Data.(*eventv1.RunFailed)
		if e.GetKind() != "transient" || e.GetAttempts() != 126 {
			t.Errorf("the run failed with %v", e)
		}
	})
}

// A record without a time of its own keeps that of its first arrival through
// retries and redrives: it is the time of every event of the run.
func TestTheTimeOfARunStays(t *testing.T) {
	simulate(t, func(w *world) {
		h, _ := failing(int64(inPlace+2), broken())
		_, stop := w.start(featurizer(h))
		defer stop()
		e := request("1")
		e.Time = time.Time{}
		arrived := time.Now()
		w.publish(w.record(e))
		w.pass(anInterval)
		if got := w.events(out)[0].Time; !got.Equal(arrived) {
			t.Errorf("the time is %v, not %v", got, arrived)
		}
	})
	simulate(t, func(w *world) {
		h, _ := failing(2, invalid())
		_, stop := w.start(featurizer(h))
		defer stop()
		e := request("1")
		e.Time = time.Time{}
		arrived := time.Now()
		w.publish(w.record(e))
		w.pass(anInterval)
		w.publish(w.redriven(w.count(dead, 1)[0]))
		w.settle()
		if got := w.events(out)[0].Time; !got.Equal(arrived) {
			t.Errorf("after the redrive the time is %v, not %v", got, arrived)
		}
	})
}

// redriven is a dead letter as a person copies it to the retry topic.
func (w *world) redriven(letter bus.Record) bus.Record {
	letter.Topic = strings.Replace(letter.Topic, "dlq.", "retry.", 1)
	letter.Time = time.Time{}
	return letter
}

// A dead letter that is copied to its group's retry topic is tried anew, by that
// group alone, as if it had come for the first time.
func TestRedrive(t *testing.T) {
	simulate(t, func(w *world) {
		h, attempts := failing(2, invalid())
		_, stop := w.start(featurizer(h))
		defer stop()
		others := 0
		_, stopOther := w.start(stage.Stage{Service: churn.Evaluator, Topics: []churn.Topic{churn.RetrainRequested},
			Handler: stage.HandlerFunc(func(context.Context, event.Event) ([]event.Event, error) { others++; return nil, nil })})
		defer stopOther()
		original := w.record(request("1"))
		w.publish(garbage("first"), original)
		w.settle()
		letters := w.count(dead, 2)
		w.publish(w.redriven(letters[1]))
		w.settle()
		if attempts.Load() != 2 || others != 1 {
			t.Errorf("the group tried it %d times, another one %d times", attempts.Load(), others)
		}
		w.count(out, 2)
		w.committed(retry, 1)

		// What fails again is the same dead letter again.
		w.publish(w.redriven(letters[0]))
		w.settle()
		again := w.count(dead, 3)[2]
		w.untouched(again, garbage("first"))
		w.headers(again, map[string]string{"dlq_topic": in, "dlq_offset": "0", "dlq_attempts": "1"})
		if len(again.Headers) != len(letters[0].Headers) {
			t.Errorf("headers pile up: %v", again.Headers)
		}
	})
}

// Also what an Ordered stage gave up on can be tried anew.
func TestRedriveOfAnOrderedStage(t *testing.T) {
	simulate(t, func(w *world) {
		h, _ := failing(2, invalid())
		s := featurizer(h)
		s.Ordered = true
		_, stop := w.start(s)
		defer stop()
		w.publish(w.record(request("1")))
		w.settle()
		w.publish(w.redriven(w.count(dead, 1)[0]))
		w.settle()
		w.count(out, 2)
	})
}

// An Ordered stage tries for as long as it takes; nothing overtakes.
func TestOrderedNeverSkips(t *testing.T) {
	simulate(t, func(w *world) {
		const attempts = 500
		n := 0
		var handled []string
		s := featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			if n++; n < attempts {
				if e.ID != "1" {
					t.Errorf("%s overtakes", e.ID)
				}
				return nil, transient()
			}
			handled = append(handled, e.ID)
			return answer(ctx, e)
		})
		s.Ordered = true
		r, stop := w.start(s)
		defer stop()
		w.publish(w.record(request("1")), w.record(request("2")))
		w.pass(10 * time.Minute)
		w.committed(in, 0)
		if err := r.Stalled(); !churn.IsKind(err, churn.Transient) {
			t.Errorf("while it cannot get past, it says %v", err)
		}
		w.pass(time.Hour)
		w.committed(in, 2)
		if !slices.Equal(handled, []string{"1", "2"}) {
			t.Errorf("handled %v", handled)
		}
		if err := r.Stalled(); err != nil {
			t.Errorf("once past, it says %v", err)
		}
		w.count(retry, 0)
		w.count(dead, 0)
	})
}

// Parts that are away, or refuse, are no fault of an event: nothing is put aside
// or given up, however long it takes until they are right again.
func TestPartsAreWaitedFor(t *testing.T) {
	for name, err := range map[string]error{
		"away":    transient(),
		"refuses": churn.Errorf("test.Do", churn.Denied, "the password is wrong"),
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				h, attempts := failing(500, err)
				r, stop := w.start(featurizer(h))
				defer stop()
				w.publish(w.record(request("1")))
				w.pass(10 * time.Minute)
				w.committed(in, 0)
				if stalled := r.Stalled(); !errors.Is(stalled, err) {
					t.Errorf("meanwhile it says %v", stalled)
				}
				w.pass(time.Hour)
				w.committed(in, 1)
				if err := r.Stalled(); err != nil || attempts.Load() != 500 {
					t.Errorf("afterwards it says %v, after %d attempts", err, attempts.Load())
				}
				for _, topic := range []string{retry, dead, failures} {
					w.count(topic, 0)
				}
			})
		})
	}
}

// But it is not held up by what will never be right.
func TestOrderedGivesUpWhatIsInvalid(t *testing.T) {
	simulate(t, func(w *world) {
		h, _ := failing(2, invalid())
		s := featurizer(h)
		s.Ordered = true
		_, stop := w.start(s)
		defer stop()
		w.publish(garbage("x"), w.record(request("1")), w.record(request("2")))
		w.settle()
		w.committed(in, 3)
		w.count(dead, 2)
		w.count(failures, 1)
		w.count(out, 2)
	})
}

// A stage that answers for what it has given up on does not end the run; for what
// it has no answer to, it does.
func TestAnswerToWhatIsGivenUp(t *testing.T) {
	simulate(t, func(w *world) {
		h, _ := failing(1<<40, invalid())
		s := featurizer(h)
		s.GaveUp = func(e event.Event, why *eventv1.RunFailed) (event.Event, bool) {
			if why.GetKind() != "invalid" || why.GetRun() != e.Run() {
				t.Errorf("the reason is %v", why)
			}
			replies, _ := answer(t.Context(), e)
			return replies[0], e.ID == "1"
		}
		_, stop := w.start(s)
		defer stop()
		w.publish(w.record(request("1")), w.record(request("2")))
		w.settle()
		w.committed(in, 2)
		w.count(dead, 2)
		w.count(out, 1)
		w.count(failures, 1)
	})
}

func TestPanicIsAnErrorOfTheAttempt(t *testing.T) {
	for name, s := range map[string]func(n *int) stage.Stage{
		"handler": func(n *int) stage.Stage {
			return featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
				if *n++; *n == 1 {
					panic("boom\xff")
				}
				return answer(ctx, e)
			})
		},
		"tables": func(n *int) stage.Stage {
			s := featurizer(answer)
			s.Tables = func(context.Context, []event.Event) ([]event.Event, error) {
				if *n++; *n == 1 {
					panic("boom")
				}
				return nil, nil
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				n := 0
				_, stop := w.start(s(&n))
				defer stop()
				w.publish(w.record(request("1")))
				w.pass(time.Second)
				w.committed(in, 1)
				w.count(out, 2)
				panics := w.logs.FilterMessage("panic").All()
				if len(panics) != 1 || !strings.Contains(fmt.Sprint(panics[0].ContextMap()["stack"]), "runner_test.go") {
					t.Errorf("the log says %v", panics)
				}
				if got := w.series()[`churn_failed_attempts_total{kind="internal",service="featurizer"}`]; got != 1 {
					t.Errorf("%v attempts failed", got)
				}
			})
		})
	}
}

func TestAHandlerThatAlwaysPanics(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(func(context.Context, event.Event) ([]event.Event, error) { panic("boom") }))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(time.Hour)
		w.headers(w.count(dead, 1)[0], map[string]string{"dlq_kind": "internal", "dlq_message": "stage.Recover: panic: boom"})
		if m := w.events(failures)[0].Data.(*eventv1.RunFailed); strings.Contains(m.String(), ".go:") {
			t.Errorf("the stack is in the event: %v", m)
		}
	})
}

func TestDeadline(t *testing.T) {
	simulate(t, func(w *world) {
		hung := 0
		_, stop := w.start(featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			if hung++; hung == 1 {
				<-ctx.Done()
				return nil, churn.E("test.Read", churn.Invalid, ctx.Err()) // as if the input were bad
			}
			return answer(ctx, e)
		}))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(15*time.Minute - time.Second)
		w.committed(in, 0)
		w.pass(2 * time.Second)
		w.committed(in, 1)
		w.count(out, 2)
		failed := w.logs.FilterMessage("attempt failed").All()
		if len(failed) != 1 || !strings.Contains(fmt.Sprint(failed[0].ContextMap()["error"]), "15m0s (CHURN_TIMEOUT)") {
			t.Errorf("the log says %v", failed)
		}
	})
}

// However long a handler takes, it goes on as long as it gets on.
func TestDeadlineOfALongTraining(t *testing.T) {
	simulate(t, func(w *world) {
		attempts := 0
		_, stop := w.start(featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			attempts++
			for done := range int64(10) {
				select {
				case <-time.After(14 * time.Minute):
					stage.Report(ctx, stage.Progress{Activity: "training", Done: done + 1, Total: 10})
				case <-ctx.Done():
					return nil, churn.E("test.Train", churn.Transient, ctx.Err())
				}
			}
			return answer(ctx, e)
		}))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(3 * time.Hour)
		w.committed(in, 1)
		w.count(out, 2)
		if attempts != 1 {
			t.Errorf("%d attempts", attempts)
		}
	})
}

// As long as the dead letter cannot be written, the record is not committed; the
// stage says that it is stuck.
func TestDeadLetterThatCannotBeWritten(t *testing.T) {
	for name, topic := range map[string]string{"dead letter": dead, "end of the run": failures} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				w.log.refuse = on(topic, transient())
				h, _ := failing(1<<40, invalid())
				r, stop := w.start(featurizer(h))
				defer stop()
				w.publish(w.record(request("1")), w.record(request("2")))
				w.pass(time.Hour)
				w.committed(in, 0)
				w.count(topic, 0)
				if err := r.Stalled(); !churn.IsKind(err, churn.Transient) {
					t.Errorf("stalled: %v", err)
				}
				w.log.set(func(l *memLog) { l.refuse = nil })
				w.pass(anInterval)
				w.committed(in, 2)
				w.count(failures, 2)
				if err := r.Stalled(); err != nil {
					t.Errorf("stalled: %v", err)
				}
			})
		})
	}
	simulate(t, func(w *world) {
		w.log.refuse = on(retry, transient())
		h, _ := failing(1<<40, broken())
		_, stop := w.start(featurizer(h))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(time.Hour)
		w.committed(in, 0)
		w.log.set(func(l *memLog) { l.refuse = nil })
		w.pass(anInterval)
		w.committed(in, 1)
	})
}

// Whoever keeps a record of runs is told of a failure before anything says that
// the record is done with; if a part is away for that, it is waited for.
func TestFailuresAreTold(t *testing.T) {
	simulate(t, func(w *world) {
		var up atomic.Bool
		var told atomic.Int64
		w.options.Failed = func(_ context.Context, e event.Event, f *eventv1.RunFailed) error {
			if !up.Load() {
				return transient()
			}
			if told.Add(1); e.ID != "1" || f.GetStage() != "featurizer" || f.GetMessage() == "" {
				t.Errorf("told of %s: %v", e.ID, f)
			}
			return broken() // which is no reason to hold up others
		}
		h, _ := failing(1<<40, invalid())
		_, stop := w.start(featurizer(h))
		defer stop()
		w.publish(w.record(request("1")), garbage("of no run"))
		w.pass(time.Hour)
		w.count(failures, 0)
		w.committed(in, 0)
		up.Store(true)
		w.pass(anInterval)
		w.committed(in, 2)
		w.count(failures, 1)
		w.count(dead, 2)
		if told.Load() != 1 {
			t.Errorf("told %d times", told.Load())
		}
	})
}

// A stop in the middle of a handler leaves the record; whoever comes next does
// it.
func TestStopInTheMiddle(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(func(ctx context.Context, _ event.Event) ([]event.Event, error) {
			<-ctx.Done()
			return nil, churn.E("test.Read", churn.Invalid, ctx.Err())
		}))
		w.publish(w.record(request("1")))
		w.settle()
		stop()
		w.committed(in, 0)
		w.count(dead, 0)
		w.count(failures, 0)
		w.count(retry, 0)

		// Also while it pauses between attempts, and in the retry topic.
		h, _ := failing(1<<40, broken())
		_, stop = w.start(featurizer(h))
		w.pass(50 * time.Millisecond)
		stop()
		w.committed(in, 0)
		_, stop = w.start(featurizer(h))
		w.pass(10 * time.Second)
		stop()
		w.committed(in, 1)
		w.committed(retry, 0)
		w.count(retry, 1)

		_, stop = w.start(featurizer(answer))
		defer stop()
		w.pass(delay)
		w.committed(retry, 1)
		w.count(out, 2)
	})
}

// While one record waits in the retry topic, the stage goes on with others, as
// many at a time as configured; and none waits longer than the delay, whatever
// its headers say.
func TestWaitingHoldsUpNobody(t *testing.T) {
	simulate(t, func(w *world) {
		w.options.Concurrency = 1
		_, stop := w.start(featurizer(answer))
		defer stop()
		far := w.record(request("far"))
		far.Topic = retry
		far.Headers = append(far.Headers, bus.Header{Key: "retry_topic", Value: []byte(in)},
			bus.Header{Key: "retry_not_before", Value: []byte("9999-01-01T00:00:00Z")})
		w.publish(far)
		w.settle()
		w.publish(w.record(request("1")), w.record(request("2")))
		w.settle()
		w.committed(in, 2)
		w.committed(retry, 0)
		w.pass(delay)
		w.committed(retry, 1)
		w.count(out, 6)
	})
}

func TestConcurrency(t *testing.T) {
	for _, limit := range []int{1, 2, 3} {
		simulate(t, func(w *world) {
			w.options.Concurrency = limit
			var mu sync.Mutex
			now, peak := 0, 0
			count := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				now += n
				peak = max(peak, now)
			}
			s := featurizer(func(context.Context, event.Event) ([]event.Event, error) {
				count(1)
				defer count(-1)
				time.Sleep(time.Second)
				return nil, nil
			})
			s.Topics = []churn.Topic{churn.RetrainRequested, churn.ApprovalDecided, churn.ApprovalRequested, churn.RunProgress}
			_, stop := w.start(s)
			defer stop()
			for _, topic := range s.Topics {
				e := request("1")
				if topic != churn.RetrainRequested {
					e = e.Reply(churn.Gate, topic, 0, "m", valid(topic))
				}
				w.publish(w.record(e))
			}
			w.pass(10 * time.Second)
			if peak != limit {
				t.Errorf("%d at a time, not %d", peak, limit)
			}
		})
	}
}

// valid is the least valid data of a topic.
func valid(topic churn.Topic) proto.Message {
	switch topic {
	case churn.ApprovalDecided:
		return &eventv1.ApprovalDecided{Model: "m", Run: "r", ApprovalId: "a", DecidedBy: "ada"}
	case churn.ApprovalRequested:
		return &eventv1.ApprovalRequested{Model: "m", Run: "r", ExpiresAt: "2026-01-31T12:00:00Z"}
	case churn.RunProgress:
		return &eventv1.RunProgress{Run: "r", Stage: "s"}
	}
	panic("no data of " + string(topic))
}

// A request whose own correlationid is not the run that follows from its id is no
// step of that run.
func TestARequestCannotClaimARun(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(answer))
		defer stop()
		e := request("1")
		e.Correlation = "another"
		right := request("2")
		right.Correlation = churn.RunID("2")
		w.publish(w.record(e), w.record(right))
		w.settle()
		w.count(failures, 0)
		w.headers(w.count(dead, 1)[0], map[string]string{"dlq_message": "*", "dlq_kind": "invalid"})
		w.count(out, 2)
	})
}

// An event whose data lacks what the stage needs ends the run with the names of
// the fields; the handler does not see it.
func TestWhatIsMissingIsNamed(t *testing.T) {
	simulate(t, func(w *world) {
		h, attempts := failing(1, nil)
		_, stop := w.start(featurizer(h))
		defer stop()
		e := request("1")
		e.Data = &eventv1.RetrainRequested{Model: "../x"}
		w.publish(w.record(e))
		w.settle()
		m := w.events(failures)[0].Data.(*eventv1.RunFailed)
		if !strings.Contains(m.GetMessage(), "dataset.uri is missing") || !strings.Contains(m.GetMessage(), `model is "../x"`) || m.GetModel() != "" {
			t.Errorf("the run failed with %v", m)
		}
		if attempts.Load() != 0 {
			t.Error("the handler ran")
		}
	})
}

// Outputs that cannot be events are a defect that ends the run.
func TestOutputsThatAreNoEvents(t *testing.T) {
	for name, change := range map[string]func(*event.Event){
		"no data":  func(e *event.Event) { e.Data = nil },
		"no topic": func(e *event.Event) { e.Topic, e.Type = "", "x" },
		"large": func(e *event.Event) {
			e.Data = &eventv1.FeaturesReady{Plan: &eventv1.Plan{Reason: strings.Repeat("x", event.MaxSize)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				_, stop := w.start(featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
					out, err := answer(ctx, e)
					change(&out[1])
					return out, err
				}))
				defer stop()
				w.publish(w.record(request("1")))
				w.settle()
				w.committed(in, 1)
				w.count(out, 0)
				w.count(dead, 1)
				w.count(failures, 1)
			})
		})
	}
}

// Rows of tables show the present: they are asked for at each publication, also
// when finished work is published again.
func TestTablesAreAskedAnew(t *testing.T) {
	simulate(t, func(w *world) {
		asked := 0
		h, attempts := failing(1, nil)
		s := featurizer(h)
		s.Tables = func(_ context.Context, outputs []event.Event) ([]event.Event, error) {
			if asked++; asked == 3 {
				return nil, broken()
			}
			if len(outputs) != 2 {
				t.Errorf("asked for %d outputs", len(outputs))
			}
			row := outputs[0].Reply(churn.Gate, churn.ApprovalRequested, asked, "m", valid(churn.ApprovalRequested))
			return []event.Event{row}, nil
		}
		_, stop := w.start(s)
		defer stop()
		w.publish(w.record(request("1")), w.record(request("1")), w.record(request("1")))
		w.pass(time.Second)
		w.committed(in, 3)
		if attempts.Load() != 1 || asked != 4 {
			t.Errorf("handled %d times, asked %d times", attempts.Load(), asked)
		}
		w.count(out, 6)
		rows := w.events(churn.ApprovalRequested.Name(prefix))
		if len(rows) != 3 || rows[0].ID == rows[1].ID {
			t.Errorf("the rows are %v", rows)
		}
	})
}
