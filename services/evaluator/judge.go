package evaluator

import (
	"context"

	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/stat"
)

// Ways of making an interval, as Measure.Method names them.
const (
	byDeLong    = "delong"
	byWilson    = "wilson"
	byBootstrap = "bootstrap"
)

// judge fills in every number of the document from the scores of the hold-out;
// champion is nil if there is none.
func judge(ctx context.Context, d *evaluation.Document, candidate, champion *stat.Sample) error {
	samples := []*stat.Sample{candidate}
	if champion != nil {
		samples = append(samples, champion)
	}
	boot := stat.Bootstrap{Replicates: d.Method.Replicates, Seed: d.Method.Seed, Threshold: evaluation.Threshold}
	replicates, err := boot.Draw(ctx, samples...)
	if err != nil {
		return err
	}
	if err := judgeOne(&d.Candidate, candidate, replicates[0], d.Method.Level); err != nil {
		return err
	}
	if champion == nil {
		return nil
	}
	if err := judgeOne(&d.Champion.Judgement, champion, replicates[1], d.Method.Level); err != nil {
		return err
	}
	d.Comparison, err = compare(candidate, champion, stat.Differences(replicates[0], replicates[1]), d.Method.Level)
	return err
}

// judgeOne fills in one model's numbers but for the calibration.
func judgeOne(j *evaluation.Judgement, s *stat.Sample, replicates []stat.Metrics, level float64) error {
	j.Metrics = measures(s.Metrics(evaluation.Threshold), replicates, level)
	auc, err := s.DeLong(level)
	if err != nil {
		return err
	}
	j.Metrics[stat.AUC.String()] = measure(auc.Value, auc.Interval, byDeLong)
	j.Confusion = s.Confusion(evaluation.Threshold)
	j.Metrics[stat.Accuracy.String()] = measure(j.Confusion.Accuracy(),
		stat.Wilson(j.Confusion.Right(), j.Confusion.Rows(), level), byWilson)
	j.AveragePrecision = s.AveragePrecision()
	return nil
}

// compare returns candidate less champion; replicates are of the differences.
func compare(candidate, champion *stat.Sample, replicates []stat.Metrics, level float64) (*evaluation.Comparison, error) {
	c := &evaluation.Comparison{Differences: measures(
		candidate.Metrics(evaluation.Threshold).Minus(champion.Metrics(evaluation.Threshold)), replicates, level)}
	for metric, e := range byName(stat.Errors(replicates)) {
		m := c.Differences[metric]
		m.Error = e
		c.Differences[metric] = m
	}
	auc, err := stat.DeLongPaired(candidate, champion, level)
	if err != nil {
		return nil, err
	}
	c.Differences[stat.AUC.String()] = evaluation.Measure{
		Value: auc.Value, Error: auc.Error, Low: auc.Interval.Low, High: auc.Interval.High, Method: byDeLong,
	}
	c.AUCError, c.AUCP = auc.Error, auc.P
	m := &c.McNemar
	m.OnlyCandidate, m.OnlyChampion, err = stat.Disagreement(candidate, champion, evaluation.Threshold)
	m.P = stat.McNemar(m.OnlyCandidate, m.OnlyChampion)
	return c, err
}

// measures puts bootstrap intervals round the values.
func measures(values stat.Metrics, replicates []stat.Metrics, level float64) map[string]evaluation.Measure {
	out := map[string]evaluation.Measure{}
	for m, interval := range stat.Intervals(replicates, level) {
		out[stat.Metric(m).String()] = measure(values[m], interval, byBootstrap)
	}
	return out
}

func measure(value float64, i stat.Interval, method string) evaluation.Measure {
	return evaluation.Measure{Value: value, Low: i.Low, High: i.High, Method: method}
}
