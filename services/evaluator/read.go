package evaluator

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/shap"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// The most bytes that an artifact may have; a model and a preprocessor have
// limits of their own.
const (
	scoresLimit = 64 << 20
	imageLimit  = 8 << 20
	smallLimit  = 1 << 20
)

// input is what an evaluation reads. Close it.
type input struct {
	table               *feature.Table
	candidate, champion *scorer         // champion is nil if there is none
	reference           []feature.Score // the trainer's own, of validation rows
	importances         []byte
	contributions       *shap.Document // nil: of an older trainer

	spec                     *dataset.Spec
	profile, championProfile *profile.Document // nil if there is none, or of an older featurizer
	warnings                 []string
}

func (in *input) close() {
	if in.table != nil {
		_ = in.table.Close()
	}
}

// read reads every artifact, all at once.
func (v *Evaluator) read(ctx context.Context, trained *eventv1.ModelTrained, pinned *pinnedChampion) (_ *input, err error) {
	in, champion := &input{}, pinned.message()
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	features, candidate := trained.GetFeatures(), trained.GetCandidate()
	err = atOnce(
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
		func() (err error) {
			in.contributions, err = v.readContributions(ctx, candidate.GetContributions())
			return err
		},
		func() (err error) { in.spec, err = v.readSpec(ctx, trained.GetPlan().GetSpec()); return err },
		func() (err error) { in.profile, err = v.readProfile(ctx, features.GetProfile()); return err },
		func() (err error) {
			if pinned != nil && pinned.Profile != nil {
				in.championProfile, err = v.readProfile(ctx, pinned.Profile)
			}
			return ofChampion(champion, err)
		},
	)
	if err != nil {
		return nil, err
	}
	if pinned != nil && (in.profile == nil || in.championProfile == nil) {
		in.warnings = append(in.warnings, "Drift is not known: the profile of this data or of the champion's is missing, or of an older featurizer.")
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
	return feature.FetchTable(ctx, v.store, a, func(bytes int64) {
		stage.Report(ctx, stage.Progress{Activity: "reading the features", Done: bytes, Total: a.GetSize()})
	})
}

func (v *Evaluator) readContributions(ctx context.Context, a *blob.Artifact) (*shap.Document, error) {
	if a == nil {
		return nil, nil
	}
	text, err := v.store.Get(ctx, a, shap.MaxDocument)
	if err != nil {
		return nil, err
	}
	return shap.Parse(text)
}

func (v *Evaluator) readSpec(ctx context.Context, a *blob.Artifact) (*dataset.Spec, error) {
	text, err := v.store.Get(ctx, a, dataset.MaxSpec)
	if err != nil {
		return nil, err
	}
	return dataset.ParseSpec(text)
}

// readProfile reads a profile; one of an older featurizer is nil.
func (v *Evaluator) readProfile(ctx context.Context, a *blob.Artifact) (*profile.Document, error) {
	text, err := v.store.Get(ctx, a, profile.MaxDocument)
	if err != nil {
		return nil, err
	}
	p, err := profile.Parse(text)
	if errors.Is(err, profile.ErrTooOld) {
		return nil, nil
	}
	return p, err
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
