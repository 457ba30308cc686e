package audit

import (
	"context"
	"encoding/json"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// beside returns what is asked of an evaluation as it would have been beside the champion that run
// trained, or beside none, and what it rests on. With the bootstrap, errors and
// intervals of all differences are told, and else the AUC's alone.
//
// What scores do not tell is left out: the champion's part of slices; and drift,
// unless the two champions were trained on the same data.
func (s *shelf) beside(ctx context.Context, e *judged, asked *eventv1.ModelEvaluated, run string, bootstrap bool) (*eventv1.ModelEvaluated, Basis, error) {
	m := shallow(asked)
	m.Champion, m.ChampionMetrics, m.Comparison, m.Drift, m.Slices = nil, nil, nil, nil, alone(e.GetSlices())
	if run == "" {
		return m, Stored, nil
	}
	own, err := s.read(ctx, e.GetEvaluation().GetScores())
	if err != nil {
		return nil, Compared, err
	}
	champion, basis, err := s.other(ctx, e, own, run)
	if err != nil {
		return nil, basis, err
	}
	m.Champion = s.models[run].champion
	if m.ChampionMetrics, err = s.metrics(scoresOf{run, e.holdout()}, champion); err != nil {
		return nil, basis, err
	}
	if m.Comparison, err = compare(own.sample, champion); err != nil {
		return nil, basis, err
	}
	if s.sameData(e.GetChampion().GetRun(), run) {
		m.Drift = e.GetDrift()
	}
	if bootstrap {
		err = s.errors(ctx, e, m.GetComparison(), own.sample, champion)
	}
	return m, basis, err
}

// alone returns the slices without the champion's part.
func alone(slices []*eventv1.Slice) []*eventv1.Slice {
	out := make([]*eventv1.Slice, len(slices))
	for i, s := range slices {
		out[i] = &eventv1.Slice{Column: s.GetColumn(), Value: s.GetValue(), Rows: s.GetRows(), Positives: s.GetPositives(), Metrics: s.GetMetrics()}
	}
	return out
}

// sameData reports whether two models were trained on data of one profile.
func (s *shelf) sameData(a, b string) bool {
	one, other := s.models[a], s.models[b]
	return one != nil && other != nil && one.profile.GetSha256() != "" && one.profile.GetSha256() == other.profile.GetSha256()
}

// metrics returns the metrics that the event carries.
func metrics(s *stat.Sample) (*eventv1.Metrics, error) {
	v := s.Metrics(evaluation.Threshold)
	_, calibration := s.Calibration(evaluation.Bins, evaluation.Level)
	slope, intercept, err := s.Recalibration()
	if churn.IsKind(err, churn.Invalid) { // the classes do not overlap: zeros say so
		err = nil
	}
	return &eventv1.Metrics{
		Auc: v[stat.AUC], Accuracy: v[stat.Accuracy], F1: v[stat.F1], LogLoss: v[stat.LogLoss], Brier: v[stat.Brier], Ks: v[stat.KS],
		Precision: v[stat.Precision], Recall: v[stat.Recall], AveragePrecision: s.AveragePrecision(),
		CalibrationError: calibration, CalibrationSlope: slope, CalibrationIntercept: intercept,
	}, err
}

// compare returns candidate less champion, with the errors that need no bootstrap.
func compare(candidate, champion *stat.Sample) (*eventv1.Comparison, error) {
	auc, err := stat.DeLongPaired(candidate, champion, evaluation.Level)
	if err != nil {
		return nil, err
	}
	first, second, err := stat.Disagreement(candidate, champion, evaluation.Threshold)
	c := &eventv1.Comparison{
		AucDifference: auc.Value, AucError: auc.Error,
		OnlyCandidate: first, OnlyChampion: second, McnemarP: stat.McNemar(first, second),
		Auc: &eventv1.Difference{Value: auc.Value, Error: auc.Error, Low: auc.Interval.Low, High: auc.Interval.High},
	}
	values := candidate.Metrics(evaluation.Threshold).Minus(champion.Metrics(evaluation.Threshold))
	for m, d := range differences(c) {
		*d = &eventv1.Difference{Value: values[m]}
	}
	return c, err
}

// differences returns where a comparison has those that take a bootstrap.
func differences(c *eventv1.Comparison) map[stat.Metric]**eventv1.Difference {
	return map[stat.Metric]**eventv1.Difference{
		stat.Accuracy: &c.Accuracy, stat.F1: &c.F1, stat.Precision: &c.Precision, stat.Recall: &c.Recall,
		stat.LogLoss: &c.LogLoss, stat.Brier: &c.Brier, stat.KS: &c.Ks,
	}
}

// errors fills in the errors and intervals by the paired bootstrap, drawn as the
// evaluation's own was.
func (s *shelf) errors(ctx context.Context, e *judged, c *eventv1.Comparison, candidate, champion *stat.Sample) error {
	method, err := s.method(ctx, e)
	if err != nil {
		return err
	}
	boot := stat.Bootstrap{Replicates: method.Replicates, Seed: method.Seed, Threshold: method.Threshold}
	replicates, err := boot.Draw(ctx, candidate, champion)
	if err != nil {
		return err
	}
	drawn := stat.Differences(replicates[0], replicates[1])
	deviations, intervals := stat.Errors(drawn), stat.Intervals(drawn, method.Level)
	for m, d := range differences(c) {
		(*d).Error, (*d).Low, (*d).High = deviations[m], intervals[m].Low, intervals[m].High
	}
	return nil
}

// maxReplicates bounds what a damaged document can ask for.
const maxReplicates = 1 << 16

// method returns how the evaluation's own intervals were made.
func (s *shelf) method(ctx context.Context, e *judged) (evaluation.Method, error) {
	const op = "audit.method"
	var d struct {
		Method evaluation.Method `json:"method"`
	}
	a := e.GetEvaluation().GetEvaluation()
	text, err := s.get(ctx, a, evaluation.MaxDocument)
	if err != nil {
		return d.Method, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d.Method, churn.Errorf(op, churn.Invalid, "%s: %w", a.GetUri(), err)
	}
	if m := d.Method; m.Replicates < 1 || m.Replicates > maxReplicates || !(m.Level > 0 && m.Level < 1) {
		return m, churn.Errorf(op, churn.Invalid, "%s has intervals at level %v of %d replicates", a.GetUri(), m.Level, m.Replicates)
	}
	return d.Method, nil
}
