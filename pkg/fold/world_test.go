package fold_test

import (
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// record is an event with when it came to the log.
type record struct {
	event event.Event
	at    time.Time
}

// world is a log with a bit of everything that can happen to runs.
type world struct {
	log        []record
	now        time.Time
	generation int64
	version    int64
}

func (w *world) put(e event.Event) event.Event {
	w.now = w.now.Add(time.Second)
	w.log = append(w.log, record{e, w.now})
	return e
}

func (w *world) plan(by string) *eventv1.Plan {
	return &eventv1.Plan{Model: "m", RequestedBy: by, Reason: "nightly", Gate: &eventv1.Gate{BaselineStage: "Production"}}
}

// evaluated brings a run as far as its evaluation.
func (w *world) evaluated(id string) event.Event {
	request := w.put(event.Event{
		Topic: churn.RetrainRequested, ID: id, Time: w.now, Type: churn.RetrainRequested.Type(), Data: &eventv1.RetrainRequested{},
	})
	features := w.put(request.Reply(churn.Featurizer, churn.FeaturesReady, 0, "k", &eventv1.FeaturesReady{Plan: w.plan("ada")}))
	trained := w.put(features.Reply(churn.Trainer, churn.ModelTrained, 0, "k", &eventv1.ModelTrained{Plan: w.plan("ada")}))
	return w.evaluate(trained, 0)
}

func (w *world) evaluate(trained event.Event, round int32) event.Event {
	return w.put(trained.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "m", &eventv1.ModelEvaluated{
		Plan: w.plan("ada"), Round: round, Metrics: &eventv1.Metrics{Auc: 0.8 + float64(round)/100},
	}))
}

// back sends a candidate back to be evaluated again.
func (w *world) back(e event.Event, round int32) event.Event {
	trained := w.put(e.Reply(churn.Gate, churn.ModelTrained, 0, "k", &eventv1.ModelTrained{Plan: w.plan("ada"), Round: round}))
	return w.evaluate(trained, round)
}

func (w *world) promote(e event.Event, m *eventv1.ModelPromoted) {
	previous := w.version
	w.generation++
	if m.GetVersion() == 0 {
		m.Version = w.generation
	}
	w.version = m.GetVersion()
	m.Plan, m.Model, m.Generation, m.PreviousVersion = w.plan("ada"), "m", w.generation, previous
	if m.GetRun() == "" {
		m.Run = e.Run()
	}
	w.put(e.Reply(churn.Gate, churn.ModelPromoted, 0, "m", m))
}

func (w *world) reject(e event.Event, m *eventv1.ModelRejected) event.Event {
	m.Plan, m.Model, m.Run = w.plan("ada"), "m", e.Run()
	return w.put(e.Reply(churn.Gate, churn.ModelRejected, 0, "m", m))
}

// ask asks for an approval within an hour.
func (w *world) ask(e event.Event, round int32) event.Event {
	return w.put(e.Reply(churn.Gate, churn.ApprovalRequested, 0, "m", &eventv1.ApprovalRequested{
		Model: "m", Run: e.Run(), Round: round, Plan: w.plan("ada"), NotByRequester: true, ChampionVersion: w.version,
		ExpiresAt: w.now.Add(time.Hour).Format(time.RFC3339), Summary: "promote?",
	}))
}

// decide answers, with a time of the answer's own.
func (w *world) decide(ask event.Event, index int, m *eventv1.ApprovalDecided) event.Event {
	m.Model, m.Run, m.ApprovalId = "m", ask.Run(), ask.ID
	e := ask.Reply(churn.Client, churn.ApprovalDecided, index, "m", m)
	e.Time = w.now
	return w.put(e)
}

func (w *world) approval(ask event.Event, m *eventv1.ApprovalDecided) *eventv1.Approval {
	return &eventv1.Approval{
		ApprovalId: ask.ID, DecidedBy: m.GetDecidedBy(), Reason: m.GetReason(), DecidedAt: w.now.Format(time.RFC3339), Expired: m.GetExpired(),
	}
}

// aWorld returns a log with every way that a run can go.
func aWorld() *world {
	w := &world{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	w.promote(w.evaluated("promoted"), &eventv1.ModelPromoted{Metrics: &eventv1.Metrics{Auc: 0.8}})
	rejected := w.reject(w.evaluated("rejected"), &eventv1.ModelRejected{Reason: "worse"})

	sent := w.evaluated("sent back twice")
	w.promote(w.evaluated("meanwhile"), &eventv1.ModelPromoted{})
	w.promote(w.back(w.back(sent, 1), 2), &eventv1.ModelPromoted{})

	agreed := w.ask(w.evaluated("approved"), 0)
	w.decide(agreed, 0, &eventv1.ApprovalDecided{Approved: true, DecidedBy: "ada", Reason: "my own"}) // may not
	yes := &eventv1.ApprovalDecided{Approved: true, DecidedBy: "bob", Reason: "looks good"}
	answer := w.decide(agreed, 1, yes)
	w.decide(agreed, 2, &eventv1.ApprovalDecided{DecidedBy: "cyd", Reason: "too late"})
	w.promote(answer, &eventv1.ModelPromoted{Approval: w.approval(agreed, yes)})

	refused := w.ask(w.evaluated("denied"), 0)
	no := &eventv1.ApprovalDecided{DecidedBy: "bob", Reason: "not on a Friday"}
	w.reject(w.decide(refused, 0, no), &eventv1.ModelRejected{Approval: w.approval(refused, no)})

	lapsed := w.ask(w.evaluated("lapsed"), 0)
	w.now = w.now.Add(2 * time.Hour)
	w.decide(lapsed, 0, &eventv1.ApprovalDecided{Approved: true, DecidedBy: "bob"}) // too late
	expired := &eventv1.ApprovalDecided{Expired: true}
	w.reject(w.decide(lapsed, 1, expired), &eventv1.ModelRejected{Approval: w.approval(lapsed, expired)})

	stale := w.ask(w.evaluated("asked again"), 0)
	w.ask(w.back(w.decide(stale, 0, &eventv1.ApprovalDecided{Approved: true, DecidedBy: "bob"}), 1), 1)
	w.decide(w.ask(w.evaluated("answered"), 0), 0, &eventv1.ApprovalDecided{Approved: true, DecidedBy: "bob"})

	mended := w.evaluated("mended")
	w.put(mended.Reply(churn.Gate, churn.RunFailed, 0, "m", &eventv1.RunFailed{Model: "m"}))
	w.promote(mended, &eventv1.ModelPromoted{})
	w.put(w.evaluated("failed").Reply(churn.Gate, churn.RunFailed, 0, "m", &eventv1.RunFailed{Model: "m"}))

	back := w.put(event.Event{
		Topic: churn.RollbackRequested, ID: "rollback", Time: w.now, Type: churn.RollbackRequested.Type(),
		Data: &eventv1.RollbackRequested{Model: "m", ToVersion: 1, RequestedBy: "bob", Reason: "complaints"},
	})
	w.promote(back, &eventv1.ModelPromoted{
		Version: 1, Run: churn.RunID("promoted"), Rollback: &eventv1.Rollback{RequestedBy: "bob", Reason: "complaints"},
	})
	over := w.put(event.Event{
		Topic: churn.OverrideRequested, ID: "override", Time: w.now, Type: churn.OverrideRequested.Type(),
		Data: &eventv1.OverrideRequested{Model: "m", Run: rejected.Run(), RequestedBy: "cyd", Reason: "the law"},
	})
	w.promote(over, &eventv1.ModelPromoted{
		Run: rejected.Run(), Override: &eventv1.Override{RequestedBy: "cyd", Reason: "the law", RejectionId: rejected.ID},
	})
	w.put(event.Event{ // nothing has come of it yet, and its id was used before
		Topic: churn.RetrainRequested, ID: "promoted", Time: w.now, Type: churn.RetrainRequested.Type(), Data: &eventv1.RetrainRequested{Model: "x"},
	})
	return w
}

// fold folds what was on the log by the given time.
func foldAt(log []record, by time.Time) fold.Runs {
	runs := fold.Runs{}
	for _, r := range log {
		if !r.at.After(by) {
			runs.AddAt(r.event, r.at)
		}
	}
	return runs
}

// state is everything that can be asked of runs.
type state struct {
	Runs    []run
	Chains  []fold.Chain
	Pending []fold.Approval
}

type run struct {
	ID, Model   string
	RequestedAt time.Time
	Kind        fold.Kind
	Status      fold.Status
	Version     int64
	AUC         float64
	Approvals   []fold.Approval
	Timeline    []string // ids with their times
	Last        map[churn.Topic]string
}

func stateOf(runs fold.Runs) state {
	s := state{Chains: runs.Chains(), Pending: runs.Pending()}
	for _, r := range runs.Sorted() {
		out := run{
			ID: r.ID, Model: r.Model, RequestedAt: r.RequestedAt, Kind: r.Kind(), Status: r.Status(), Version: r.Version(),
			AUC: r.Metrics().GetAuc(), Approvals: r.Approvals(), Last: map[churn.Topic]string{},
		}
		for _, e := range r.Timeline() {
			out.Timeline = append(out.Timeline, fmt.Sprintf("%s %s %v", e.ID, r.At(e), e.Data))
		}
		for _, t := range churn.Topology {
			if e, ok := r.Last(t.Topic); ok {
				out.Last[t.Topic] = e.ID
			}
		}
		s.Runs = append(s.Runs, out)
	}
	return s
}
