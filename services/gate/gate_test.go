package gate_test

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

// testdata is absolute: the embedded store changes the working directory.
var testdata, _ = filepath.Abs("testdata")

var update = flag.Bool("update", false, "write the golden files anew")

// The gate reads what the topology says.
func TestBuild(t *testing.T) {
	store := newStore()
	s, err := gate.Build(t.Context(), service.Parts{Store: store, Registry: objectstore.New(store), Tracker: objectstore.NewTracker(store)})
	if err != nil {
		t.Fatal(err)
	}
	var want []churn.Topic
	for _, spec := range churn.Topology {
		if slices.Contains(spec.Consumers, churn.Gate) && spec.Topic != churn.ApprovalRequested { // which is read beside the group
			want = append(want, spec.Topic)
		}
	}
	if s.Service != churn.Gate || !s.Ordered || s.Tables == nil || s.Beside == nil || !slices.Equal(s.Topics, want) {
		t.Errorf("the stage is %+v, want an ordered one of topics %v with tables", s, want)
	}
}

func dryRun(p *eventv1.Plan) { p.Gate.DryRun = true }

func TestDecisions(t *testing.T) {
	for name, test := range map[string]struct {
		candidate *eventv1.Metrics
		champion  *eventv1.Metrics // nil: there is none
		edit      func(*eventv1.Plan)
		failed    string // names of the rules that did not hold
		say       string // in the reason
		dryRun    bool   // in the event
	}{
		"first":                 {candidate: good},
		"on the thresholds":     {candidate: metrics(0.82, 0.78)},
		"equal to the champion": {candidate: good, champion: equal},
		"better than it":        {candidate: good, champion: metrics(0.83, 0.9)},
		"min_auc":               {candidate: metrics(0.8199, 0.8), failed: "min_auc", say: "hold-out AUC 0.8199 is below 0.8200, the threshold (min_auc)"},
		"min_accuracy":          {candidate: metrics(0.84, 0.77), failed: "min_accuracy", say: "hold-out accuracy 0.7700 is below 0.7800"},
		"non_inferior":          {candidate: good, champion: metrics(0.85, 0.79), failed: "non_inferior", say: "not shown to be no worse than the champion, version 1, by 0.01 or more"},
		"all of them": {candidate: metrics(0.5, 0.5), champion: equal, failed: "min_auc min_accuracy non_inferior",
			say: "(min_auc); hold-out accuracy 0.5000 is below 0.7800, the threshold (min_accuracy); not shown to be no worse"},
		"dry run":               {candidate: good, edit: dryRun, say: "dry run: every rule passed", dryRun: true},
		"dry run of a bad one":  {candidate: metrics(0.5, 0.8), edit: dryRun, failed: "min_auc", say: "(min_auc)"},
		"dry run, with another": {candidate: good, champion: equal, edit: dryRun, say: "dry run: every rule passed", dryRun: true},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore()
			rules, champion := 2, int64(0)
			if test.champion != nil {
				promote(t, store, "earlier")
				rules, champion = 3, 1
			}
			before := contents(t, store)
			edit := []func(*eventv1.Plan){}
			if test.edit != nil {
				edit = append(edit, test.edit)
			}
			h, _ := start(store)
			in := evaluate(t, store, trained("request", edit...), test.candidate, test.champion)
			out := handle(t, h, in)
			if out.Key != model || out.Run() != in.Run() || out.Causation != in.ID || out.Source != churn.Gate.Source() {
				t.Errorf("the answer is %+v", out)
			}

			if test.failed == "" && test.edit == nil {
				m, ok := out.Data.(*eventv1.ModelPromoted)
				if !ok {
					t.Fatalf("the answer is a %s event: %v", out.Topic, out.Data)
				}
				if m.GetVersion() != champion+1 || m.GetGeneration() != champion+1 || m.GetPreviousVersion() != champion || len(m.GetRules()) != rules {
					t.Errorf("promoted: version %d, generation %d, previous %d, %d rules", m.GetVersion(), m.GetGeneration(), m.GetPreviousVersion(), len(m.GetRules()))
				}
				d := decision(t, store, m.GetDecision())
				if d.Outcome != gate.Promoted || d.Promotion == nil || d.Promotion.Generation != m.GetGeneration() || d.Run != in.Run() {
					t.Errorf("decision.json says %+v", d)
				}
				checkRegistered(t, store, in, m)
				return
			}

			m, ok := out.Data.(*eventv1.ModelRejected)
			if !ok {
				t.Fatalf("the answer is a %s event: %v", out.Topic, out.Data)
			}
			if m.GetDryRun() != test.dryRun || m.GetChampionVersion() != champion || len(m.GetRules()) != rules || !strings.Contains(m.GetReason(), test.say) {
				t.Errorf("rejected: %v", m)
			}
			var failed []string
			d := decision(t, store, m.GetDecision())
			for _, r := range d.Rules {
				if !r.Passed {
					failed = append(failed, r.Name)
				}
			}
			if d.Outcome != gate.Rejected || d.Promotion != nil || d.Reason != m.GetReason() || strings.Join(failed, " ") != test.failed {
				t.Errorf("decision.json says %+v", d)
			}
			for key, body := range contents(t, store) {
				if strings.HasPrefix(key, "registry/") && before[key] != body {
					t.Errorf("a rejection has written %s", key)
				}
			}
		})
	}
}

// checkRegistered checks the registry's version and champion of a promotion.
func checkRegistered(t *testing.T, store blob.Store, in event.Event, m *eventv1.ModelPromoted) {
	t.Helper()
	all := versions(t, store)
	v := all[len(all)-1]
	want := map[string]string{
		"git_sha": "0123abc", "timestamp": "2026-01-31T12:00:00Z", "run_id": in.Run(), "event_id": in.ID,
		"trees_sha256": m.GetCandidate().GetTreesSha256(), "dataset_sha256": digest("datasets/d.csv"),
		"threshold": "0.5",
	}
	for tag, value := range want {
		if v.Tags[tag] != value {
			t.Errorf("tag %s is %q, want %q", tag, v.Tags[tag], value)
		}
	}
	if v.Version != m.GetVersion() || v.Run != in.Run() || v.Artifact.GetUri() != m.GetCandidate().GetModel().GetUri() ||
		v.Preprocessor.GetUri() != m.GetFeatures().GetPreprocessor().GetUri() || len(v.Tags) != len(want) {
		t.Errorf("the registry has %v", v)
	}
	changes := history(t, store)
	c := changes[len(changes)-1]
	if c.Version != m.GetVersion() || c.Generation != m.GetGeneration() || c.Previous != m.GetPreviousVersion() || c.Run != in.Run() || c.Cause != in.ID {
		t.Errorf("the champion is %v", c)
	}
}

// The stage that the request names is the one that is compared with and
// promoted to; another's champion stays.
func TestOtherStage(t *testing.T) {
	store := newStore()
	promote(t, store, "in production")
	staging := func(p *eventv1.Plan) { p.Gate.BaselineStage = "Staging" }
	m := promote(t, store, "in staging", staging).Data.(*eventv1.ModelPromoted)
	if m.GetVersion() != 2 || m.GetGeneration() != 1 || m.GetPreviousVersion() != 0 {
		t.Errorf("promoted to staging: version %d, generation %d, previous %d", m.GetVersion(), m.GetGeneration(), m.GetPreviousVersion())
	}
	if all := history(t, store); len(all) != 1 || all[0].Version != 1 {
		t.Errorf("the history of production is %v", all)
	}
}

// A champion that has changed since the evaluation sends the candidate back, and
// the next round decides.
func TestSuperseded(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	in := evaluate(t, store, trained("slow"), good, nil)
	promote(t, store, "quick") // meanwhile
	back := handle(t, h, in)
	again, ok := back.Data.(*eventv1.ModelTrained)
	if !ok || again.GetRound() != 1 || back.Key != in.Run() || back.Topic != churn.ModelTrained || back.Causation != in.ID {
		t.Fatalf("the answer is %+v", back)
	}
	evaluated := in.Data.(*eventv1.ModelEvaluated)
	if again.GetCandidate() != evaluated.GetCandidate() || again.GetFeatures() != evaluated.GetFeatures() || again.GetPlan() != evaluated.GetPlan() {
		t.Errorf("what is sent back is not what was evaluated: %v", again)
	}
	if all := history(t, store); len(all) != 1 {
		t.Fatalf("the history is %v", all)
	}
	out := handle(t, h, evaluate(t, store, back, good, equal))
	m, ok := out.Data.(*eventv1.ModelPromoted)
	if !ok || m.GetGeneration() != 2 || m.GetPreviousVersion() != 1 || len(m.GetRules()) != 3 {
		t.Fatalf("the second round ended as %v", out.Data)
	}
	if all := versions(t, store); len(all) != 2 {
		t.Errorf("%d versions, want one a run: %v", len(all), all)
	}
	first, second := churn.ArtifactKey(in.Run(), churn.Gate, churn.DecisionJSON), churn.ArtifactKey(in.Run(), churn.Gate, "round-1", churn.DecisionJSON)
	if !strings.HasSuffix(m.GetDecision().GetUri(), second) {
		t.Errorf("the decision is at %s", m.GetDecision().GetUri())
	}
	if body := get(t, store, first); !strings.Contains(body, `"outcome": "superseded"`) {
		t.Errorf("the first round's decision is %s", body)
	}
	if old := handle(t, h, in); encoded(t, old) != encoded(t, back) {
		t.Error("the first round is answered otherwise when it comes again")
	}
}

// decision.json is the same bytes on every machine.
func TestGolden(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	slow := evaluate(t, store, trained("superseded"), good, nil)
	promote(t, store, "promoted")
	handle(t, h, slow)
	handle(t, h, evaluate(t, store, trained("rejected"), metrics(0.8199, 0.8), equal))
	handle(t, h, evaluate(t, store, trained("second"), good, metrics(0.83, 0.81)))
	for _, request := range []string{"superseded", "promoted", "rejected", "second"} {
		got := get(t, store, churn.ArtifactKey(churn.RunID(request), churn.Gate, churn.DecisionJSON))
		if !json.Valid([]byte(got)) {
			t.Errorf("%s is not JSON", request)
		}
		file := filepath.Join(testdata, request+".json")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("the decision differs from %s (if it should, run go test -update):\n%s", file, got)
		}
	}
}

// An event that comes again is answered with the same bytes, whether the first
// answer was stored or not, and nothing more is written.
func TestRepeated(t *testing.T) {
	for name, m := range map[string]*eventv1.Metrics{"promoted": good, "rejected": metrics(0.5, 0.5)} {
		t.Run(name, func(t *testing.T) {
			store := newStore()
			in := evaluate(t, store, trained("request"), m, nil)
			h, s := start(store)
			want := encoded(t, handle(t, h, in))
			before := contents(t, store)
			promote(t, store, "another")
			for _, again := range []stage.Handler{h, s.Handler} {
				if got := encoded(t, handle(t, again, in)); got != want {
					t.Errorf("answered again with\n%s\nand at first with\n%s", got, want)
				}
			}
			after := contents(t, store)
			for key := range after {
				if strings.Contains(key, in.Run()) && before[key] != after[key] {
					t.Errorf("%s is new", key)
				}
			}
		})
	}
}

// A second evaluation of the same run and round, which can only be forged, has
// no effect.
func TestForgedEvaluation(t *testing.T) {
	store := newStore()
	h, _ := start(store)
	in := evaluate(t, store, trained("request"), metrics(0.5, 0.5), nil)
	handle(t, h, in)
	before := contents(t, store)
	forged := evaluate(t, store, trained("request"), good, nil)
	forged.ID = "forged"
	_, err := h.Handle(t.Context(), forged)
	if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "round 0 of run "+in.Run()) {
		t.Errorf("the forged evaluation: %v, want Invalid", err)
	}
	if after := contents(t, store); len(after) != len(before) {
		t.Errorf("the forged evaluation has left something: %d objects, before %d", len(after), len(before))
	}
}

func TestInvalid(t *testing.T) {
	store := newStore()
	evaluated := func(edit func(*eventv1.ModelEvaluated)) event.Event {
		e := evaluate(t, store, trained("request"), metrics(0.84, 0.8), nil)
		edit(e.Data.(*eventv1.ModelEvaluated))
		return e
	}
	approval := trained("request").Reply("person", churn.ApprovalDecided, 0, model, &eventv1.ApprovalDecided{
		Model: model, Run: churn.RunID("request"), ApprovalId: "approval-7", Approved: true, DecidedBy: "somebody",
	})
	for name, test := range map[string]struct {
		event event.Event
		say   string
	}{
		"no metrics":                 {evaluated(func(m *eventv1.ModelEvaluated) { m.Metrics = nil }), "metrics is missing"},
		"not a number":               {evaluated(func(m *eventv1.ModelEvaluated) { m.Metrics.Auc = math.NaN() }), "metrics.auc"},
		"out of range":               {evaluated(func(m *eventv1.ModelEvaluated) { m.Metrics.Accuracy = 1.5 }), "metrics.accuracy"},
		"threshold not a number":     {evaluated(func(m *eventv1.ModelEvaluated) { m.Plan.Gate.MinAuc = math.NaN() }), "plan.gate.min_auc"},
		"no plan":                    {evaluated(func(m *eventv1.ModelEvaluated) { m.Plan = nil }), "plan is missing"},
		"champion without metrics":   {evaluated(func(m *eventv1.ModelEvaluated) { m.Champion = &eventv1.Champion{Version: 1} }), "champion_metrics is missing"},
		"metrics of no champion":     {evaluated(func(m *eventv1.ModelEvaluated) { m.ChampionMetrics = good }), "without a champion"},
		"hostile stage":              {evaluated(func(m *eventv1.ModelEvaluated) { m.Plan.Gate.BaselineStage = "../x" }), "baseline_stage"},
		"stage that is none":         {evaluated(func(m *eventv1.ModelEvaluated) { m.Plan.Gate.BaselineStage = "versions" }), `"versions"`},
		"negative round":             {evaluated(func(m *eventv1.ModelEvaluated) { m.Round = -1 }), "round"},
		"another event":              {trained("request"), "ModelTrained"},
		"approval that nobody asked": {approval, `there is no approval "approval-7" of run "` + churn.RunID("request")},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := start(newStore())
			_, err := s.Handler.Handle(t.Context(), test.event)
			if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), test.say) {
				t.Errorf("%v, want an Invalid error that says %q", err, test.say)
			}
		})
	}
}

// What people see of a decision while and after it is made.
func TestTracked(t *testing.T) {
	store := newStore()
	var reports []stage.Progress
	ctx := stage.WithProgress(t.Context(), func(p stage.Progress) { reports = append(reports, p) })
	_, s := start(store)
	slow := evaluate(t, store, trained("slow"), good, nil)
	promote(t, store, "quick")
	back, err := s.Handler.Handle(ctx, slow)
	if err != nil {
		t.Fatal(err)
	}
	second := evaluate(t, store, single(t, back), good, equal)
	if _, err := s.Handler.Handle(ctx, second); err != nil {
		t.Fatal(err)
	}
	want := []string{"promoting", "superseded", "promoting", "promoted"}
	var got []string
	for _, p := range reports {
		got = append(got, p.Activity)
		if ended := p.Done == p.Total; ended != (p.Tracking == strings.ReplaceAll(slow.Run(), "-", "")) {
			t.Errorf("report %+v", p)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("reported %q, want %q", got, want)
	}
	var tracked struct {
		Params  map[string]string
		Metrics map[string]float64
	}
	if err := json.Unmarshal([]byte(get(t, store, "tracking/asfotec-churn/"+slow.Run()+"/gate-round-1.json")), &tracked); err != nil {
		t.Fatal(err)
	}
	if p := tracked.Params; p["outcome"] != "promoted" || p["version"] != "2" || p["generation"] != "2" || p["reason"] != "every rule passed" {
		t.Errorf("tracked %v", p)
	}
	if m := tracked.Metrics; len(m) != 3 || m["rule_min_auc"] != 1 || m["rule_min_accuracy"] != 1 || m["rule_non_inferior"] != 1 {
		t.Errorf("tracked %v", m)
	}
}
