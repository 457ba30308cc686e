package evaluator

import (
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// scorer is a model with the preprocessing that it was trained with.
type scorer struct {
	model        *leaves.Model
	preprocessor *feature.Preprocessor
}

// score scores the hold-out by candidate and champion, if the candidate's scorer
// agrees with the trainer's.
func (v *Evaluator) score(ctx context.Context, trained *eventv1.ModelTrained, champion *eventv1.Champion) (*scored, error) {
	in, err := v.read(ctx, trained, champion)
	if err != nil {
		return nil, err
	}
	out := &scored{importances: in.importances, warnings: []string{}}
	var candidate, former *holdout
	err = atOnce(
		func() (err error) {
			out.parity, err = in.candidate.parity(ctx, in.table, in.reference, v.config.Tolerance)
			return err
		},
		func() (err error) { candidate, err = in.candidate.holdout(ctx, in.table); return err },
		func() (err error) {
			if champion != nil {
				former, err = in.champion.holdout(ctx, in.table)
			}
			return ofChampion(champion, err)
		},
	)
	if err != nil {
		return nil, err
	}
	if err := candidate.check(trained.GetFeatures().GetHoldoutRows()); err != nil {
		return nil, err
	}
	return out, out.take(in, candidate, former)
}

// take takes in the scores of the hold-out; former is the champion's, nil if
// there is none.
func (s *scored) take(in *input, candidate, former *holdout) (err error) {
	s.keys, s.labels = candidate.keys, candidate.labels
	s.scores, s.unseen = candidate.scores, candidate.unseen
	if s.candidate, err = stat.New(s.labels, s.scores); err != nil || former == nil {
		return err
	}
	s.championScores, s.championUnseen = former.scores, former.unseen
	if warning := overlap(in.candidate.preprocessor, in.champion.preprocessor, s.keys); warning != "" {
		s.warnings = append(s.warnings, warning)
	}
	s.champion, err = stat.New(s.labels, s.championScores)
	return err
}

// holdout is the hold-out in file order, as one scorer sees it.
type holdout struct {
	keys   []string
	labels []bool
	scores []float64
	unseen map[string]int64
}

func (s *scorer) holdout(ctx context.Context, table *feature.Table) (*holdout, error) {
	h := &holdout{unseen: map[string]int64{}}
	for c, err := range table.Chunks(s.preprocessor, dataset.Holdout) {
		if err != nil {
			return nil, err
		}
		scores, err := s.model.Score(ctx, c.X)
		if err != nil {
			return nil, err
		}
		h.keys, h.scores = append(h.keys, c.Keys...), append(h.scores, scores...)
		for _, label := range c.Labels {
			h.labels = append(h.labels, label == 1)
		}
		for column, rows := range c.Unseen {
			h.unseen[column] += rows
		}
	}
	return h, nil
}

// check refuses a hold-out that nothing can be said on, or of another size than
// the featurizer has announced.
func (h *holdout) check(announced int64) error {
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
