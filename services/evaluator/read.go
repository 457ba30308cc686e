package evaluator

import (
	"bytes"
	"cmp"
	"context"
	"sync"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// The most bytes that an artifact may have; a model and a preprocessor have
// limits of their own.
const (
	tableLimit  = 1 << 30
	scoresLimit = 64 << 20
	imageLimit  = 8 << 20
	smallLimit  = 1 << 20
)

// input is what an evaluation reads.
type input struct {
	table               *feature.Table
	candidate, champion *scorer         // champion is nil if there is none
	reference           []feature.Score // the trainer's own, of validation rows
	importances         []byte
}

// read reads every artifact, all at once.
func (v *Evaluator) read(ctx context.Context, trained *eventv1.ModelTrained, champion *eventv1.Champion) (*input, error) {
	in := &input{}
	features, candidate := trained.GetFeatures(), trained.GetCandidate()
	err := atOnce(
		func() (err error) { in.table, err = v.readTable(ctx, features.GetTable()); return err },
		func() (err error) {
			in.candidate, err = v.readScorer(ctx, candidate.GetModel(), features.GetPreprocessor())
			return err
		},
		func() (err error) {
			in.reference, err = v.readReference(ctx, candidate.GetReferenceScores())
			return err
		},
		func() (err error) {
			in.importances, err = v.store.Get(ctx, candidate.GetImportancesPlot(), imageLimit)
			return err
		},
		func() (err error) {
			if champion != nil {
				in.champion, err = v.readScorer(ctx, champion.GetModel(), champion.GetPreprocessor())
			}
			return ofChampion(champion, err)
		},
	)
	if err != nil {
		return nil, err
	}
	return in, ofChampion(champion, in.sameTarget())
}

// sameTarget returns an error if the champion predicts something else.
func (in *input) sameTarget() error {
	if in.champion == nil {
		return nil
	}
	if is, was := in.candidate.preprocessor.Target, in.champion.preprocessor.Target; is != was {
		return churn.Errorf("evaluator.read", churn.Invalid, "it predicts %s %q against %q, and the labels are %s %q against %q",
			was.Column, was.Positive, was.Negative, is.Column, is.Positive, is.Negative)
	}
	return nil
}

func (v *Evaluator) readTable(ctx context.Context, a *blob.Artifact) (*feature.Table, error) {
	file, err := v.store.Get(ctx, a, tableLimit)
	if err != nil {
		return nil, err
	}
	return feature.OpenTable(bytes.NewReader(file), int64(len(file)))
}

func (v *Evaluator) readReference(ctx context.Context, a *blob.Artifact) ([]feature.Score, error) {
	file, err := v.store.Get(ctx, a, scoresLimit)
	if err != nil {
		return nil, err
	}
	return feature.DecodeScores(file)
}

// readScorer reads a model and its preprocessor, which must fit together.
func (v *Evaluator) readScorer(ctx context.Context, model, preprocessor *blob.Artifact) (*scorer, error) {
	s := &scorer{}
	err := atOnce(
		func() error {
			text, err := v.store.Get(ctx, model, leaves.MaxModel)
			if err == nil {
				s.model, err = leaves.Load(text)
			}
			return err
		},
		func() error {
			text, err := v.store.Get(ctx, preprocessor, feature.MaxPreprocessor)
			if err == nil {
				s.preprocessor, err = feature.Parse(text)
			}
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	if takes, makes := len(s.model.Features()), len(s.preprocessor.Features); takes != makes {
		return nil, churn.Errorf("evaluator.readScorer", churn.Invalid,
			"the model %s takes %d features and its preprocessor %s makes %d: they are not of one run",
			model.GetUri(), takes, preprocessor.GetUri(), makes)
	}
	return s, nil
}

// atOnce runs all functions at once and returns the first error in their order:
// of several faults it is always the same that is told.
func atOnce(functions ...func() error) error {
	errs := make([]error, len(functions))
	var group sync.WaitGroup
	for i, f := range functions {
		group.Go(func() { errs[i] = f() })
	}
	group.Wait()
	return cmp.Or(errs...)
}
