package stat

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/asfotec/churn/pkg/churn"
)

// Estimate is a value with its standard error, its interval, and the
// two-sided p-value of the value being zero.
type Estimate struct {
	Value    float64
	Error    float64
	Interval Interval
	P        float64
}

// DeLong returns the AUC with DeLong's standard error and an interval of the
// given level within [0, 1] (DeLong, DeLong and Clarke-Pearson, Biometrics 44
// (1988) 837–845). At an AUC of exactly 0 or 1 the variance, and so the
// interval, is nothing. With fewer than two rows of a class there is no
// variance: an Invalid error.
func (s *Sample) DeLong(level float64) (Estimate, error) {
	c, err := s.components("stat.DeLong")
	if err != nil {
		return Estimate{}, err
	}
	variance := stat.Variance(c.positives, nil)/float64(len(c.positives)) +
		stat.Variance(c.negatives, nil)/float64(len(c.negatives))
	e := estimate(c.auc, variance, level)
	e.Interval = Interval{max(0, e.Interval.Low), min(1, e.Interval.High)}
	return e, nil
}

// DeLongPaired returns the difference of the AUCs of a and b, two scores of
// the same rows, with DeLong's paired standard error, interval and test. If
// the two rank alike there is no variance, and P is 1.
func DeLongPaired(a, b *Sample, level float64) (Estimate, error) {
	const op = "stat.DeLongPaired"
	if err := samePopulation(op, a, b); err != nil {
		return Estimate{}, err
	}
	ca, err := a.components(op)
	if err != nil {
		return Estimate{}, err
	}
	cb, err := b.components(op)
	if err != nil {
		return Estimate{}, err
	}
	// The variance of the difference of two means is that of the mean of the
	// differences, so no covariance has to be taken off and cancel.
	variance := stat.Variance(difference(ca.positives, cb.positives), nil)/float64(len(ca.positives)) +
		stat.Variance(difference(ca.negatives, cb.negatives), nil)/float64(len(ca.negatives))
	return estimate(ca.auc-cb.auc, variance, level), nil
}

func estimate(value, variance, level float64) Estimate {
	e := Estimate{Value: value, Error: math.Sqrt(variance), P: 1}
	half := normalQuantile(level) * e.Error
	e.Interval = Interval{value - half, value + half}
	if e.Error > 0 {
		e.P = 2 * distuv.UnitNormal.Survival(math.Abs(value)/e.Error)
	} else if value != 0 {
		e.P = 0
	}
	return e
}

// components are DeLong's structural components, in row order within a class:
// for a positive the share of negatives below it, for a negative the share of
// positives above it, a tie counting one half.
type components struct {
	auc                  float64
	positives, negatives []float64
}

// components are the midrank differences of Sun and Xu (IEEE Signal
// Processing Letters 21 (2014) 1389–1393), read off the groups of equal
// scores: O(n) once sorted, where the definition is O(PN).
func (s *Sample) components(op string) (components, error) {
	positives, negatives := s.positives, s.negatives()
	if positives < 2 || negatives < 2 {
		return components{}, churn.Errorf(op, churn.Invalid,
			"%d positive and %d negative rows: the variance of the AUC needs two of each", positives, negatives)
	}
	byRow := make([]float64, s.Len())
	var pos, neg, pairs int64
	for i := range s.ties {
		g := s.group(i)
		below := float64(2*neg+g.negatives) / float64(2*negatives)
		above := float64(2*(positives-pos)-g.positives) / float64(2*positives)
		for _, row := range s.rows[g.begin:g.end] {
			if s.labels[row] {
				byRow[row] = below
			} else {
				byRow[row] = above
			}
		}
		pairs += g.positives * (2*neg + g.negatives)
		pos, neg = pos+g.positives, neg+g.negatives
	}
	c := components{
		auc:       float64(pairs) / (2 * float64(positives) * float64(negatives)),
		positives: make([]float64, 0, positives), negatives: make([]float64, 0, negatives),
	}
	for row, positive := range s.labels {
		if positive {
			c.positives = append(c.positives, byRow[row])
		} else {
			c.negatives = append(c.negatives, byRow[row])
		}
	}
	return c, nil
}

func difference(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
}

// samePopulation checks that the samples are scores of the same rows.
func samePopulation(op string, a, b *Sample) error {
	if a.Len() != b.Len() {
		return churn.Errorf(op, churn.Invalid, "paired samples have %d and %d rows", a.Len(), b.Len())
	}
	for i := range a.labels {
		if a.labels[i] != b.labels[i] {
			return churn.Errorf(op, churn.Invalid, "paired samples have different labels at row %d", i)
		}
	}
	return nil
}
