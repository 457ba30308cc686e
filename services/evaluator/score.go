package evaluator

import (
	"context"
	"fmt"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// scorer is a model with the preprocessing that it was trained with.
type scorer struct {
	model        *leaves.Model
	preprocessor *feature.Preprocessor
}

// score scores the hold-out by candidate and champion, if the candidate's scorer
// agrees with the trainer's. What it returns reads on in the input.
func (v *Evaluator) score(ctx context.Context, trained *eventv1.ModelTrained, in *input, champion *eventv1.Champion) (*scored, error) {
	out := &scored{
		importances: in.importances, contributions: in.contributions, warnings: append([]string{}, in.warnings...),
		spec: in.spec, profile: in.profile, championProfile: in.championProfile,
	}
	var candidate, former, validation *part
	var sliceWarnings []string
	err := atOnce(
		func() (err error) {
			out.parity, err = in.candidate.parity(ctx, in.table, in.reference, v.config.Tolerance)
			return err
		},
		func() (err error) {
			candidate, err = in.candidate.score(ctx, in.table, dataset.Holdout, func(rows int) {
				stage.Report(ctx, stage.Progress{Activity: scoring, Done: int64(rows), Total: trained.GetFeatures().GetHoldoutRows()})
			})
			return err
		},
		func() (err error) {
			if champion != nil {
				former, err = in.champion.score(ctx, in.table, dataset.Holdout, func(int) {})
			}
			return ofChampion(champion, err)
		},
		func() (err error) {
			if in.spec.Cost != nil {
				validation, err = in.candidate.score(ctx, in.table, dataset.Validation, func(int) {})
			}
			return err
		},
		func() (err error) {
			out.slices, sliceWarnings, err = readSlices(in.table, in.spec.Slices)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	out.warnings = append(out.warnings, sliceWarnings...)
	if err := candidate.check(trained.GetFeatures().GetHoldoutRows()); err != nil {
		return nil, err
	}
	if validation != nil {
		if out.validation, err = stat.New(validation.labels, validation.scores); churn.IsKind(err, churn.Invalid) {
			out.validation = nil
			out.warnings = append(out.warnings, fmt.Sprintf("The scores are to be cut at %v: %v.", evaluation.Threshold, err))
		}
	}
	return out, out.take(in, candidate, former)
}

// take takes in the scores of the hold-out; former is the champion's, nil if
// there is none.
func (s *scored) take(in *input, candidate, former *part) (err error) {
	s.keys, s.labels = in.table.Keys(dataset.Holdout), candidate.labels
	s.scores, s.unseen = candidate.scores, candidate.unseen
	if s.candidate, err = stat.New(s.labels, s.scores); err != nil || former == nil {
		return err
	}
	s.championScores, s.championUnseen = former.scores, former.unseen
	warning, err := overlap(in.candidate.preprocessor, in.champion.preprocessor, s.keys)
	if err != nil {
		return err
	}
	if warning != "" {
		s.warnings = append(s.warnings, warning)
	}
	s.champion, err = stat.New(s.labels, s.championScores)
	return err
}

// part is a part of the rows in file order, as one scorer sees it.
type part struct {
	labels []bool
	scores []float64
	unseen map[string]int64
}

// score scores the part, and tells how many rows it has scored.
func (s *scorer) score(ctx context.Context, table *feature.Table, of dataset.Part, tell func(rows int)) (*part, error) {
	h := &part{unseen: map[string]int64{}}
	for c, err := range table.Chunks(s.preprocessor, of) {
		if err != nil {
			return nil, err
		}
		scores, err := s.model.Score(ctx, c.X)
		if err != nil {
			return nil, err
		}
		h.scores = append(h.scores, scores...)
		for _, label := range c.Labels {
			h.labels = append(h.labels, label == 1)
		}
		for column, rows := range c.Unseen {
			h.unseen[column] += rows
		}
		tell(len(h.scores))
	}
	return h, nil
}

// check refuses a hold-out that nothing can be said on, or of another size than
// the featurizer has announced.
func (h *part) check(announced int64) error {
	const op = "evaluator.score"
	rows, positives := int64(len(h.labels)), int64(0)
	for _, positive := range h.labels {
		if positive {
			positives++
		}
	}
	if rows != announced {
		return churn.Errorf(op, churn.Invalid, "the features table has %d hold-out rows, and the event announces %d", rows, announced)
	}
	if positives < 2 || rows-positives < 2 {
		return churn.Errorf(op, churn.Invalid,
			"the hold-out has %d positive and %d negative rows and needs two of each: more data, a larger split.test or another split.salt helps", positives, rows-positives)
	}
	return nil
}
