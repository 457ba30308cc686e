package gate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

// asks has the plan's policy ask for approval, for a while; if the requester may
// not decide, the words end with /not-by-requester.
func asks(words string) func(*eventv1.Plan) {
	return func(p *eventv1.Plan) {
		expires, others := strings.CutSuffix(words, "/not-by-requester")
		refresh, _ := policy.BuiltIn(churn.Refresh)
		text := strings.Replace(string(refresh), "name: refresh", "name: asking", 1) +
			fmt.Sprintf("approval: {expires: %s, not_by_requester: %v}\n", expires, others)
		p.RequestedBy = "rita"
		p.Gate.PolicyDocument = &blob.Artifact{
			Uri: blob.URI("churn", churn.PolicyKey(digest(text))), Sha256: digest(text), Size: int64(len(text)), MediaType: "application/yaml",
		}
		policies.Store(digest(text), text)
	}
}

// policies are the documents that the tests' plans name, by digest.
var policies sync.Map

// storePolicy puts the document that the plan names, as the featurizer does.
func storePolicy(t testing.TB, store blob.Store, p *eventv1.Plan) {
	t.Helper()
	sum := p.GetGate().GetPolicyDocument().GetSha256()
	text, ok := policies.Load(sum)
	if !ok {
		return
	}
	if _, err := store.Put(t.Context(), churn.PolicyKey(sum), "application/yaml", strings.NewReader(text.(string))); err != nil {
		t.Fatal(err)
	}
}

// ask takes a good candidate of the request to the gate, which must ask.
func ask(t testing.TB, store blob.Store, request string, edit ...func(*eventv1.Plan)) event.Event {
	t.Helper()
	h, _ := start(store)
	out := handle(t, h, evaluate(t, store, trained(request, edit...), good, equal))
	if out.Topic != churn.ApprovalRequested || out.Key != model {
		t.Fatalf("the answer is a %s event: %v", out.Topic, out.Data)
	}
	return out
}

// answer returns somebody's answer to the question.
func answer(question event.Event, approved bool, by string, edit ...func(*event.Event, *eventv1.ApprovalDecided)) event.Event {
	m := question.Data.(*eventv1.ApprovalRequested)
	data := &eventv1.ApprovalDecided{
		Model: m.GetModel(), Run: m.GetRun(), ApprovalId: question.ID, Approved: approved, DecidedBy: by, Reason: "looks right",
	}
	e := event.Event{
		Topic: churn.ApprovalDecided, Key: m.GetModel(), ID: fmt.Sprintf("%s: %s says %v", question.ID, by, approved), Source: "/test", Type: churn.ApprovalDecided.Type(),
		Subject: question.Run(), Correlation: question.Run(), Time: time.Now().UTC(), Data: data,
	}
	for _, edit := range edit {
		edit(&e, data)
	}
	return e
}

// wantRefused wants the event to be a dead letter that fails no run.
func wantRefused(t testing.TB, h stage.Handler, e event.Event, say string) {
	t.Helper()
	out, err := h.Handle(t.Context(), e)
	if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), say) || len(out) != 0 {
		t.Errorf("answered with %v, %v, want a refusal that says %q", out, err, say)
	}
}

func TestApproved(t *testing.T) {
	store := newStore()
	promote(t, store, "earlier")
	question := ask(t, store, "request", asks("1h"))
	m := question.Data.(*eventv1.ApprovalRequested)
	expires, err := time.Parse(time.RFC3339, m.GetExpiresAt())
	if err != nil || time.Until(expires) > time.Hour || time.Until(expires) < 50*time.Minute {
		t.Errorf("expires at %s", m.GetExpiresAt())
	}
	if m.GetRun() != question.Run() || m.GetChampionVersion() != 1 || m.GetChampionGeneration() != 1 || len(m.GetRules()) != 3 ||
		!strings.Contains(m.GetSummary(), "it would replace version 1") {
		t.Errorf("asked %v", m)
	}
	if n := len(versions(t, store)); n != 1 {
		t.Errorf("%d versions while nobody has decided", n)
	}

	h, _ := start(store) // another process
	yes := answer(question, true, "adam")
	out := handle(t, h, yes)
	p, ok := out.Data.(*eventv1.ModelPromoted)
	if !ok || p.GetVersion() != 2 || p.GetPreviousVersion() != 1 || p.GetRun() != question.Run() {
		t.Fatalf("the answer is %v", out.Data)
	}
	if a := p.GetApproval(); a.GetApprovalId() != question.ID || a.GetDecidedBy() != "adam" || a.GetReason() != "looks right" || a.GetExpired() {
		t.Errorf("the approval is %v", a)
	}
	if out.Run() != question.Run() || !out.Time.Equal(question.Time) || out.TraceParent != question.TraceParent ||
		out.Causation != yes.ID || out.Sequence != question.Sequence+2 {
		t.Errorf("the promotion is no step of its run: %+v", out)
	}
	d := decision(t, store, p.GetDecision())
	if d.Outcome != gate.Promoted || d.Kind != gate.Retrain || d.Approval.DecidedBy != "adam" || !d.Approval.Approved || d.Policy.Name != "asking" ||
		d.Policy.SHA256 != p.GetPlan().GetGate().GetPolicyDocument().GetSha256() ||
		d.Reason != "every rule passed, and the promotion was approved by adam: looks right" {
		t.Errorf("decision.json says %+v", d)
	}
	wantRow(t, rows(t, store, out), out)
}

func TestDenied(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1h"))
	h, _ := start(store)
	out := handle(t, h, answer(question, false, "adam"))
	m, ok := out.Data.(*eventv1.ModelRejected)
	if !ok || m.GetReason() != "every rule passed, and the promotion was denied by adam: looks right" || m.GetApproval().GetDecidedBy() != "adam" || m.GetDryRun() {
		t.Fatalf("the answer is %v", out.Data)
	}
	if d := decision(t, store, m.GetDecision()); d.Outcome != gate.Rejected || d.Approval.Approved || len(versions(t, store)) != 0 {
		t.Errorf("decision.json says %+v, %d versions", d, len(versions(t, store)))
	}
}

// What answers no open question changes nothing.
func TestRefusedAnswers(t *testing.T) {
	type edit = func(*event.Event, *eventv1.ApprovalDecided)
	lapsed := func(e *event.Event, m *eventv1.ApprovalDecided) { m.Expired, m.Approved, m.DecidedBy = true, false, "" }
	for name, test := range map[string]struct {
		by   string
		edit edit
		say  string
	}{
		"by the requester": {"rita", nil, "rita has asked for run"},
		"too late":         {"adam", func(e *event.Event, _ *eventv1.ApprovalDecided) { e.Time = e.Time.Add(2 * time.Hour) }, "too late"},
		"another approval": {"adam", func(_ *event.Event, m *eventv1.ApprovalDecided) {
			m.ApprovalId = churn.EventID("another", "", 0)
		}, "there is no approval"},
		"hostile approval": {"adam", func(_ *event.Event, m *eventv1.ApprovalDecided) { m.ApprovalId = "../../../secrets" }, "there is no approval"},
		"another run": {"adam", func(e *event.Event, m *eventv1.ApprovalDecided) {
			m.Run, e.Correlation = churn.RunID("x"), ""
		}, "there is no approval"},
		"another model":  {"adam", func(_ *event.Event, m *eventv1.ApprovalDecided) { m.Model = "other" }, "is about model churn-classifier"},
		"two runs":       {"adam", func(e *event.Event, _ *eventv1.ApprovalDecided) { e.Correlation = churn.RunID("x") }, "by its correlationid"},
		"nobody":         {"", nil, "decided_by"},
		"forged lapse":   {"", lapsed, "is for the gate to say"},
		"a lapse to be":  {"", func(e *event.Event, m *eventv1.ApprovalDecided) { lapsed(e, m); e.ID = "" }, "has not lapsed"},
		"approved lapse": {"", func(e *event.Event, m *eventv1.ApprovalDecided) { lapsed(e, m); m.Approved = true }, "nobody decided in time"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore()
			question := ask(t, store, "request", asks("1h/not-by-requester"))
			before := contents(t, store)
			h, _ := start(store)
			edits := []edit{}
			if test.edit != nil {
				edits = append(edits, test.edit)
			}
			e := answer(question, true, test.by, edits...)
			if e.ID == "" { // as the gate would say it
				e.ID = churn.EventID(question.ID, churn.ApprovalDecided.Type(), 0)
				e.Time, _ = time.Parse(time.RFC3339, question.Data.(*eventv1.ApprovalRequested).GetExpiresAt())
			}
			wantRefused(t, h, e, test.say)
			if after := contents(t, store); !maps.Equal(before, after) {
				t.Errorf("something was written: %d objects, before %d", len(after), len(before))
			}
			if out := handle(t, h, answer(question, true, "adam")); out.Topic != churn.ModelPromoted {
				t.Errorf("and the right answer afterwards: %v", out.Data)
			}
		})
	}
}

// The first answer counts, whichever comes again or later, and whatever it says.
func TestAnsweredOnce(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1h"))
	h, s := start(store)
	yes := answer(question, true, "adam")
	want := encoded(t, handle(t, h, yes))
	wantRefused(t, h, answer(question, false, "eve"), "was approved by adam: looks right already")
	wantRefused(t, h, answer(question, true, "eve"), "an approval is decided once")
	late := answer(question, true, "zoe")
	late.Time = late.Time.Add(24 * time.Hour)
	wantRefused(t, h, late, "was approved by adam")
	promote(t, store, "another")
	for _, again := range []stage.Handler{h, s.Handler} {
		if got := encoded(t, handle(t, again, yes)); got != want {
			t.Errorf("answered again with\n%s\nand at first with\n%s", got, want)
		}
	}
	if n := len(history(t, store)); n != 2 {
		t.Errorf("%d promotions, want 2", n)
	}
}

// Of many who answer at once, one is heard.
func TestAnswersRace(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1h"))
	var ends [8]event.Event
	race(len(ends), func(i int) {
		h, _ := start(store)
		out, err := h.Handle(t.Context(), answer(question, i%2 == 0, fmt.Sprint("person ", i)))
		if err == nil {
			ends[i] = single(t, out)
		} else if !strings.Contains(err.Error(), "an approval is decided once") {
			t.Error(err)
		}
	})
	heard, promoted := 0, 0
	for i, e := range ends {
		if e.ID == "" {
			continue
		}
		heard++
		if (e.Topic == churn.ModelPromoted) != (i%2 == 0) {
			t.Errorf("answer %d led to %s", i, e.Topic)
		}
		if e.Topic == churn.ModelPromoted {
			promoted++
		}
	}
	if heard != 1 || len(history(t, store)) != promoted {
		t.Errorf("%d answers were heard, %d promotions", heard, len(history(t, store)))
	}
}

// An answer that does not say in its envelope which run it is of is one of the run
// that its data names, also for the table.
func TestAnswerWithoutCorrelation(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1h"))
	h, _ := start(store)
	out := handle(t, h, answer(question, true, "adam", func(e *event.Event, _ *eventv1.ApprovalDecided) { e.Correlation, e.Subject = "", "" }))
	if out.Topic != churn.ModelPromoted || out.Run() != question.Run() {
		t.Fatalf("the answer is %+v", out)
	}
	older := out
	older.Data = &eventv1.ModelPromoted{Plan: out.Data.(*eventv1.ModelPromoted).GetPlan(), Model: model, Version: 1}
	wantRow(t, rows(t, store, older), out)
}

// Ids of answers are whatever people's programs make of them: the same for answers
// about two runs takes neither for the other.
func TestAnswersOfOneID(t *testing.T) {
	store := newStore()
	first, second := ask(t, store, "first", asks("1h")), ask(t, store, "second", asks("1h"))
	h, _ := start(store)
	one := func(e *event.Event, _ *eventv1.ApprovalDecided) { e.ID = "1" }
	promoted := handle(t, h, answer(first, true, "adam", one))
	back := handle(t, h, answer(second, true, "adam", one))
	if back.Topic != churn.ModelTrained {
		t.Fatalf("the second candidate was compared with no champion, and is answered by %v", back.Data)
	}
	again := handle(t, h, evaluate(t, store, back, good, equal))
	last := handle(t, h, answer(again, true, "adam", func(e *event.Event, _ *eventv1.ApprovalDecided) { e.ID = "2" }))
	if last.ID == promoted.ID || served(t, store) != "1 2" {
		t.Errorf("in production were %s, by events %s and %s", served(t, store), promoted.ID, last.ID)
	}
	wantRow(t, rows(t, store, promoted), last)
}

// An approval is for the comparison that it was asked about: if the champion has
// changed since, the candidate is evaluated beside the new one, and another
// approval is asked for.
func TestStaleApproval(t *testing.T) {
	store := newStore()
	question := ask(t, store, "request", asks("1h"))
	promote(t, store, "another")
	h, _ := start(store)
	back := handle(t, h, answer(question, true, "adam"))
	m, ok := back.Data.(*eventv1.ModelTrained)
	if !ok || m.GetRound() != 1 || back.Run() != question.Run() {
		t.Fatalf("the answer is %v", back.Data)
	}
	first := get(t, store, churn.ArtifactKey(question.Run(), churn.Gate, churn.DecisionJSON))
	if !strings.Contains(first, "the approval of adam was for the comparison of then, and another will be asked for") {
		t.Errorf("the first round's decision is %s", first)
	}
	second := handle(t, h, evaluate(t, store, back, good, equal))
	q, ok := second.Data.(*eventv1.ApprovalRequested)
	if !ok || q.GetRound() != 1 || q.GetChampionVersion() != 1 || second.ID == question.ID {
		t.Fatalf("the second round's answer is %v", second.Data)
	}
	wantRefused(t, h, answer(question, true, "eve"), "was approved by adam")
	out := handle(t, h, answer(second, true, "eve"))
	if p, ok := out.Data.(*eventv1.ModelPromoted); !ok || p.GetApproval().GetDecidedBy() != "eve" || p.GetPreviousVersion() != 1 {
		t.Errorf("the run ended as %v", out.Data)
	}
}

// Asked again, the gate asks the same, however much later.
func TestAskedAgain(t *testing.T) {
	store := newStore()
	in := evaluate(t, store, trained("request", asks("1h")), good, nil)
	_, s := start(store)
	want := encoded(t, handle(t, s.Handler, in))
	in2 := evaluate(t, store, trained("request", asks("99h")), good, nil) // what another time would make of it
	_, s = start(store)
	if got := encoded(t, handle(t, s.Handler, in2)); got != want {
		t.Errorf("asked\n%s\nand at first\n%s", got, want)
	}
}

// Nobody is asked about what is not to be promoted, or where nobody can be told
// from the requester.
func TestNotAsked(t *testing.T) {
	unknown := func(p *eventv1.Plan) { p.RequestedBy = "" }
	for name, test := range map[string]struct {
		candidate *eventv1.Metrics
		edit      []func(*eventv1.Plan)
		say       string
		dryRun    bool
	}{
		"a rule failed":     {metrics(0.5, 0.8), []func(*eventv1.Plan){asks("1h")}, "min_auc", false},
		"dry run":           {good, []func(*eventv1.Plan){asks("1h"), dryRun}, "nobody was asked for approval", true},
		"unknown requester": {good, []func(*eventv1.Plan){asks("1h/not-by-requester"), unknown}, "ask again with requested_by set", false},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore()
			h, _ := start(store)
			out := handle(t, h, evaluate(t, store, trained("request", test.edit...), test.candidate, nil))
			m, ok := out.Data.(*eventv1.ModelRejected)
			if !ok || !strings.Contains(m.GetReason(), test.say) || m.GetDryRun() != test.dryRun || m.GetApproval() != nil || len(versions(t, store)) != 0 {
				t.Errorf("the answer is %v", out.Data)
			}
		})
	}
}

// A gate that is cut off before or after any write of asking or of taking the
// answer, and is started again, comes to the same answer as one that is not.
func TestApprovalCutOffAnywhere(t *testing.T) {
	begin := newStore()
	in := evaluate(t, begin, trained("request", asks("1h")), good, nil)
	withPolicy := func() *memory.Store {
		store := newStore()
		storePolicy(t, store, in.Data.(*eventv1.ModelEvaluated).GetPlan())
		return store
	}
	whole := &cut{Store: withPolicy()}
	h, _ := start(whole)
	question := handle(t, h, in)
	yes := answer(question, true, "adam")
	want := handle(t, h, yes)
	for n := range whole.puts {
		for _, after := range []bool{false, true} {
			store := &cut{Store: withPolicy(), n: n + 1, after: after}
			t.Run(fmt.Sprintf("%d after=%v", n+1, after), func(t *testing.T) {
				answered := false
				for range 3 {
					h, _ := start(store)
					out, err := h.Handle(t.Context(), in)
					if churn.IsKind(err, churn.Transient) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					q := single(t, out)
					if q.ID != question.ID {
						t.Fatalf("asked %v", q)
					}
					h, _ = start(store)
					out, err = h.Handle(t.Context(), yes)
					if churn.IsKind(err, churn.Transient) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					answered = true
					got := single(t, out)
					_, raw := start(store) // which has to do it all again
					if again := handle(t, raw.Handler, yes); got.ID != want.ID || encoded(t, again) != encoded(t, got) {
						t.Errorf("answered with\n%s\nand again with\n%s", encoded(t, got), encoded(t, again))
					}
					break
				}
				if v, c := versions(t, store), history(t, store); !answered || len(v) != 1 || len(c) != 1 {
					t.Errorf("versions %v, promotions %v", v, c)
				}
			})
		}
	}
}

// The document reads back as what was written.
func TestDocumentOfAnApproval(t *testing.T) {
	store := memory.New("churn")
	question := ask(t, store, "request", asks("1h"))
	h, _ := start(store)
	out := handle(t, h, answer(question, true, "adam"))
	body := get(t, store, churn.ArtifactKey(out.Run(), churn.Gate, churn.DecisionJSON))
	var d gate.Document
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	encoder := json.NewEncoder(&again)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil || again.String() != body {
		t.Errorf("%v: read back, it is\n%s\nand was\n%s", err, again.String(), body)
	}
	if d.Approval.ID != question.ID || d.Version != gate.DocumentVersion {
		t.Errorf("%+v", d)
	}
}
