package main

import (
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// questioned returns a run up to the question whether it is to be promoted.
func questioned(at time.Time) (fold.Runs, event.Event) {
	plan := &eventv1.Plan{Model: "m", RequestedBy: "rita"}
	request := event.Event{
		Topic: churn.RetrainRequested, ID: "request", Type: churn.RetrainRequested.Type(), Time: at,
		Data: &eventv1.RetrainRequested{Model: "m"},
	}
	evaluated := request.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "m", &eventv1.ModelEvaluated{Plan: plan})
	question := evaluated.Reply(churn.Gate, churn.ApprovalRequested, 0, "m", &eventv1.ApprovalRequested{
		Model: "m", Run: request.Run(), Plan: plan, ExpiresAt: at.Add(time.Hour).Format(time.RFC3339), NotByRequester: true,
	})
	runs := fold.Runs{}
	for _, e := range []event.Event{request, evaluated, question} {
		runs.Add(e)
	}
	return runs, question
}

// What the gate would refuse is refused before it is on the log.
func TestWhoMayAnswerAndWhen(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	decided := func(approved, expired bool) func(fold.Runs, event.Event) {
		return func(runs fold.Runs, question event.Event) {
			e := answerTo(question, approved, personFlags{"adam", "fine"}, at)
			if expired {
				e.Data.(*eventv1.ApprovalDecided).Expired, e.Data.(*eventv1.ApprovalDecided).DecidedBy = true, ""
			}
			runs.Add(e)
		}
	}
	for name, test := range map[string]struct {
		by   string
		at   time.Time
		edit func(fold.Runs, event.Event)
		say  string // empty: the person may answer
	}{
		"in time":       {"adam", at, nil, ""},
		"too late":      {"adam", at.Add(time.Hour), nil, "lapsed at 2026-01-31T13:00:00Z"},
		"the requester": {"rita", at, nil, "rita has asked for run"},
		"approved":      {"eve", at, decided(true, false), "is decided: approved by adam: fine"},
		"denied":        {"eve", at, decided(false, false), "is decided: denied by adam: fine"},
		"lapsed":        {"eve", at, decided(false, true), "is decided: nobody decided in time"},
		"asked nothing": {"adam", at, func(runs fold.Runs, question event.Event) {
			delete(runs[question.Run()].Events, question.ID)
		}, "waits for no approval: it is deciding"},
	} {
		t.Run(name, func(t *testing.T) {
			runs, question := questioned(at)
			if test.edit != nil {
				test.edit(runs, question)
			}
			e, err := openQuestion(runs[question.Run()], test.by, test.at)
			if test.say == "" && (err != nil || e.ID != question.ID) {
				t.Errorf("the question is %v, %v", e.ID, err)
			}
			if test.say != "" && (exitCode(err) != exitUsage || !strings.Contains(err.Error(), test.say)) {
				t.Errorf("%v, want exit code %d and %q", err, exitUsage, test.say)
			}
		})
	}
}

// An answer has an id and a time of its own: it is one person's, and not the one
// that the gate gives if nobody does.
func TestAnAnswerIsOnesOwn(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 30, 0, 0, time.UTC)
	runs, question := questioned(at.Add(-time.Minute))
	one, two := answerTo(question, true, personFlags{"adam", "fine"}, at), answerTo(question, true, personFlags{"adam", "fine"}, at)
	if one.ID == two.ID || one.ID == churn.EventID(question.ID, churn.ApprovalDecided.Type(), 0) {
		t.Errorf("the ids are %s and %s", one.ID, two.ID)
	}
	if err := event.Validate(one); err != nil || !one.Time.Equal(at) || one.Run() != question.Run() || one.Causation != question.ID || one.Key != "m" {
		t.Errorf("%v: the answer is %+v", err, one)
	}
	run := runs[question.Run()]
	if !settled(run) || exitCode(outcome(run.Status(), false)) != exitPending {
		t.Errorf("a run that waits for a person is %s", run.Status())
	}
	runs.Add(one)
	if settled(run) {
		t.Errorf("with the answer given the run is %s", run.Status())
	}
}
