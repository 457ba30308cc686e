package gate_test

import (
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

// override asks for the promotion of the run of a request.
func override(id, request string) event.Event {
	return asked(churn.OverrideRequested, id, &eventv1.OverrideRequested{
		Model: model, Run: churn.RunID(request), RequestedBy: "olga", Reason: "the law changes tomorrow",
	})
}

// reject takes a bad candidate of the request through the gate.
func reject(t testing.TB, store blob.Store, request string, edit ...func(*eventv1.Plan)) event.Event {
	t.Helper()
	h, _ := start(store)
	e := handle(t, h, evaluate(t, store, trained(request, edit...), metrics(0.5, 0.8), equal))
	if e.Topic != churn.ModelRejected {
		t.Fatalf("the answer is a %s event: %v", e.Topic, e.Data)
	}
	return e
}

func TestOverride(t *testing.T) {
	store := newStore()
	promote(t, store, "first")
	rejected := reject(t, store, "rejected")
	promote(t, store, "meanwhile") // whatever is champion by now is replaced
	h, s := start(store)
	in := override("o", "rejected")
	out := handle(t, h, in)
	m, ok := out.Data.(*eventv1.ModelPromoted)
	if !ok || out.Run() != churn.RunID("o") || m.GetRun() != rejected.Run() || m.GetVersion() != 3 || m.GetGeneration() != 3 || m.GetPreviousVersion() != 2 {
		t.Fatalf("the answer is %+v", out)
	}
	if o := m.GetOverride(); o.GetRequestedBy() != "olga" || o.GetReason() != "the law changes tomorrow" || o.GetRejectionId() != rejected.ID {
		t.Errorf("the override is %v", o)
	}
	if m.GetMetrics().GetAuc() != 0.5 || len(m.GetRules()) != 3 || m.GetRules()[0].GetPassed() {
		t.Errorf("what was rejected is not told: %v", m)
	}
	d := decision(t, store, m.GetDecision())
	if d.Kind != gate.Override || d.Run != out.Run() || d.TrainedBy != rejected.Run() || d.Rejection != rejected.ID ||
		!strings.HasPrefix(d.Reason, "olga had it promoted though it was rejected (hold-out AUC 0.5000 is below") || !strings.HasSuffix(d.Reason, ": the law changes tomorrow") {
		t.Errorf("decision.json says %+v", d)
	}
	wantRow(t, rows(t, store, out), out)
	promote(t, store, "later")
	again, err := s.Handler.Handle(t.Context(), in)
	if err != nil || encoded(t, single(t, again)) != encoded(t, out) {
		t.Errorf("answered again with %v, %v", again, err)
	}
	wantInvalid(t, store, override("another", "rejected"), "run "+rejected.Run()+" was promoted by an override already, as version 3")
	handle(t, h, rollback("back", 3, 0)) // it is a version like any other
	if got := served(t, store); got != "1 2 3 4 3" {
		t.Errorf("in production were %s", got)
	}
}

// A dry run's candidate, and one that nobody decided on, can be promoted so.
func TestOverrideOfMore(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	handle(t, h, evaluate(t, store, trained("dry", dryRun), good, nil))
	if m, ok := handle(t, h, override("1", "dry")).Data.(*eventv1.ModelPromoted); !ok || m.GetVersion() != 1 {
		t.Errorf("of a dry run: %v", m)
	}
	handle(t, h, lapse(t, ask(t, store, "lapsed", asks("1ns"))))
	if m, ok := handle(t, h, override("2", "lapsed")).Data.(*eventv1.ModelPromoted); !ok || m.GetVersion() != 2 || m.GetApproval() != nil {
		t.Errorf("of one that nobody decided on: %v", m)
	}
	promote(t, store, "third")
	back := handle(t, h, answer(staleQuestion(t, store), true, "adam"))
	handle(t, h, evaluate(t, store, back, metrics(0.5, 0.5), equal)) // rejected in its second round
	out := handle(t, h, override("3", "stale"))
	if m, ok := out.Data.(*eventv1.ModelPromoted); !ok || !strings.HasSuffix(m.GetDecision().GetUri(), churn.ArtifactKey(out.Run(), churn.Gate, churn.DecisionJSON)) {
		t.Errorf("of a second round: %v", out.Data)
	}
}

// staleQuestion asks about a candidate, after which another is promoted.
func staleQuestion(t *testing.T, store blob.Store) event.Event {
	t.Helper()
	question := ask(t, store, "stale", asks("1h"))
	promote(t, store, "another")
	return question
}

func TestOverridesThatCannotBe(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	promote(t, store, "promoted")
	reject(t, store, "rejected")
	ask(t, store, "pending", asks("1h"))
	handle(t, h, answer(ask(t, store, "denied", asks("1h")), false, "adam"))
	reject(t, store, "of olga", asks("1h/not-by-requester"), func(p *eventv1.Plan) { p.RequestedBy = "olga" })
	handle(t, h, answer(ask(t, store, "approved", asks("1h")), true, "adam"))
	slow := evaluate(t, store, trained("superseded"), good, equal)
	promote(t, store, "quick")
	handle(t, h, slow)
	other := override("o", "rejected")
	other.Data.(*eventv1.OverrideRequested).Model = "other"
	nobody := override("o", "rejected")
	nobody.Data.(*eventv1.OverrideRequested).RequestedBy = ""
	hostile := override("o", "rejected")
	hostile.Data.(*eventv1.OverrideRequested).Run = "../x"
	foreign := override("o", "rejected")
	foreign.Correlation = churn.RunID("rejected")
	before := contents(t, store)
	for name, test := range map[string]struct {
		event event.Event
		say   string
	}{
		"unknown":     {override("o", "unknown"), "does not exist, is under way, or has failed"},
		"promoted":    {override("o", "promoted"), "was promoted as version 1"},
		"approved":    {override("o", "approved"), "was promoted as version 2"},
		"pending":     {override("o", "pending"), "waits for approval"},
		"denied":      {override("o", "denied"), "the promotion was denied by adam: an override sets rules aside"},
		"superseded":  {override("o", "superseded"), "is evaluated again"},
		"own run":     {override("o", "of olga"), `wants somebody other than whoever asked for it, "olga"`},
		"other model": {other, "is one of model churn-classifier, not of other"},
		"nobody":      {nobody, "requested_by"},
		"hostile run": {hostile, "run"},
		"foreign":     {foreign, "correlationid"},
	} {
		t.Run(name, func(t *testing.T) { wantInvalid(t, store, test.event, test.say) })
	}
	if after := contents(t, store); len(after) != len(before) {
		t.Errorf("%d objects, before %d", len(after), len(before))
	}
}
