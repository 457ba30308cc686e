package evaluator

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/search"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// trial is what one trial of a rung has come to.
type trial struct {
	event.Event
	*eventv1.ModelTrained
}

// gather takes in one trial of several, and lets the next of its rung begin. When
// it is the last of its rung, the best go on to the next rung, or the best of all is
// evaluated. What follows does not depend on the order in which the trials came: it
// is said in answer to the best trial's event, or, if too few came to a model, to
// that of the rung's first.
func (v *Evaluator) gather(ctx context.Context, e event.Event, trained *eventv1.ModelTrained) ([]event.Event, error) {
	if err := v.keepTrial(ctx, e, trained); err != nil {
		return nil, err
	}
	s, rung := trained.GetPlan().GetSearch(), int(trained.GetRung())
	keys, err := v.kept(ctx, e.Run(), rung)
	if err != nil {
		return nil, err
	}
	entrants, err := v.entrants(ctx, e.Run(), s, rung)
	if err != nil {
		return nil, err
	}
	stage.Report(ctx, stage.Progress{Activity: "gathering trials", Done: int64(len(keys)), Total: int64(len(entrants))})
	if len(keys) < len(entrants) {
		return next(e, trained, entrants)
	}
	trials, err := v.trials(ctx, keys)
	if err != nil {
		return nil, err
	}
	best := ranked(trials)
	if rung == 0 && len(best) < int(search.MinTrials(s)) || len(best) == 0 {
		return []event.Event{tooFewTrials(trials, len(best))}, nil
	}
	if rung+1 < search.Rungs(s) {
		return advance(best[:search.Survivors(s, len(best))])
	}
	return v.evaluate(ctx, best[0].Event, best[0].ModelTrained)
}

// entrants returns the numbers of the rung's trials, in the order in which they
// begin: the best of the rung before first.
func (v *Evaluator) entrants(ctx context.Context, run string, s *eventv1.Search, rung int) ([]int32, error) {
	if rung == 0 {
		all := make([]int32, s.GetTrials())
		for n := range all {
			all[n] = int32(n) //nolint:gosec // below search.MaxTrials
		}
		return all, nil
	}
	keys, err := v.kept(ctx, run, rung-1)
	if err != nil {
		return nil, err
	}
	before, err := v.trials(ctx, keys)
	if err != nil {
		return nil, err
	}
	best := ranked(before)
	out := make([]int32, search.Survivors(s, len(best)))
	for i := range out {
		out[i] = best[i].GetTrial()
	}
	return out, nil
}

// next lets one more trial of the rung begin, so that as many as may be are under
// way: the one that is so many places behind the one that was answered.
func next(e event.Event, answered *eventv1.ModelTrained, entrants []int32) ([]event.Event, error) {
	at := slices.Index(entrants, answered.GetTrial())
	behind := at + search.Parallel(answered.GetPlan().GetSearch(), len(entrants))
	if at < 0 || behind >= len(entrants) {
		return nil, nil
	}
	n := entrants[behind]
	own, err := search.Trial(answered.GetPlan(), int(n))
	if err != nil {
		return nil, err
	}
	return []event.Event{begin(e, toNext, answered, n, answered.GetRung(), own)}, nil
}

// ranked returns the trials that came to a model, the best first; of two that are
// as good, the one with the lower number.
func ranked(trials []trial) []trial {
	out := slices.DeleteFunc(slices.Clone(trials), func(t trial) bool { return t.GetFailure() != nil })
	slices.SortFunc(out, func(a, b trial) int {
		return cmp.Or(cmp.Compare(search.Score(b.GetCandidate()), search.Score(a.GetCandidate())), cmp.Compare(a.GetTrial(), b.GetTrial()))
	})
	return out
}

// advance sends trials to the next rung, where they train for longer: as many as
// may be under way.
func advance(best []trial) ([]event.Event, error) {
	settings, err := search.Trials(best[0].GetPlan())
	if err != nil {
		return nil, err
	}
	out := make([]event.Event, search.Parallel(best[0].GetPlan().GetSearch(), len(best)))
	for i, t := range best[:len(out)] {
		out[i] = begin(t.Event, toHigher, t.ModelTrained, t.GetTrial(), t.GetRung()+1, settings[t.GetTrial()])
	}
	return out, nil
}

// What a trial's event may be answered by, so that the ids differ.
const (
	toHigher = iota // the trial's own training in the next rung
	toNext          // another trial of the rung
)

// begin returns the event by which a trial is trained in a rung.
func begin(e event.Event, index int, of *eventv1.ModelTrained, trial, rung int32, own *eventv1.Training) event.Event {
	own.NumIterations = search.Iterations(of.GetPlan().GetSearch(), own.GetNumIterations(), int(rung))
	return e.Reply(churn.Evaluator, churn.FeaturesReady, index, churn.TrialKey(e.Run(), int(trial)), &eventv1.FeaturesReady{
		Plan: of.GetPlan(), Features: of.GetFeatures(), Trial: trial, Trials: of.GetTrials(), Training: own, Rung: rung,
	})
}

// tooFewTrials ends the run of a search too few of whose trials came to a model.
func tooFewTrials(trials []trial, came int) event.Event {
	first := slices.MinFunc(trials, func(a, b trial) int { return cmp.Compare(a.GetTrial(), b.GetTrial()) })
	s := first.GetPlan().GetSearch()
	var why []string
	kind := churn.Invalid.String()
	for _, t := range trials {
		f := t.GetFailure()
		if f == nil {
			continue
		}
		if f.GetKind() != kind {
			kind = churn.Transient.String()
		}
		if len(why) < 3 {
			why = append(why, fmt.Sprintf("trial %d: %.500s", t.GetTrial(), f.GetMessage()))
		}
	}
	model := first.GetPlan().GetModel()
	return first.Reply(churn.Evaluator, churn.RunFailed, 0, model, &eventv1.RunFailed{
		Model: model, Run: first.Run(), Stage: string(churn.Evaluator), Kind: kind, Operation: "evaluator.gather", Attempts: 1,
		Message: fmt.Sprintf("%d of %d trials came to a model, and %d are asked for (--min-trials): %s",
			came, len(trials), search.MinTrials(s), strings.Join(why, "; ")),
	})
}

// trialsFolder is where a rung's trials are kept until all are there.
func trialsFolder(run string, rung int) string {
	return churn.ArtifactKey(run, churn.Evaluator, fmt.Sprintf("trials-of-rung-%d", rung)) + "/"
}

const mediaEvents = "application/cloudevents-batch+json"

// keepTrial keeps the event; of two that are of one trial, the first.
func (v *Evaluator) keepTrial(ctx context.Context, e event.Event, t *eventv1.ModelTrained) error {
	batch, err := event.EncodeBatch([]event.Event{e})
	if err != nil {
		return err
	}
	key := trialsFolder(e.Run(), int(t.GetRung())) + fmt.Sprintf("%05d.json", t.GetTrial())
	_, err = v.store.Put(ctx, key, mediaEvents, bytes.NewReader(batch))
	if churn.IsKind(err, churn.Conflict) {
		return nil // another attempt's, with a trace of its own
	}
	return err
}

// reads is how many trials are read at a time.
const reads = 16

// kept returns the keys of the rung's trials that are there, by their number.
func (v *Evaluator) kept(ctx context.Context, run string, rung int) (keys []string, err error) {
	for key, err := range v.store.List(ctx, trialsFolder(run, rung)) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// trials reads what was kept.
func (v *Evaluator) trials(ctx context.Context, keys []string) ([]trial, error) {
	out := make([]trial, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reads)
	for i, key := range keys {
		group.Go(func() (err error) { out[i], err = v.readTrial(ctx, key); return err })
	}
	return out, group.Wait()
}

func (v *Evaluator) readTrial(ctx context.Context, key string) (trial, error) {
	const op = "evaluator.readTrial"
	a, err := v.store.Stat(ctx, key)
	if err != nil {
		return trial{}, err
	}
	batch, err := v.store.Get(ctx, a, smallLimit)
	if err != nil {
		return trial{}, err
	}
	events, err := event.DecodeBatch(batch)
	if err != nil {
		return trial{}, churn.E(op, churn.Internal, err)
	}
	if len(events) == 1 {
		if m, ok := events[0].Data.(*eventv1.ModelTrained); ok {
			return trial{events[0], m}, nil
		}
	}
	return trial{}, churn.Errorf(op, churn.Internal, "%s is damaged: it holds no trial", a.GetUri())
}
