package gate_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// illustrated returns a candidate of the request, evaluated, whose artifacts are
// in the store, as far as the report shows them.
func illustrated(t testing.TB, store blob.Store, request string, candidate *eventv1.Metrics, edit ...func(*eventv1.Plan)) event.Event {
	t.Helper()
	e := evaluate(t, store, trained(request, edit...), candidate, equal)
	m := e.Data.(*eventv1.ModelEvaluated)
	put := func(s churn.Service, name, body string) *blob.Artifact {
		a, err := store.Put(t.Context(), churn.ArtifactKey(e.Run(), s, name), "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	d := evaluation.Document{Version: evaluation.Version, Model: model, Run: e.Run()}
	d.Candidate.Metrics = map[string]evaluation.Measure{}
	for i := stat.AUC; i <= stat.KS; i++ {
		d.Candidate.Metrics[i.String()] = evaluation.Measure{Value: 0.4321}
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	m.Evaluation.Evaluation = put(churn.Evaluator, churn.EvaluationJSON, string(text))
	m.Evaluation.RocPlot = put(churn.Evaluator, churn.ROCPlot, "roc")
	m.Evaluation.PrPlot = put(churn.Evaluator, churn.PRPlot, "pr")
	m.Evaluation.CalibrationPlot = put(churn.Evaluator, churn.CalibrationPlot, "calibration")
	m.Candidate.ImportancesPlot = put(churn.Trainer, churn.ImportancesPNG, "importances")
	m.Candidate.Contributions = put(churn.Trainer, churn.Contributions, `{"version": 1, "rows": 777}`)
	return e
}

// reportOf returns the report that the event names, which must be the run's.
func reportOf(t testing.TB, store blob.Store, e event.Event) string {
	t.Helper()
	a := e.Data.(interface{ GetReport() *blob.Artifact }).GetReport()
	if want := store.URI(churn.ArtifactKey(e.Run(), churn.Gate, churn.ReportHTML)); a.GetUri() != want || a.GetMediaType() != "text/html; charset=utf-8" {
		t.Fatalf("the report is %v, want %s", a, want)
	}
	return get(t, store, churn.ArtifactKey(e.Run(), churn.Gate, churn.ReportHTML))
}

func wantWords(t testing.TB, page string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(page, word) {
			t.Errorf("the report does not say %q", word)
		}
	}
}

// Every end of a run has the evaluation's report with the decision in it.
func TestReports(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	promoted := handle(t, h, illustrated(t, store, "first", good))
	wantWords(t, reportOf(t, store, promoted), "Promoted as version 1 to Production", "min_auc", "candidate.auc &gt;= gate.min_auc", "0.4321", "777")
	if tracked := get(t, store, "tracking/asfotec-churn/"+promoted.Run()+"/gate.json"); !strings.Contains(tracked, churn.ReportHTML) {
		t.Errorf("the report is not tracked: %s", tracked)
	}

	rejected := handle(t, h, illustrated(t, store, "second", metrics(0.5, 0.8)))
	wantWords(t, reportOf(t, store, rejected), "<h2>Rejected</h2>", "beside a champion", `<strong class="failed">failed</strong>`)

	question := handle(t, h, illustrated(t, store, "third", good, asks("1h")))
	denied := handle(t, h, answer(question, false, "adam"))
	wantWords(t, reportOf(t, store, denied), "<h2>Rejected</h2>", "Approval denied", "adam")

	overridden := handle(t, h, override("o", "second"))
	wantWords(t, reportOf(t, store, overridden), "Promoted as version 2", "the law changes tomorrow", "override")

	back := handle(t, h, rollback("r", 1, 2))
	wantWords(t, reportOf(t, store, back), "Promoted as version 1", "complaints", "No rule was asked", "olga")
}

// A gate that is cut off before or after any of its writes makes the same report.
func TestReportCutOffAnywhere(t *testing.T) {
	whole := &cut{Store: newStore()}
	h, _ := start(whole)
	want := encoded(t, handle(t, h, illustrated(t, whole.Store, "request", good)))
	for n := range whole.puts {
		for _, after := range []bool{false, true} {
			store := &cut{Store: newStore(), n: n + 1, after: after}
			in := illustrated(t, store.Store, "request", good)
			h, _ := start(store)
			if _, err := h.Handle(t.Context(), in); !churn.IsKind(err, churn.Transient) {
				t.Fatalf("cut off at %d: %v", n+1, err)
			}
			h, _ = start(store)
			if got := encoded(t, handle(t, h, in)); got != want {
				t.Errorf("cut off at %s it is answered with\n%s\nwant\n%s", store.at, got, want)
			}
			if !maps.Equal(contents(t, store), contents(t, whole)) {
				t.Errorf("cut off at %s the store holds something else", store.at)
			}
		}
	}
}

// What of the evaluation is damaged, of another version or gone stops no decision,
// and what an earlier attempt has written is the report.
func TestNoReport(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(*memory.Store, *eventv1.ModelEvaluated)
		want   string // the report; empty: none
	}{
		"another evaluation": {func(s *memory.Store, m *eventv1.ModelEvaluated) {
			s.Corrupt(churn.ArtifactKey(churn.RunID("request"), churn.Evaluator, churn.EvaluationJSON), []byte("{}"))
		}, ""},
		"another version": {func(s *memory.Store, m *eventv1.ModelEvaluated) {
			m.Evaluation.Evaluation = m.Candidate.Contributions
		}, ""},
		"no image": {func(s *memory.Store, m *eventv1.ModelEvaluated) {
			m.Evaluation.RocPlot = artifact("nowhere.png")
		}, ""},
		"no contributions": {func(s *memory.Store, m *eventv1.ModelEvaluated) { m.Candidate.Contributions = nil }, "Promoted"},
		"an earlier one": {func(s *memory.Store, m *eventv1.ModelEvaluated) {
			key := churn.ArtifactKey(churn.RunID("request"), churn.Gate, churn.ReportHTML)
			if _, err := s.Put(t.Context(), key, "text/html; charset=utf-8", strings.NewReader("from before")); err != nil {
				t.Fatal(err)
			}
		}, "from before"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore()
			in := illustrated(t, store, "request", good)
			c.damage(store, in.Data.(*eventv1.ModelEvaluated))
			h, _ := start(store)
			out := handle(t, h, in)
			m, ok := out.Data.(*eventv1.ModelPromoted)
			if !ok {
				t.Fatalf("the answer is %v", out.Data)
			}
			if c.want == "" {
				if m.GetReport() != nil {
					t.Errorf("the report is %v", m.GetReport())
				}
				return
			}
			wantWords(t, reportOf(t, store, out), c.want)
		})
	}
}
