package audit

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/soak"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// gates are what the worlds' runs ask for.
var gates = map[string]*eventv1.Gate{
	"plain":          {BaselineStage: "Production"},
	"plain, from .8": {BaselineStage: "Production", MinAuc: 0.8},
	"refresh":        {BaselineStage: "Production", Policy: churn.Refresh, Margin: 0.02, Alpha: 0.2},
	"must be better": {BaselineStage: "Production", Policy: churn.MustBeBetter, Alpha: 0.9},
	"first only":     {BaselineStage: "Production", Policy: churn.MustBeBetter, Alpha: 1e-12},
	"nothing":        {BaselineStage: "Production", MinAuc: 0.9999},
	"dry run":        {BaselineStage: "Production", DryRun: true},
}

// A world of one policy, replayed under another, is the world that has had the
// other from the start; and under its own it is itself, without a look at the store.
func TestAWorldReplayedUnderAnotherPolicyIsTheWorldThatHadIt(t *testing.T) {
	t.Parallel()
	const retrainings = 60
	worlds, verdicts := map[string]*world{}, map[string]map[string]Verdict{}
	for name, gate := range gates {
		w := newWorld(t, memory.New("churn"), 400, gate)
		for n := range retrainings {
			w.retrain(n)
		}
		worlds[name], verdicts[name] = w, w.verdicts()
	}
	for of, w := range worlds {
		for under, other := range worlds {
			t.Run(of+" under "+under, func(t *testing.T) {
				path := w.whatIf(insteadOf(gates[under]))
				got, want := map[string]Verdict{}, verdicts[under]
				for _, d := range path.Decisions {
					got[d.Run] = d.WouldBe
					if d.Was != verdicts[of][d.Run] {
						t.Errorf("run %s was %s, it is said", d.Run, d.Was)
					}
				}
				if !maps.Equal(got, want) {
					t.Errorf("would be %v, want %v", got, want)
				}
				if champions, want := runsOf(path.WouldBe), runsOf(other.whatIf(Question{}).Was); !slices.Equal(champions, want) {
					t.Errorf("champions %v, want %v", champions, want)
				}
				if of == under && path.Read > 0 {
					t.Errorf("%d artifacts were read for nothing", path.Read)
				}
			})
		}
	}
}

func runsOf(steps []Step) []string {
	var runs []string
	for _, s := range steps {
		runs = append(runs, s.Run)
	}
	return runs
}

// asking returns a built-in policy with more in its document.
func asking(t *testing.T, builtIn, more string) *policy.Policy {
	t.Helper()
	text, _ := policy.BuiltIn(builtIn)
	p, err := policy.Parse([]byte(string(text) + more + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What people decided stays: an agreement counts for whoever would have been asked,
// and nobody else is agreed to.
func TestApprovals(t *testing.T) {
	t.Parallel()
	asked := newWorld(t, memory.New("churn"), 400, gates["must be better"])
	asked.asks = true
	free := newWorld(t, memory.New("churn"), 400, gates["must be better"])
	for n := range 40 {
		asked.retrain(n)
		free.retrain(n)
	}
	wants := asking(t, churn.MustBeBetter, "approval: {expires: 1h}")
	for name, test := range map[string]struct {
		w    *world
		q    Question
		want map[string]Verdict
	}{
		"as it was":                   {asked, Question{Policy: wants}, asked.verdicts()},
		"had nobody been asked":       {asked, Question{}, free.verdicts()},
		"had somebody to be asked":    {free, Question{Policy: wants}, nil},
		"under a more lenient policy": {asked, insteadOf(gates["plain"]), nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := test.w.whatIf(test.q)
			for _, d := range path.Decisions {
				if want, ok := test.want[d.Run]; ok && d.WouldBe != want {
					t.Errorf("run %s would be %s, want %s", d.Run, d.WouldBe, want)
				}
			}
			waiting := path.Count(func(d Decision) bool { return d.WouldBe == Waiting })
			if name == "had somebody to be asked" && (waiting == 0 || len(path.WouldBe) > 0) {
				t.Errorf("%d would wait, and champions would be %v", waiting, path.WouldBe)
			}
		})
	}
	for _, s := range asked.whatIf(Question{Policy: wants}).WouldBe {
		if s.Cause != fold.ByApproval {
			t.Errorf("%s became champion by %s", s.Run, s.Cause)
		}
	}
}

// Of what people did without being asked, an override is done under any policy, and
// a rollback where there is something to take back.
func TestRollbackAndOverride(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New("churn"), 400, gates["plain"])
	for n := range 10 {
		w.retrain(n)
	}
	champions := runsOf(w.whatIf(Question{}).WouldBe)
	if len(champions) < 2 {
		t.Fatalf("champions: %v", champions)
	}
	first := champions[0]
	rejected := ""
	for id, v := range w.verdicts() {
		if v == Rejected {
			rejected = id
		}
	}
	w.person(churn.RollbackRequested, &eventv1.RollbackRequested{Model: "m"}, &eventv1.ModelPromoted{
		Plan: w.plan(), Run: first, Version: 1, Rollback: &eventv1.Rollback{RequestedBy: "bob", Reason: "complaints"},
	})
	back := runsOf(w.whatIf(Question{}).WouldBe)
	if want := append(slices.Clone(champions), first); !slices.Equal(back, want) {
		t.Errorf("champions %v, want %v", back, want)
	}
	if never := runsOf(w.whatIf(insteadOf(gates["first only"])).WouldBe); !slices.Equal(never, []string{first}) {
		t.Errorf("a version that would not have been there is taken back: %v", never)
	}
	w.person(churn.OverrideRequested, &eventv1.OverrideRequested{Model: "m"}, &eventv1.ModelPromoted{
		Plan: w.plan(), Run: rejected, Override: &eventv1.Override{RequestedBy: "bob", Reason: "the law"},
	})
	for of, gate := range map[string]*eventv1.Gate{"its own": w.gate, "another": gates["nothing"]} {
		if got := runsOf(w.whatIf(insteadOf(gate)).WouldBe); len(got) == 0 || got[len(got)-1] != rejected {
			t.Errorf("under %s policy the override is lost: %v", of, got)
		}
	}
}

// What was decided before the other policy was in force stays.
func TestSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New("churn"), 400, gates["plain"])
	var since time.Time
	for n := range 20 {
		if n == 10 {
			since = w.now
		}
		w.retrain(n)
	}
	q := insteadOf(gates["nothing"])
	q.Since = since.Add(time.Second)
	path := w.whatIf(q)
	if len(path.Decisions) != 10 || path.Count(func(d Decision) bool { return d.WouldBe == Rejected }) != 10 {
		t.Errorf("decisions: %+v", path.Decisions)
	}
	if len(path.WouldBe) != 1 || path.WouldBe[0].Run != path.Was[0].Run || path.WouldBe[0].At.After(since) {
		t.Errorf("champions %+v, were %+v", path.WouldBe, path.Was)
	}
	if same := w.whatIf(Question{Since: q.Since}); same.Count(Decision.Differs) > 0 || same.Read > 0 {
		t.Errorf("the same policy differs: %+v", same)
	}
	// Looks at the hold-out before count, too.
	if d := path.Decisions[0]; d.Look != 10 {
		t.Errorf("the first look is number %d, want 10", d.Look)
	}
	q.Model = "other"
	if paths, err := Replay(t.Context(), w.store, w.runs(), q); err != nil || len(paths) != 0 {
		t.Errorf("%d paths of another model, %v", len(paths), err)
	}
}

// A verdict that needs what is not there any more cannot be told; the others can.
func TestWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New("churn"), 400, gates["plain"])
	for n := range 20 {
		w.retrain(n)
	}
	whole := w.whatIf(insteadOf(gates["first only"]))
	w.store = memory.New("churn") // empty
	path := w.whatIf(insteadOf(gates["first only"]))
	told := 0
	for i, d := range path.Decisions {
		switch {
		case d.WouldBe == Unknown && d.Basis != Stored && strings.Contains(d.Why, "scores.parquet"):
		case d.Basis == Stored && d.WouldBe == whole.Decisions[i].WouldBe:
			told++
		default:
			t.Errorf("decision %d: %+v", i, d)
		}
	}
	if told == 0 || told == len(path.Decisions) {
		t.Errorf("%d of %d verdicts can be told", told, len(path.Decisions))
	}
}

// The recomputed comparison is what the evaluation itself says.
func TestComparedAnewItIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New("churn"), 400, gates["plain"])
	for n := range 10 {
		w.retrain(n)
	}
	compared := 0
	for n, items := range past(w.runs(), "m") {
		s := newShelf(w.store, items)
		for _, it := range items {
			if it.judged == nil || it.judged.GetChampion() == nil {
				continue
			}
			m, basis, err := s.beside(t.Context(), it.judged, it.judged.ModelEvaluated, it.judged.GetChampion().GetRun(), false)
			if err != nil || basis != Compared {
				t.Fatalf("%v: %s, %v", n, basis, err)
			}
			compared++
			if !proto.Equal(m.GetComparison(), it.judged.GetComparison()) || !proto.Equal(m.GetChampionMetrics(), it.judged.GetChampionMetrics()) {
				t.Errorf("compared anew:\n%v\n%v", m.GetComparison(), it.judged.GetComparison())
			}
		}
	}
	if compared != 9 {
		t.Errorf("%d were compared, want 9", compared)
	}
}

// What an answer in fact is worth where another policy asks.
func TestConsent(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	answer := func(a fold.Answer) *fold.Approval {
		a.At = asked.Add(30 * time.Minute)
		return &fold.Approval{RequestedAt: asked, Answer: &a}
	}
	yes := answer(fold.Answer{Approved: true, By: "bob"})
	for name, test := range map[string]struct {
		requester string
		asked     *fold.Approval
		asks      policy.Approval
		want      Verdict
		says      string
	}{
		"agreed":                 {"ada", yes, policy.Approval{Expires: time.Hour}, Promoted, "bob agrees"},
		"denied":                 {"ada", answer(fold.Answer{By: "bob"}), policy.Approval{Expires: time.Hour}, Rejected, "denied by bob"},
		"expired":                {"ada", answer(fold.Answer{Expired: true}), policy.Approval{Expires: time.Hour}, Rejected, "in time"},
		"too late":               {"ada", yes, policy.Approval{Expires: time.Minute}, Rejected, "in time"},
		"not asked":              {"ada", nil, policy.Approval{Expires: time.Hour}, Waiting, "nobody has been asked"},
		"not answered":           {"ada", &fold.Approval{RequestedAt: asked}, policy.Approval{Expires: time.Hour}, Waiting, "nobody has answered"},
		"agreed by another":      {"ada", yes, policy.Approval{Expires: time.Hour, NotByRequester: true}, Promoted, "bob agrees"},
		"agreed by themselves":   {"bob", yes, policy.Approval{Expires: time.Hour, NotByRequester: true}, Waiting, "who asked for the run"},
		"requested by who knows": {"", yes, policy.Approval{Expires: time.Hour, NotByRequester: true}, Rejected, "does not say who"},
	} {
		e := &judged{ModelEvaluated: &eventv1.ModelEvaluated{Plan: &eventv1.Plan{RequestedBy: test.requester}}, asked: test.asked}
		if got, why := consent(e, &test.asks); got != test.want || !strings.Contains(why, test.says) {
			t.Errorf("%s: %s, %q; want %s, %q", name, got, why, test.want, test.says)
		}
	}
}

// A rule whose condition looks at what is not known beside another champion may
// apply or not: who passes the other rules cannot be told of.
func TestWhatCannotBeToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New("churn"), 400, gates["plain"])
	for n := range 20 {
		w.retrain(n)
	}
	const rule = `
  - name: no_drift
    when: drift.exists
    holds: drift.drifted == 0`
	lenient := func(g *eventv1.Gate) { g.Margin, g.Alpha = 0.1, 0.9 }
	without := w.whatIf(Question{Policy: asking(t, churn.Refresh, ""), Change: lenient})
	with := w.whatIf(Question{Policy: asking(t, churn.Refresh, rule), Change: lenient})
	told := 0
	for i, d := range with.Decisions {
		switch {
		case d.Basis == Stored:
			told++
		case d.WouldBe != Unknown || !strings.Contains(d.Why, "no_drift"):
			t.Errorf("decision %d: %+v", i, d)
		}
	}
	if n := without.Count(func(d Decision) bool { return d.WouldBe == Promoted }); n != len(without.Decisions) {
		t.Errorf("without the rule %d of %d would be promoted", n, len(without.Decisions))
	}
	if unknown := with.Count(func(d Decision) bool { return d.WouldBe == Unknown }); unknown == 0 || told == 0 {
		t.Errorf("%d cannot be told, %d can", unknown, told)
	}
}

// The bootstrap is drawn for who may look at what it tells.
func TestWantsBootstrap(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]bool{
		"": false,
		"\n  - {name: x, holds: comparison.mcnemar_p > 0.01 && comparison.only_champion < 5}": false,
		"\n  - {name: x, holds: candidate.log_loss < champion.log_loss}":                      false,
		"\n  - {name: x, holds: comparison.log_loss.low < 0}":                                 true,
		"\n  - {name: x, when: comparison.ks.low < 0, holds: candidate.auc > 0}":              true,
		"\n  - {name: x, holds: '[comparison].all(c, c.brier.low < 0)'}":                      true,
		"\n  - {name: x, holds: \"\\x63omparison.f1.low < 0\"}":                               true,
		"\n  - {name: x, holds: candidate.auc > 0, says: 'F1 by {comparison.f1.value}'}":      true,
		"\n  - {name: x, holds: candidate.auc > 0, notes: [{says: '{comparison.f1.error}'}]}": true,
	} {
		if got := wantsBootstrap(asking(t, churn.Refresh, more)); got != want {
			t.Errorf("%q: %v, want %v", more, got, want)
		}
	}
}

// Looks at a hold-out are counted by model, whatever the stage.
func TestLooksForAnotherStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New("churn"), 400, gates["plain"])
	for n := range 4 {
		w.retrain(n)
	}
	staging := proto.CloneOf(w.gate)
	staging.BaselineStage = "Staging"
	production, champion, scores := w.gate, w.champion, w.scores
	w.gate, w.champion, w.scores = staging, nil, nil
	w.retrain(4) // the first in Staging, beside none: no look
	w.retrain(5)
	w.gate, w.champion, w.scores = production, champion, scores
	w.retrain(6)
	paths, err := Replay(t.Context(), w.store, w.runs(), Question{})
	if err != nil || len(paths) != 2 {
		t.Fatalf("%d paths, %v", len(paths), err)
	}
	var looks []int64
	for _, path := range paths {
		for _, d := range path.Decisions {
			looks = append(looks, d.Look)
		}
	}
	if want := []int64{0, 1, 2, 3, 5, 0, 4}; !slices.Equal(looks, want) {
		t.Errorf("looks %v, want %v", looks, want)
	}
}

func FuzzDecode(f *testing.F) {
	w := newWorld(f, memory.New("churn"), 50, gates["plain"])
	w.retrain(0)
	w.retrain(1)
	for _, a := range w.files {
		file, err := w.store.Get(f.Context(), a, maxScores)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
		f.Add(file[:len(file)/2])
	}
	soak.Fuzz(f, func(t *testing.T, file []byte) {
		h, err := decode(bytes.NewReader(file), int64(len(file)))
		if err != nil && !churn.IsKind(err, churn.Invalid) {
			t.Errorf("the error is of kind %s: %v", churn.KindOf(err), err)
		}
		if err == nil && (h.keys.rows == 0 || len(h.labels) != h.keys.rows) {
			t.Errorf("%d keys and %d labels", h.keys.rows, len(h.labels))
		}
	})
}
