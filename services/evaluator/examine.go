package evaluator

import (
	"fmt"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// examine finds out what needs no resampling: calibration, operating point, slices,
// data quality and drift.
func (v *Evaluator) examine(d *evaluation.Document, s *scored) error {
	if err := v.calibrate(&d.Candidate, s.candidate); err != nil {
		return err
	}
	if d.Champion != nil {
		if err := v.calibrate(&d.Champion.Judgement, s.champion); err != nil {
			return err
		}
	}
	d.OperatingPoint = operatingPoint(s.validation, s.candidate, s.spec.Cost)
	for _, of := range s.slices {
		judged, err := judgeSlice(of, s, s.spec.Slices, v.config.Level)
		if err != nil {
			return err
		}
		d.Slices = append(d.Slices, judged)
	}
	if s.profile != nil {
		d.Data = quality(s.profile)
	}
	if s.profile != nil && s.championProfile != nil {
		d.Drift = drift(d.Champion.Version, s.championProfile, s.profile, v.config.DriftLevel)
	}
	return nil
}

func (v *Evaluator) calibrate(j *evaluation.Judgement, s *stat.Sample) error {
	j.Calibration.Bins, j.Calibration.Error = s.Calibration(v.config.Bins, v.config.Level)
	slope, intercept, err := s.Recalibration()
	if churn.IsKind(err, churn.Invalid) {
		return nil // the classes do not overlap, and have no slope
	}
	j.Calibration.Slope, j.Calibration.Intercept = &slope, &intercept
	return err
}

// quality says what the data is like.
func quality(p *profile.Document) *evaluation.Data {
	all := p.Rows["all"]
	d := &evaluation.Data{
		Rows: all.Rows, PositiveRate: share(all.Positives, all.Rows), DuplicateShare: share(p.Duplicates.Rows, all.Rows),
		Columns: make([]evaluation.ColumnQuality, len(p.Columns)),
	}
	for i, c := range p.Columns {
		d.Columns[i] = evaluation.ColumnQuality{Name: c.Name, MissingShare: share(c.Blanks, all.Rows)}
	}
	return d
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// power is what a test of enough rows has: its chance to show what is so.
const power = 0.8

// tooFew returns a warning if the hold-out is too small for the gate's margin, even
// for the first of the candidates that are judged on it; else "".
func tooFew(c *evaluation.Comparison, gate *eventv1.Gate) string {
	if c == nil || gate.GetMargin() == 0 {
		return ""
	}
	detectable := stat.Estimate{Error: c.AUCError}.Detectable(gate.GetAlpha(), power)
	if detectable <= gate.GetMargin() {
		return ""
	}
	return fmt.Sprintf("The hold-out is too small for a margin of %v: with these rows a difference of AUC below %.4f is shown in fewer than %.0f of 100 cases.",
		gate.GetMargin(), detectable, 100*power)
}
