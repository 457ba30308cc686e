package fold_test

import (
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// aRun returns the events of a run that ends promoted as version 7.
func aRun() []event.Event {
	plan := &eventv1.Plan{Model: "m"}
	request := event.Event{
		Topic: churn.RetrainRequested, ID: "r1", Time: time.Unix(1000, 0).UTC(),
		Type: churn.RetrainRequested.Type(), Data: &eventv1.RetrainRequested{Model: "m"},
	}
	features := request.Reply(churn.Featurizer, churn.FeaturesReady, 0, "k", &eventv1.FeaturesReady{Plan: plan})
	trained := features.Reply(churn.Trainer, churn.ModelTrained, 0, "k", &eventv1.ModelTrained{Plan: plan})
	evaluated := trained.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "m",
		&eventv1.ModelEvaluated{Plan: plan, Metrics: &eventv1.Metrics{Auc: 0.84}})
	promoted := evaluated.Reply(churn.Gate, churn.ModelPromoted, 0, "m",
		&eventv1.ModelPromoted{Plan: plan, Model: "m", Version: 7})
	return []event.Event{request, features, trained, evaluated, promoted}
}

func TestStatusFollowsTheEvents(t *testing.T) {
	want := []fold.Status{fold.Requested, fold.Training, fold.Evaluate, fold.Deciding, fold.Promoted}
	runs := fold.Runs{}
	for i, e := range aRun() {
		runs.Add(e)
		if got := runs[e.Run()].Status(); got != want[i] {
			t.Errorf("after %s: status %q, want %q", e.Topic, got, want[i])
		}
	}
	run := runs.Sorted()[0]
	if run.Version() != 7 || run.Metrics().GetAuc() != 0.84 || run.Model != "m" {
		t.Errorf("version %d, AUC %v, model %q", run.Version(), run.Metrics().GetAuc(), run.Model)
	}
}

func TestAMendedRunOutweighsItsFailure(t *testing.T) {
	events := aRun()
	failed := events[1].Reply(churn.Trainer, churn.RunFailed, 0, "m", &eventv1.RunFailed{Model: "m"})
	runs := fold.Runs{}
	for _, e := range append(events[:2], failed) {
		runs.Add(e)
	}
	if got := runs.Sorted()[0].Status(); got != fold.Failed {
		t.Fatalf("status %q, want failed", got)
	}
	for _, e := range aRun() {
		runs.Add(e)
	}
	if got := runs.Sorted()[0].Status(); got != fold.Promoted {
		t.Fatalf("status %q, want promoted", got)
	}
}

// A candidate that the gate has sent back is evaluated and decided on once more.
func TestARunThatIsSentBack(t *testing.T) {
	first := aRun()[:4]
	evaluated := first[3]
	plan := evaluated.Data.(*eventv1.ModelEvaluated).GetPlan()
	back := evaluated.Reply(churn.Gate, churn.ModelTrained, 0, "k", &eventv1.ModelTrained{Plan: plan, Round: 1})
	second := back.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "m", &eventv1.ModelEvaluated{
		Plan: plan, Round: 1, Metrics: &eventv1.Metrics{Auc: 0.83},
	})
	runs := fold.Runs{}
	for _, e := range first {
		runs.Add(e)
	}
	for _, step := range []struct {
		event event.Event
		want  fold.Status
	}{{back, fold.Evaluate}, {second, fold.Deciding}, {first[2], fold.Deciding}} { // the last is a duplicate
		runs.Add(step.event)
		if got := runs[evaluated.Run()].Status(); got != step.want {
			t.Errorf("after %s: status %q, want %q", step.event.Topic, got, step.want)
		}
	}
	if got := runs[evaluated.Run()].Metrics().GetAuc(); got != 0.83 {
		t.Errorf("the AUC is %v, want that of the second round", got)
	}
}

// Telemetry and the compacted table say nothing new, and what names no run is of
// none.
func TestWhatIsPassedOver(t *testing.T) {
	runs := fold.Runs{}
	promoted := aRun()[4]
	progress := promoted.Reply(churn.Gate, churn.RunProgress, 0, "k", &eventv1.RunProgress{Run: promoted.Run()})
	row := promoted
	row.Topic = churn.ModelCurrent
	approval := event.Event{Topic: churn.ApprovalDecided, ID: "somebody's", Data: &eventv1.ApprovalDecided{Model: "m"}}
	for _, e := range []event.Event{progress, row, approval, {Topic: churn.RetrainRequested, ID: "without data"}} {
		runs.Add(e)
	}
	if len(runs) != 0 {
		t.Errorf("%d runs, want none", len(runs))
	}
}

func TestSortedNewestFirst(t *testing.T) {
	runs := fold.Runs{}
	for id, second := range map[string]int64{"old": 10, "new": 30, "middle": 20} {
		runs.Add(event.Event{
			Topic: churn.RetrainRequested, ID: id, Time: time.Unix(second, 0), Type: churn.RetrainRequested.Type(),
			Data: &eventv1.RetrainRequested{},
		})
	}
	for i, want := range []string{"new", "middle", "old"} {
		if got := runs.Sorted()[i].ID; got != churn.RunID(want) {
			t.Errorf("run %d is %s, want that of request %q", i, got, want)
		}
	}
}

// That somebody asks for a run's end is told of the run, and changes nothing of it:
// what comes of it does.
func TestACancellationIsNoStep(t *testing.T) {
	events := aRun()[:3]
	id := events[0].Run()
	asked := event.Event{
		Topic: churn.CancelRequested, ID: "cancel", Time: time.Unix(1, 0).UTC(), Type: churn.CancelRequested.Type(),
		Data: &eventv1.CancelRequested{Model: "other", Run: id, RequestedBy: "ada", Reason: "wrong file"}, // whose producer knows no correlation
	}
	runs := fold.Runs{}
	for _, e := range append([]event.Event{asked}, events...) {
		runs.Add(e)
	}
	run := runs[id]
	if len(runs) != 1 || run.Status() != fold.Evaluate || run.Model != "m" || !run.RequestedAt.Equal(time.Unix(1000, 0)) || len(run.Events) != 4 {
		t.Errorf("%d runs; %s of %s, asked for at %v", len(runs), run.Status(), run.Model, run.RequestedAt)
	}
	runs.Add(events[2].Reply(churn.Evaluator, churn.RunFailed, 0, "m", &eventv1.RunFailed{Model: "m", Run: id, Kind: "cancelled"}))
	if run.Status() != fold.Failed {
		t.Errorf("and in the end %s", run.Status())
	}
}
