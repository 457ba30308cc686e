package event

import (
	"fmt"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// comparison may be missing: evaluators of before there was one leave it out.
func (c *checker) comparison(m *eventv1.ModelEvaluated) {
	p := m.GetComparison()
	if p == nil {
		return
	}
	c.in("comparison")
	defer c.out()
	if m.GetChampion() == nil {
		c.fail("auc_difference", "is of a champion that there is not")
	}
	c.within("auc_difference", p.GetAucDifference(), -1, 1)
	c.unit("auc_error", p.GetAucError())
	c.within("only_candidate", float64(p.GetOnlyCandidate()), 0, maxCount)
	c.within("only_champion", float64(p.GetOnlyChampion()), 0, maxCount)
	c.unit("mcnemar_p", p.GetMcnemarP())
	for _, d := range []struct {
		field string
		of    *eventv1.Difference
	}{
		{"auc", p.GetAuc()}, {"accuracy", p.GetAccuracy()}, {"f1", p.GetF1()}, {"precision", p.GetPrecision()}, {"recall", p.GetRecall()},
		{"log_loss", p.GetLogLoss()}, {"brier", p.GetBrier()}, {"ks", p.GetKs()},
	} {
		c.difference(d.field, d.of)
	}
}

// difference checks a difference, which may be missing.
func (c *checker) difference(field string, d *eventv1.Difference) {
	c.in(field)
	defer c.out()
	c.finite("value", d.GetValue())
	c.within("error", d.GetError(), 0, maxNumber)
	c.finite("low", d.GetLow())
	c.finite("high", d.GetHigh())
}

// findings checks what evaluators of before may leave out.
func (c *checker) findings(m *eventv1.ModelEvaluated) {
	for i, s := range m.GetSlices() {
		c.in(fmt.Sprintf("slices[%d]", i))
		c.slice(s)
		c.out()
	}
	if m.GetDrift() != nil {
		c.drift(m.GetDrift())
	}
	if m.GetData() != nil {
		c.data(m.GetData())
	}
	c.operatingPoint(m.GetOperatingPoint())
}

func (c *checker) slice(s *eventv1.Slice) {
	c.required("column", s.GetColumn())
	c.text("value", s.GetValue())
	c.within("rows", float64(s.GetRows()), 1, maxCount)
	c.within("positives", float64(s.GetPositives()), 0, maxCount)
	c.metrics("metrics", s.GetMetrics())
	if s.GetChampionMetrics() != nil {
		c.metrics("champion_metrics", s.GetChampionMetrics())
	}
	c.difference("auc", s.GetAuc())
	c.difference("accuracy", s.GetAccuracy())
}

func (c *checker) drift(d *eventv1.Drift) {
	c.in("drift")
	defer c.out()
	c.within("champion_version", float64(d.GetChampionVersion()), 1, maxCount)
	c.unit("level", d.GetLevel())
	c.within("drifted", float64(d.GetDrifted()), 0, float64(len(d.GetColumns())))
	for i, column := range d.GetColumns() {
		c.in(fmt.Sprintf("columns[%d]", i))
		c.required("name", column.GetName())
		c.within("psi", column.GetPsi(), 0, maxNumber)
		c.unit("psi_p", column.GetPsiP())
		c.unit("ks", column.GetKs())
		c.unit("ks_p", column.GetKsP())
		c.unit("q", column.GetQ())
		for _, category := range column.GetUnseen() {
			c.text("unseen", category)
		}
		c.within("unseen_rows", float64(column.GetUnseenRows()), 0, maxCount)
		c.out()
	}
}

func (c *checker) data(d *eventv1.DataQuality) {
	c.in("data")
	defer c.out()
	c.within("rows", float64(d.GetRows()), 1, maxCount)
	c.unit("positive_rate", d.GetPositiveRate())
	c.unit("duplicate_share", d.GetDuplicateShare())
	for i, column := range d.GetColumns() {
		c.in(fmt.Sprintf("columns[%d]", i))
		c.required("name", column.GetName())
		c.unit("missing_share", column.GetMissingShare())
		c.out()
	}
}

// operatingPoint checks where scores are cut, which may be missing.
func (c *checker) operatingPoint(p *eventv1.OperatingPoint) {
	c.in("operating_point")
	defer c.out()
	c.unit("threshold", p.GetThreshold())
	c.within("false_positive_cost", p.GetFalsePositiveCost(), 0, maxNumber)
	c.within("false_negative_cost", p.GetFalseNegativeCost(), 0, maxNumber)
	c.within("cost", p.GetCost(), 0, maxNumber)
}

func (c *checker) metrics(field string, m *eventv1.Metrics) {
	if m == nil {
		c.fail(field, "is missing")
		return
	}
	c.in(field)
	defer c.out()
	c.unit("auc", m.GetAuc())
	c.unit("accuracy", m.GetAccuracy())
	c.unit("f1", m.GetF1())
	c.within("log_loss", m.GetLogLoss(), 0, maxNumber)
	c.unit("brier", m.GetBrier())
	c.unit("ks", m.GetKs())
	c.unit("precision", m.GetPrecision())
	c.unit("recall", m.GetRecall())
	c.unit("average_precision", m.GetAveragePrecision())
	c.unit("calibration_error", m.GetCalibrationError())
	c.finite("calibration_slope", m.GetCalibrationSlope())
	c.finite("calibration_intercept", m.GetCalibrationIntercept())
}
