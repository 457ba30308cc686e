// Package evaluator judges a trained candidate on the hold-out, beside the
// champion on the same rows.
//
// It scores with an implementation of its own, which must reproduce the
// trainer's scores of the validation rows first; otherwise the run fails.
package evaluator

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/jsonfile"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/report"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Evaluator answers model-trained with model-evaluated.
type Evaluator struct {
	store    blob.Store
	registry registry.Registry
	tracker  registry.Tracker
	config   Config
}

// New returns an evaluator. The configuration must be valid, see
// Config.Validate.
func New(store blob.Store, reg registry.Registry, tracker registry.Tracker, config Config) *Evaluator {
	return &Evaluator{store, reg, tracker, config}
}

// Stage returns the evaluator as a stage.
func (v *Evaluator) Stage() stage.Stage {
	return stage.Stage{Service: churn.Evaluator, Topics: []churn.Topic{churn.ModelTrained}, Handler: v}
}

// Handle evaluates the candidate of a model-trained event; of several trials, the
// best when all are there.
func (v *Evaluator) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	trained, err := payload(e)
	if err != nil {
		return nil, err
	}
	if trained.GetTrials() > 1 && trained.GetRound() == 0 {
		return v.gather(ctx, e, trained)
	}
	return v.evaluate(ctx, e, trained)
}

func (v *Evaluator) evaluate(ctx context.Context, e event.Event, trained *eventv1.ModelTrained) ([]event.Event, error) {
	folder := folder{e.Run(), trained.GetRound()}
	pinned, err := v.pinChampion(ctx, folder.key(championJSON), trained.GetPlan())
	if err != nil {
		return nil, err
	}
	champion := pinned.message()
	in, err := v.read(ctx, trained, pinned)
	if err != nil {
		return nil, err
	}
	defer in.close()
	stage.Report(ctx, stage.Progress{Activity: scoring, Total: trained.GetFeatures().GetHoldoutRows()})
	scored, err := v.score(ctx, trained, in, champion)
	if err != nil {
		return nil, err
	}
	stage.Report(ctx, stage.Progress{Activity: "judging", Done: 1, Total: steps})
	document, files, err := v.judge(ctx, e.Run(), trained, champion, scored)
	if err != nil {
		return nil, err
	}
	stage.Report(ctx, stage.Progress{Activity: "writing the report", Done: 2, Total: steps})
	defer files.close()
	written, err := v.write(ctx, folder, files)
	if err != nil {
		return nil, err
	}
	id, err := v.track(ctx, e, trained, document, written)
	if err != nil {
		return nil, err
	}
	evaluated := &eventv1.ModelEvaluated{
		Plan: trained.GetPlan(), Features: trained.GetFeatures(), Candidate: trained.GetCandidate(),
		Evaluation: written, Champion: champion, Round: trained.GetRound(),
		Trial: trained.GetTrial(), Training: trained.GetTraining(),
	}
	tell(evaluated, document)
	stage.Report(ctx, stage.Progress{
		Activity: "evaluated", Done: steps, Total: steps,
		Metric: stat.AUC.String(), Value: evaluated.Metrics.GetAuc(), Tracking: id,
	})
	return []event.Event{e.Reply(churn.Evaluator, churn.ModelEvaluated, 0, trained.GetPlan().GetModel(), evaluated)}, nil
}

// scoring is what is being done until the rows are scored; then steps are the units
// of progress.
const (
	scoring = "scoring the hold-out"
	steps   = 3
)

// payload returns the event's message, validated.
func payload(e event.Event) (*eventv1.ModelTrained, error) {
	trained, ok := e.Data.(*eventv1.ModelTrained)
	if !ok {
		return nil, churn.Errorf("evaluator.Handle", churn.Invalid, "event %s of type %q holds %T, not ModelTrained", e.ID, e.Type, e.Data)
	}
	return trained, event.Validate(e)
}

// judge makes the document and every file.
func (v *Evaluator) judge(ctx context.Context, run string, trained *eventv1.ModelTrained, champion *eventv1.Champion, s *scored) (_ *evaluation.Document, _ *files, err error) {
	d := v.document(run, trained, champion, s)
	if err := v.examine(d, s); err != nil {
		return nil, nil, err
	}
	all := []series{candidateSeries(s.candidate, d.Candidate.Calibration.Bins)}
	if champion != nil {
		all = append(all, championSeries(s.champion, d.Champion.Calibration.Bins))
	}
	out := &files{}
	defer func() {
		if err != nil {
			out.close()
		}
	}()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return judge(ctx, d, s.candidate, s.champion) })
	group.Go(func() (err error) { out.scores, err = s.table(); return err })
	group.Go(func() (err error) { out.roc, err = rocPlot(all); return err })
	group.Go(func() (err error) { out.pr, err = prPlot(all); return err })
	group.Go(func() (err error) { out.calibration, err = calibrationPlot(all); return err })
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	if warning := tooFew(d.Comparison, trained.GetPlan().GetGate()); warning != "" {
		d.Warnings = append(d.Warnings, warning)
	}
	if out.evaluation, err = jsonfile.Encode(d); err != nil {
		return nil, nil, err
	}
	out.report, err = report.Render(report.Page{
		Evaluation: d, Made: trained, Contributions: s.contributions,
		Images: report.Images{ROC: out.roc, PR: out.pr, Calibration: out.calibration, Importances: s.importances},
	})
	return d, out, err
}

// document returns what the evaluation is of, without a finding.
func (v *Evaluator) document(run string, trained *eventv1.ModelTrained, champion *eventv1.Champion, s *scored) *evaluation.Document {
	rows, positives := s.candidate.Len(), s.candidate.Positives()
	split := trained.GetPlan().GetSplit()
	d := &evaluation.Document{
		Version: evaluation.Version,
		Model:   trained.GetPlan().GetModel(),
		Run:     run,
		Round:   trained.GetRound(),
		Holdout: evaluation.Holdout{
			Rows: int64(rows), Positives: int64(positives), Rate: float64(positives) / float64(rows),
			Test: split.GetTest(), Salt: split.GetSalt(),
		},
		Method: evaluation.Method{
			Threshold: evaluation.Threshold, Level: v.config.Level,
			Replicates: v.config.replicates(rows), Seed: uint64(trained.GetPlan().GetTraining().GetSeed()),
		},
		Parity: s.parity,
		Candidate: evaluation.Judgement{
			ModelSHA256:        trained.GetCandidate().GetModel().GetSha256(),
			PreprocessorSHA256: trained.GetFeatures().GetPreprocessor().GetSha256(),
			Unseen:             s.unseen,
		},
		Slices:   []evaluation.Slice{},
		Warnings: s.warnings,
	}
	if champion != nil {
		d.Champion = &evaluation.Champion{
			Version: champion.GetVersion(), Generation: champion.GetGeneration(), Run: champion.GetRun(),
			Judgement: evaluation.Judgement{
				ModelSHA256:        champion.GetModel().GetSha256(),
				PreprocessorSHA256: champion.GetPreprocessor().GetSha256(),
				Unseen:             s.championUnseen,
			},
		}
	}
	return d
}
