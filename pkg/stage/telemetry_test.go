package stage_test

import (
	"context"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// reporting answers after n reports, a pause apart.
func reporting(n int64, pause time.Duration) stage.HandlerFunc {
	return func(ctx context.Context, e event.Event) ([]event.Event, error) {
		for i := range n {
			p := stage.Progress{Activity: "training", Done: i + 1, Total: n, Metric: "auc", Value: 0.5}
			if i == 0 {
				p.Tracking = "tracking"
			}
			stage.Report(ctx, p)
			time.Sleep(pause)
		}
		return answer(ctx, e)
	}
}

// reports are the payloads on the telemetry topic.
func (w *world) reports() []*eventv1.RunProgress {
	w.Helper()
	var reports []*eventv1.RunProgress
	for _, e := range w.events(progress) {
		if err := event.Validate(e); err != nil {
			w.Error(err)
		}
		reports = append(reports, e.Data.(*eventv1.RunProgress))
	}
	return reports
}

// Of many reports a few a second are published, the last always.
func TestTelemetryIsThinned(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(reporting(1000, time.Millisecond)))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(5 * time.Second)
		got := w.reports()
		if len(got) < 10 || len(got) > 12 {
			t.Errorf("%d reports of one second", len(got))
		}
		last := got[len(got)-1]
		if last.GetDone() != 1000 || last.GetTrackingRun() != "tracking" || last.GetStage() != "featurizer" || last.GetActivity() != "training" {
			t.Errorf("the last report is %v", last)
		}
		seen := map[string]bool{}
		for _, e := range w.events(progress) {
			if seen[e.ID] {
				t.Errorf("id %s twice", e.ID)
			}
			seen[e.ID] = true
		}
		w.count(out, 2)
	})
}

// One report, at the end of a handler that takes no time, is not lost.
func TestTheOnlyReport(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(reporting(1, 0)))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(time.Second)
		if got := w.reports(); len(got) != 1 || got[0].GetDone() != 1 {
			t.Errorf("reports are %v", got)
		}
	})
}

// A topic that cannot be written, and one that never answers, cost the handler
// no time and the record nothing.
func TestTelemetryNeverBlocks(t *testing.T) {
	for name, spoil := range map[string]func(*memLog){
		"refused": func(l *memLog) { l.refuse = on(progress, transient()) },
		"hangs": func(l *memLog) {
			l.stall = func(ctx context.Context, r bus.Record) {
				if r.Topic == progress {
					<-ctx.Done()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				spoil(w.log)
				_, stop := w.start(featurizer(reporting(100_000, 0)))
				defer stop()
				start := time.Now()
				w.publish(w.record(request("1")))
				w.settle()
				w.committed(in, 1)
				w.count(out, 2)
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v", took)
				}
				w.count(progress, 0)
				w.pass(time.Minute) // whatever still waits gives up
			})
		})
	}
}

// What a handler reports after it has answered is of no event.
func TestALateReportIsIgnored(t *testing.T) {
	simulate(t, func(w *world) {
		_, stop := w.start(featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			time.AfterFunc(time.Minute, func() { stage.Report(ctx, stage.Progress{Activity: "late"}) })
			return answer(ctx, e)
		}))
		defer stop()
		w.publish(w.record(request("1")))
		w.pass(time.Hour)
		w.count(progress, 0)
	})
}

// Without a listener a report goes nowhere.
func TestReportWithoutAListener(t *testing.T) {
	stage.Report(t.Context(), stage.Progress{Activity: "x"})
	var heard []stage.Progress
	stage.Report(stage.WithProgress(t.Context(), func(p stage.Progress) { heard = append(heard, p) }), stage.Progress{Activity: "y"})
	if len(heard) != 1 || heard[0].Activity != "y" {
		t.Errorf("heard %v", heard)
	}
}
