// Package audit judges past evaluations anew: what would have been promoted and
// rejected under another policy, and who would have been in production. Nothing is
// trained, and nothing is changed.
package audit

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Question is what to judge anew, and by what.
type Question struct {
	// Policy judges every evaluation; nil leaves each to the policy that its run
	// asked for, as far as Change leaves that.
	Policy *policy.Policy
	// Change changes what a run asked of the gate, its thresholds for example; nil
	// changes nothing.
	Change func(*eventv1.Gate)
	// Since is when the other policy comes into force: what was decided before
	// stays as it was. The zero time is the beginning.
	Since time.Time
	// Model is the one model to look at; empty looks at all.
	Model string
}

// Verdict is what became of a run, or would have.
type Verdict string

// The verdicts. Only a run that has not ended is Open, and only what would have
// been can be Waiting or Unknown.
const (
	Promoted Verdict = "promoted"
	Rejected Verdict = "rejected"
	Waiting  Verdict = "would wait for approval"
	Unknown  Verdict = "cannot be told"
	Failed   Verdict = "failed"
	Open     Verdict = "not decided"
)

// Basis says what a verdict rests on.
type Basis string

// The bases, from the cheapest.
const (
	Stored   Basis = "evaluation" // the evaluation as it is on the log
	Compared Basis = "scores"     // both models' stored scores of the hold-out, compared anew
	Scored   Basis = "model"      // the other champion was scored on the hold-out, and compared
)

// Decision is one run, as it was and as it would have been.
type Decision struct {
	Run      string          `json:"run"`
	At       time.Time       `json:"at"` // when it was decided, or evaluated if it is not decided
	Was      Verdict         `json:"was"`
	WouldBe  Verdict         `json:"would_be"`
	Why      string          `json:"why"`
	Champion string          `json:"champion_run"` // that it would have been compared with; empty: none
	Basis    Basis           `json:"basis"`
	Look     int64           `json:"look"`  // how often the hold-out would have been looked at; 0 without a champion
	Rules    []*eventv1.Rule `json:"rules"` // none where there is no verdict
}

// Differs reports whether the other policy makes a difference to the run.
func (d Decision) Differs() bool { return d.Was != d.WouldBe }

// Step is a change of champion.
type Step struct {
	At    time.Time  `json:"at"`
	Run   string     `json:"run"` // that trained the champion
	Cause fold.Cause `json:"cause"`
}

// Path is one model's stage, as it was and as it would have been.
type Path struct {
	Model     string     `json:"model"`
	Stage     string     `json:"stage"`
	Decisions []Decision `json:"decisions"` // in the order in which they were made
	Was       []Step     `json:"champions"`
	WouldBe   []Step     `json:"champions_would_be"`
	Read      int        `json:"artifacts_read"` // of the store: only where the paths part
}

// Count returns how many decisions are so.
func (p Path) Count(of func(Decision) bool) int {
	n := 0
	for _, d := range p.Decisions {
		if of(d) {
			n++
		}
	}
	return n
}

// Replay answers the question from the log, folded, and the store: a path for each
// model and stage, sorted by both. Artifacts that are missing or damaged make a
// verdict Unknown; a store that is away is an error.
func Replay(ctx context.Context, store blob.Store, runs fold.Runs, q Question) ([]Path, error) {
	judge := newJudge(store, q)
	paths := []Path{}
	for name, items := range past(runs, q.Model) {
		r := &replay{
			path:  Path{Model: name.model, Stage: name.stage, Decisions: []Decision{}, Was: []Step{}, WouldBe: []Step{}},
			judge: judge, shelf: newShelf(store, items), since: q.Since,
			looks: map[string]int64{}, done: map[string]bool{}, settled: map[string]bool{}, waiting: map[string]waiting{},
		}
		if err := r.all(ctx, items); err != nil {
			return nil, err
		}
		paths = append(paths, r.path)
	}
	slices.SortFunc(paths, func(a, b Path) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Stage, b.Stage))
	})
	return paths, nil
}
