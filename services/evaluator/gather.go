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

// gather takes in one trial of several. When it is the last of its rung, the best
// go on to the next rung, or the best of all is evaluated. What follows does not
// depend on the order in which the trials came: it is said in answer to the best
// trial's event, or, if too few came to a model, to that of the rung's first.
func (v *Evaluator) gather(ctx context.Context, e event.Event, trained *eventv1.ModelTrained) ([]event.Event, error) {
	if err := v.keepTrial(ctx, e, trained); err != nil {
		return nil, err
	}
	s, rung := trained.GetPlan().GetSearch(), int(trained.GetRung())
	keys, err := v.kept(ctx, e.Run(), rung)
	if err != nil {
		return nil, err
	}
	expected, err := v.expected(ctx, e.Run(), s, rung)
	if err != nil {
		return nil, err
	}
	stage.Report(ctx, stage.Progress{Activity: "gathering trials", Done: int64(len(keys)), Total: int64(expected)})
	if len(keys) < expected {
		return nil, nil
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

// expected returns how many trials the rung has: those that went on from the one
// before.
func (v *Evaluator) expected(ctx context.Context, run string, s *eventv1.Search, rung int) (int, error) {
	if rung == 0 {
		return int(s.GetTrials()), nil
	}
	keys, err := v.kept(ctx, run, rung-1)
	if err != nil {
		return 0, err
	}
	before, err := v.trials(ctx, keys)
	if err != nil {
		return 0, err
	}
	return search.Survivors(s, len(ranked(before))), nil
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

// advance sends trials to the next rung, where they train for longer.
func advance(best []trial) ([]event.Event, error) {
	settings, err := search.Trials(best[0].GetPlan())
	if err != nil {
		return nil, err
	}
	out := make([]event.Event, len(best))
	for i, t := range best {
		own, rung := settings[t.GetTrial()], t.GetRung()+1
		own.NumIterations = search.Iterations(t.GetPlan().GetSearch(), own.GetNumIterations(), int(rung))
		out[i] = t.Reply(churn.Evaluator, churn.FeaturesReady, 0, churn.TrialKey(t.Run(), int(t.GetTrial())), &eventv1.FeaturesReady{
			Plan: t.GetPlan(), Features: t.GetFeatures(), Trial: t.GetTrial(), Trials: t.GetTrials(), Training: own, Rung: rung,
		})
	}
	return out, nil
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
