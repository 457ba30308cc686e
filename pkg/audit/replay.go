package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// replay goes through what happened to a model's stage as the gate did, with two
// champions: who was, and who would have been.
type replay struct {
	path  Path
	judge *judge
	shelf *shelf
	since time.Time

	was, wouldBe string // runs that trained the champions; empty: there is none
	changes      int    // of who would have been champion
	looks        map[string]int64
	done         map[string]bool // runs that would have ended
	settled      map[string]bool // runs that were judged before the other policy was in force
	waiting      map[string]waiting
}

// waiting is a candidate that a person agreed to, between question and answer.
type waiting struct {
	decision Decision
	changes  int // how often the champion had changed when it was judged
}

func (r *replay) all(ctx context.Context, items []item) error {
	for i, it := range items {
		force := !it.at.Before(r.since)
		var err error
		switch {
		case it.change != nil:
			r.change(it, force)
		case it.elsewhere != nil:
			r.look(it.elsewhere)
		case !force:
			r.before(it)
		case it.approved != nil:
			r.approved(it)
		default:
			if r.apart() {
				r.shelf.ahead(ctx, items[i:])
			}
			err = r.evaluated(ctx, it)
		}
		if err != nil {
			return err
		}
	}
	r.open(items)
	r.path.Read = int(r.shelf.reads.Load())
	return nil
}

// apart reports whether the paths have parted, and have not met again.
func (r *replay) apart() bool { return r.was != r.wouldBe }

// before takes in what happened before the other policy was in force.
func (r *replay) before(it item) {
	e := it.judged
	if e == nil {
		return
	}
	if e.GetChampion() != nil {
		r.look(e)
	}
	r.done[e.run.ID] = !e.back
	r.settled[e.run.ID] = !e.back
}

// look counts a look at an evaluation's hold-out, and returns which it is.
func (r *replay) look(e *judged) int64 {
	r.looks[e.holdout()]++
	return r.looks[e.holdout()]
}

// change takes in that the champion changed. What people did, they would have done;
// but nobody takes back what is not there.
func (r *replay) change(it item, force bool) {
	c, was := it.change, r.was
	r.was = c.Run
	if force || len(r.path.Was) == 0 {
		r.path.Was = append(r.path.Was, Step{At: it.at, Run: c.Run, Cause: c.Cause})
	} else {
		r.path.Was[0] = Step{At: it.at, Run: c.Run, Cause: c.Cause} // the one at the beginning
	}
	switch {
	case !force:
		r.wouldBe = c.Run
		r.path.WouldBe = []Step{r.path.Was[0]}
	case c.Cause == fold.ByOverride, c.Cause == fold.ByRollback && r.wouldBe == was, r.settled[c.Asked]:
		r.promote(it.at, c.Run, c.Cause)
	}
}

// promote makes the run's candidate the champion.
func (r *replay) promote(at time.Time, run string, cause fold.Cause) {
	if r.wouldBe == run {
		return
	}
	r.wouldBe = run
	r.changes++
	r.path.WouldBe = append(r.path.WouldBe, Step{At: at, Run: run, Cause: cause})
}

// evaluated judges an evaluation beside who would have been champion.
func (r *replay) evaluated(ctx context.Context, it item) error {
	e := it.judged
	if r.done[e.run.ID] {
		return nil // another round, of a run that would have ended before
	}
	m := r.judge.asks(e.ModelEvaluated)
	p, err := r.judge.policy(ctx, m.GetPlan().GetGate())
	if err != nil {
		return r.untold(it, Stored, err)
	}
	beside := e.GetChampion().GetRun()
	if r.apart() && beside != r.wouldBe {
		return r.anew(ctx, it, m, p)
	}
	d, err := r.verdict(it, m, p, Stored)
	if err != nil {
		return err
	}
	if d.WouldBe == Promoted && !r.apart() && (beside != r.wouldBe || e.back && e.asked == nil) {
		if e.back {
			return nil // as it was: the champion had changed, and a further round follows
		}
		return r.anew(ctx, it, m, p)
	}
	r.conclude(it, d, p)
	return nil
}

// anew judges the candidate beside a champion that it was not compared with.
func (r *replay) anew(ctx context.Context, it item, m *eventv1.ModelEvaluated, p *policy.Policy) error {
	m, basis, err := r.shelf.beside(ctx, it.judged, m, r.wouldBe, wantsBootstrap(p))
	if err != nil {
		return r.untold(it, basis, err)
	}
	d, err := r.verdict(it, m, p, basis)
	if err != nil {
		return err
	}
	if unseen := unknowable(m, p); len(unseen) > 0 {
		if failed := policy.Failed(without(d.Rules, unseen)); len(failed) > 0 {
			d.Why = explain(failed)
		} else {
			d.WouldBe, d.Why = Unknown, fmt.Sprintf("rule %s looks at what scores alone do not tell beside another champion", strings.Join(unseen, ", "))
		}
	}
	r.conclude(it, d, p)
	return nil
}

// untold records that a verdict cannot be told, if that is not the store's fault. The
// hold-out would have been looked at all the same.
func (r *replay) untold(it item, basis Basis, err error) error {
	if !missing(err) {
		return err
	}
	d := Decision{WouldBe: Unknown, Why: err.Error(), Champion: r.wouldBe, Basis: basis}
	if d.Champion != "" {
		d.Look = r.look(it.judged)
	}
	r.conclude(it, d, nil)
	return nil
}

// verdict judges, and counts the look at the hold-out.
func (r *replay) verdict(it item, m *eventv1.ModelEvaluated, p *policy.Policy, basis Basis) (Decision, error) {
	d := Decision{Champion: m.GetChampion().GetRun(), Basis: basis}
	if m.GetChampion() != nil {
		d.Look = r.look(it.judged)
	}
	var err error
	if d.Rules, err = p.Judge(policy.Evidence{Evaluated: m, Look: d.Look}); err != nil {
		return d, err
	}
	if c := m.GetChampion(); c != nil && c.GetVersion() == 0 {
		unversioned(d.Rules, c.GetRun())
	}
	switch failed := policy.Failed(d.Rules); {
	case len(failed) > 0:
		d.WouldBe, d.Why = Rejected, explain(failed)
	case m.GetPlan().GetGate().GetDryRun():
		d.WouldBe, d.Why = Rejected, "dry run: every rule passes, and nothing is promoted"
	default:
		d.WouldBe, d.Why = Promoted, "every rule passes"
	}
	return d, nil
}

// conclude records the decision and what follows from it.
func (r *replay) conclude(it item, d Decision, p *policy.Policy) {
	e := it.judged
	d.Run, d.At, d.Was = e.run.ID, it.at, e.was()
	if d.WouldBe == Promoted && p.Approval != nil {
		d.WouldBe, d.Why = consent(e, p.Approval)
		if d.WouldBe == Promoted {
			r.waiting[e.event.ID] = waiting{d, r.changes}
			return
		}
	}
	r.record(e, d)
	if d.WouldBe == Promoted {
		r.promote(it.at, d.Run, fold.ByRules)
	}
}

// approved goes on with a candidate that a person agreed to, unless the champion has
// changed since it was judged.
func (r *replay) approved(it item) {
	e := it.approved
	w, ok := r.waiting[e.event.ID]
	if !ok {
		return
	}
	delete(r.waiting, e.event.ID)
	d := w.decision
	switch {
	case e.back && !r.apart():
		return // as it was: the champion had changed, and a further round follows
	case w.changes == r.changes:
		r.record(e, d)
		r.promote(it.at, d.Run, fold.ByApproval)
	default:
		d.WouldBe, d.Why = Waiting, "the champion would have changed before the approval: it would be asked for again"
		r.record(e, d)
	}
}

// record keeps the decision.
func (r *replay) record(e *judged, d Decision) {
	r.done[e.run.ID] = true
	if d.Differs() && d.WouldBe == Promoted {
		d.Why = difference(e.said(), d.Rules, d.Why)
	}
	r.path.Decisions = append(r.path.Decisions, d)
}

// open records the runs that nothing has come of.
func (r *replay) open(items []item) {
	for _, it := range items {
		e := it.judged
		if e == nil || r.done[e.run.ID] || it.at.Before(r.since) {
			continue
		}
		r.record(e, Decision{
			Run: e.run.ID, At: it.at, Was: e.was(), WouldBe: Open, Champion: r.wouldBe, Basis: Stored,
			Why: "the champion had changed, and the candidate has not been evaluated beside the new one yet",
		})
	}
}
