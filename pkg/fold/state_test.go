package fold_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/fold"
)

// In any order, and with any event any number of times, a log gives one state: at
// its end, and at any time before.
func TestOrderAndDuplicationDoNotMatter(t *testing.T) {
	t.Parallel()
	w := aWorld()
	rapid.Check(t, func(t *rapid.T) {
		log := append([]record{}, w.log...)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(w.log)-1), 0, 20).Draw(t, "duplicates") {
			again := w.log[i] // published again: it is on the log once more, later
			again.at = again.at.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(t, "later")) * time.Second)
			log = append(log, again)
		}
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
		by := w.log[rapid.IntRange(0, len(w.log)-1).Draw(t, "by")].at
		for _, by := range []time.Time{by, w.now} {
			want, got := stateOf(foldAt(w.log, by)), stateOf(foldAt(log, by))
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("at %s another order gives\n%+v\nand not\n%+v", by, got, want)
			}
		}
	})
}

func TestEveryWayThatARunCanGo(t *testing.T) {
	t.Parallel()
	runs := foldAt(aWorld().log, time.Now().AddDate(100, 0, 0))
	for id, want := range map[string]fold.Status{
		"promoted": fold.Promoted, "rejected": fold.Rejected, "sent back twice": fold.Promoted, "approved": fold.Promoted,
		"denied": fold.Rejected, "lapsed": fold.Rejected, "asked again": fold.Pending, "answered": fold.Deciding,
		"mended": fold.Promoted, "failed": fold.Failed, "rollback": fold.Promoted, "override": fold.Promoted,
	} {
		if got := runs[churn.RunID(id)].Status(); got != want {
			t.Errorf("%s: status %s, want %s", id, got, want)
		}
	}
	if got := len(runs); got != 13 { // and "meanwhile"
		t.Errorf("%d runs", got)
	}
	if r := runs[churn.RunID("promoted")]; r.Model != "m" || r.Kind() != fold.Retrain {
		t.Errorf("a request whose id was used before has changed the run: %+v", r)
	}
	if r := runs[churn.RunID("rollback")]; r.Kind() != fold.Rollback || r.Model != "m" || r.Version() != 1 {
		t.Errorf("the rollback's run: kind %s, model %q, version %d", r.Kind(), r.Model, r.Version())
	}
	if r := runs[churn.RunID("override")]; r.Kind() != fold.Override {
		t.Errorf("the override's run: kind %s", r.Kind())
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	w := aWorld()
	runs := foldAt(w.log, w.now)
	for id, want := range map[string]fold.Answer{
		"approved": {Approved: true, By: "bob", Reason: "looks good"},
		"denied":   {By: "bob", Reason: "not on a Friday"},
		"lapsed":   {Expired: true},
		"answered": {Approved: true, By: "bob"},
	} {
		approvals := runs[churn.RunID(id)].Approvals()
		if len(approvals) != 1 || approvals[0].Answer == nil {
			t.Errorf("%s: %+v", id, approvals)
			continue
		}
		got := *approvals[0].Answer
		if got.At.Before(approvals[0].RequestedAt) {
			t.Errorf("%s: answered at %s, asked at %s", id, got.At, approvals[0].RequestedAt)
		}
		if got.At = want.At; got != want {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
	pending := runs.Pending()
	if len(pending) != 1 || pending[0].Run != churn.RunID("asked again") || pending[0].Round != 1 || pending[0].RequestedBy != "ada" {
		t.Fatalf("pending: %+v", pending)
	}
	if a := pending[0]; a.Lapsed(a.RequestedAt) || !a.Lapsed(a.ExpiresAt) {
		t.Errorf("lapsed: %+v", a)
	}
}

// The answer that was given while a question was open closed it then, whatever
// the gate took in the end.
func TestPendingAtAFormerTime(t *testing.T) {
	t.Parallel()
	w := aWorld()
	id := churn.RunID("approved")
	var were []fold.Status
	for _, r := range w.log {
		status := fold.Status("")
		if run := foldAt(w.log, r.at)[id]; run != nil {
			status = run.Status()
		}
		if len(were) == 0 || were[len(were)-1] != status {
			were = append(were, status)
		}
	}
	want := []fold.Status{"", fold.Requested, fold.Training, fold.Evaluate, fold.Deciding, fold.Pending, fold.Deciding, fold.Promoted}
	if !reflect.DeepEqual(were, want) {
		t.Errorf("the run was %v, want %v", were, want)
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	w := aWorld()
	chains := foldAt(w.log, w.now).Chains()
	if len(chains) != 1 || chains[0].Model != "m" || chains[0].Stage != "Production" {
		t.Fatalf("chains: %+v", chains)
	}
	for i, want := range []struct {
		version, previous int64
		run               string
		cause             fold.Cause
		by, reason        string
	}{
		{1, 0, "promoted", fold.ByRules, "ada", "nightly"},
		{2, 1, "meanwhile", fold.ByRules, "ada", "nightly"},
		{3, 2, "sent back twice", fold.ByRules, "ada", "nightly"},
		{4, 3, "approved", fold.ByApproval, "bob", "looks good"},
		{5, 4, "mended", fold.ByRules, "ada", "nightly"},
		{1, 5, "promoted", fold.ByRollback, "bob", "complaints"},
		{7, 1, "rejected", fold.ByOverride, "cyd", "the law"},
	} {
		c := chains[0].Champions[i]
		if c.Generation != int64(i+1) || c.Version != want.version || c.Previous != want.previous || c.Run != churn.RunID(want.run) ||
			c.Cause != want.cause || c.By != want.by || c.Reason != want.reason {
			t.Errorf("generation %d: %+v, want %+v", i+1, c, want)
		}
		if i > 0 && !chains[0].Champions[i-1].Until.Equal(c.Since) {
			t.Errorf("generation %d begins at %s, and the one before ended at %s", i+1, c.Since, chains[0].Champions[i-1].Until)
		}
	}
	if c := chains[0].Current(); !c.Until.IsZero() || len(chains[0].Champions) != 7 || c.Asked != churn.RunID("override") {
		t.Errorf("the newest of %d: %+v", len(chains[0].Champions), c)
	}
}
