package evaluator

import (
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// tell puts what rules may be about into the event.
func tell(m *eventv1.ModelEvaluated, d *evaluation.Document) {
	m.Metrics = judgement(&d.Candidate)
	if d.Champion != nil {
		m.ChampionMetrics, m.Comparison = judgement(&d.Champion.Judgement), comparison(d.Comparison)
	}
	if p := d.OperatingPoint; p != nil {
		m.OperatingPoint = &eventv1.OperatingPoint{
			Threshold: p.Threshold, FalsePositiveCost: p.FalsePositiveCost, FalseNegativeCost: p.FalseNegativeCost, Cost: p.ValidationCost,
		}
	}
	for _, s := range d.Slices {
		if s.TooSmall == "" {
			m.Slices = append(m.Slices, sliceOf(s))
		}
	}
	if d.Data != nil {
		m.Data = dataOf(d.Data)
	}
	if d.Drift != nil {
		m.Drift = driftOf(d.Drift)
	}
}

func judgement(j *evaluation.Judgement) *eventv1.Metrics {
	values := map[string]float64{}
	for name, m := range j.Metrics {
		values[name] = m.Value
	}
	m := metrics(values)
	m.AveragePrecision, m.CalibrationError = j.AveragePrecision, j.Calibration.Error
	if j.Calibration.Slope != nil {
		m.CalibrationSlope, m.CalibrationIntercept = *j.Calibration.Slope, *j.Calibration.Intercept
	}
	return m
}

func metrics(values map[string]float64) *eventv1.Metrics {
	value := func(m stat.Metric) float64 { return values[m.String()] }
	return &eventv1.Metrics{
		Auc: value(stat.AUC), Accuracy: value(stat.Accuracy), F1: value(stat.F1), Precision: value(stat.Precision),
		Recall: value(stat.Recall), LogLoss: value(stat.LogLoss), Brier: value(stat.Brier), Ks: value(stat.KS),
	}
}

func comparison(c *evaluation.Comparison) *eventv1.Comparison {
	of := func(m stat.Metric) *eventv1.Difference {
		d := c.Differences[m.String()]
		return &eventv1.Difference{Value: d.Value, Error: d.Error, Low: d.Low, High: d.High}
	}
	return &eventv1.Comparison{
		AucDifference: c.Differences[stat.AUC.String()].Value, AucError: c.AUCError,
		OnlyCandidate: c.McNemar.OnlyCandidate, OnlyChampion: c.McNemar.OnlyChampion, McnemarP: c.McNemar.P,
		Auc: of(stat.AUC), Accuracy: of(stat.Accuracy), F1: of(stat.F1), Precision: of(stat.Precision), Recall: of(stat.Recall),
		LogLoss: of(stat.LogLoss), Brier: of(stat.Brier), Ks: of(stat.KS),
	}
}

func sliceOf(s evaluation.Slice) *eventv1.Slice {
	out := &eventv1.Slice{Column: s.Column, Value: s.Value, Rows: s.Rows, Positives: s.Positives, Metrics: metrics(s.Candidate)}
	if s.Champion != nil {
		out.ChampionMetrics, out.Auc, out.Accuracy = metrics(s.Champion), message(s.AUC), message(s.Accuracy)
	}
	return out
}

func message(d *evaluation.Difference) *eventv1.Difference {
	return &eventv1.Difference{Value: d.Value, Error: d.Error, Low: d.Low, High: d.High}
}

func dataOf(d *evaluation.Data) *eventv1.DataQuality {
	out := &eventv1.DataQuality{Rows: d.Rows, PositiveRate: d.PositiveRate, DuplicateShare: d.DuplicateShare}
	for _, c := range d.Columns {
		out.Columns = append(out.Columns, &eventv1.ColumnQuality{Name: c.Name, MissingShare: c.MissingShare})
	}
	return out
}

func driftOf(d *evaluation.Drift) *eventv1.Drift {
	out := &eventv1.Drift{ChampionVersion: d.ChampionVersion, Level: d.Level, Drifted: int32(d.Drifted)}
	for _, c := range d.Columns {
		out.Columns = append(out.Columns, &eventv1.ColumnDrift{
			Name: c.Name, Psi: c.PSI, PsiP: c.PSIP, Ks: c.KS, KsP: c.KSP, Q: c.Q, Drifted: c.Drifted,
			Unseen: c.Unseen, UnseenRows: c.UnseenRows,
		})
	}
	return out
}
