// Package trainer trains a candidate on a run's features, with LightGBM itself.
package trainer

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/gbdt/worker"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Trainer answers features-ready with model-trained.
type Trainer struct {
	store   blob.Store
	tracker registry.Tracker
	pool    *worker.Pool
	peers   *worker.Peers      // who lend workers; nil: nobody does
	threads func(rows int) int // to train that many rows with; changes no byte
}

// New returns a trainer that trains in the pool's workers.
func New(store blob.Store, tracker registry.Tracker, pool *worker.Pool) *Trainer {
	return &Trainer{store: store, tracker: tracker, pool: pool, threads: func(rows int) int { return lightgbm.Threads(rows, pool.CPUs()) }}
}

// Stage returns the trainer as a stage.
func (t *Trainer) Stage() stage.Stage {
	return stage.Stage{Service: churn.Trainer, Topics: []churn.Topic{churn.FeaturesReady}, Handler: t, GaveUp: gaveUp}
}

// gaveUp answers for a trial of several that cannot be trained: it has failed, and
// its run goes on without it.
func gaveUp(e event.Event, why *eventv1.RunFailed) (event.Event, bool) {
	ready, ok := e.Data.(*eventv1.FeaturesReady)
	if !ok || ready.GetTrials() < 2 || event.Validate(e) != nil {
		return event.Event{}, false
	}
	answer := trained(ready, nil)
	answer.Failure = &eventv1.TrialFailure{Kind: why.GetKind(), Operation: why.GetOperation(), Message: why.GetMessage()}
	return e.Reply(churn.Trainer, churn.ModelTrained, 0, e.Run(), answer), true
}

// trained returns what is answered to a trial.
func trained(ready *eventv1.FeaturesReady, candidate *eventv1.TrainedModel) *eventv1.ModelTrained {
	return &eventv1.ModelTrained{
		Plan: ready.GetPlan(), Features: ready.GetFeatures(), Candidate: candidate,
		Trial: ready.GetTrial(), Trials: ready.GetTrials(), Training: ready.GetTraining(), Rung: ready.GetRung(),
	}
}

// settings are the trial's own, or else the plan's.
func settings(ready *eventv1.FeaturesReady) *eventv1.Training {
	if own := ready.GetTraining(); own != nil {
		return own
	}
	return ready.GetPlan().GetTraining()
}

// Handle trains a model on the features of a features-ready event.
func (t *Trainer) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	ready, err := payload(e)
	if err != nil {
		return nil, err
	}
	stage.Report(ctx, stage.Progress{Activity: reading})
	in, err := t.read(ctx, ready.GetFeatures())
	if err != nil {
		return nil, err
	}
	defer in.close()
	folds, err := t.crossValidate(ctx, ready, in)
	if err != nil {
		return nil, err
	}
	result, err := t.train(ctx, ready, in)
	if err != nil {
		return nil, err
	}
	document, files, err := t.describe(e.Run(), ready, in, result, folds)
	if err != nil {
		return nil, err
	}
	written, err := t.write(ctx, folderOf(e.Run(), ready), files)
	if err != nil {
		return nil, err
	}
	auc := result.History[result.Iterations-1].AUC
	written.TreesSha256, written.Iterations, written.ValidationAuc = document.TreesSHA256, int32(result.Iterations), auc
	written.FoldsAuc = document.foldsAUC()
	id, err := t.track(ctx, e, ready, document, written)
	if err != nil {
		return nil, err
	}
	stage.Report(ctx, stage.Progress{
		Activity: "trained", Done: int64(result.Iterations), Total: int64(result.Iterations),
		Metric: metricAUC, Value: auc, Tracking: id,
	})
	return []event.Event{e.Reply(churn.Trainer, churn.ModelTrained, 0, e.Run(), trained(ready, written))}, nil
}

// payload returns the event's message, validated.
func payload(e event.Event) (*eventv1.FeaturesReady, error) {
	ready, ok := e.Data.(*eventv1.FeaturesReady)
	if !ok {
		return nil, churn.Errorf("trainer.Handle", churn.Invalid, "event %s of type %q holds %T, not FeaturesReady", e.ID, e.Type, e.Data)
	}
	return ready, event.Validate(e)
}

// metricAUC is the metric that progress shows: people know it best.
const metricAUC = "auc"

// progress reports each iteration, and that the training waits for a worker.
func progress(ctx context.Context, activity string, params lightgbm.Params) func(lightgbm.Iteration) {
	return func(i lightgbm.Iteration) {
		if i.Number == 0 {
			stage.Report(ctx, stage.Progress{Activity: "waiting for other trainings"})
			return
		}
		stage.Report(ctx, stage.Progress{
			Activity: activity, Done: int64(i.Number), Total: int64(params.NumIterations), Metric: metricAUC, Value: i.AUC,
		})
	}
}

// train trains with the trial's settings and reports each iteration.
func (t *Trainer) train(ctx context.Context, ready *eventv1.FeaturesReady, in *input) (*lightgbm.Result, error) {
	params := lightgbm.ParamsOf(settings(ready))
	data := told(ctx, in.data())
	start := time.Now() //nolint:forbidigo // for the log
	training, end := obs.Span(ctx, "train", trace.WithAttributes(attribute.Int("churn.rows", data.Rows[lightgbm.Train])))
	result, err := t.fit(training, machines(ready), params, lightgbm.Options{
		ScoreRows: scoreRows, ContributionRows: in.explain(),
		Progress: progress(ctx, "training", params),
	}, data)
	end(err)
	if err != nil {
		return nil, err
	}
	stage.Logger(ctx).Info("trained", zap.Int("trees", result.Iterations), zap.Float64("lightgbm_seconds", time.Since(start).Seconds())) //nolint:forbidigo // for the log
	return result, in.fits(result)
}
