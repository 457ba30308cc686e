package stat

import (
	"math"

	"github.com/asfotec/churn/pkg/churn"
)

// Recalibration returns the slope and the intercept of the logistic regression
// of the labels on the scores' log odds (Cox, Biometrika 45 (1958) 562–565): 1
// and 0 of a calibrated model; a slope below 1 is of one that is too sure. Scores
// are kept 2⁻⁵² away from 0 and 1, as for the log loss.
//
// It is an Invalid error if the log odds of the classes do not overlap, or are all
// the same: then no finite slope fits best.
func (s *Sample) Recalibration() (slope, intercept float64, err error) {
	const op = "stat.Recalibration"
	f := s.newLogistic()
	if f.separated() {
		return 0, 0, churn.Errorf(op, churn.Invalid, "the scores of the %d positive and the %d negative rows do not overlap, or are all the same: no finite slope fits best",
			s.positives, s.negatives())
	}
	if !f.fit() {
		return 0, 0, churn.Errorf(op, churn.Invalid, "no convergence in %d steps: the scores of the %d positive and the %d negative rows hardly overlap",
			maxSteps, s.positives, s.negatives())
	}
	return f.slope, f.level - f.slope*f.centre, nil
}

const (
	// maxSteps is many more than Newton's method takes, which doubles the digits
	// with each.
	maxSteps = 100
	// converged is how much of the parameters' scale the last step may be.
	converged = 1e-12
	// even is how much lower the likelihood may be by rounding alone: at the top
	// it cannot tell the last steps from none.
	even = 1e-13
)

// logistic is a logistic regression on one input. The input is centred: its
// slope and the level at its mean hardly depend on each other, so Newton's
// equations are well conditioned.
type logistic struct {
	x       []float64 // log odds of each group, less centre; ascending
	of      *Sample
	rows    float64
	centre  float64
	spread  float64 // standard deviation of the log odds
	slope   float64
	level   float64
	current float64 // log likelihood a row at slope and level
}

func (s *Sample) newLogistic() *logistic {
	f := &logistic{x: make([]float64, len(s.ties)), of: s, rows: float64(s.Len())}
	for i := range f.x {
		f.x[i] = logOdds(s.group(i).score)
		f.centre += float64(f.weight(i) * f.x[i])
	}
	for i := range f.x {
		f.x[i] -= f.centre
		f.spread += float64(f.weight(i) * f.x[i] * f.x[i])
	}
	f.spread = math.Sqrt(f.spread)
	f.level = math.Log(float64(s.positives) / float64(s.negatives()))
	f.current = f.likelihood(f.slope, f.level)
	return f
}

// logOdds is that of the score clipped as logLoss does.
func logOdds(score float64) float64 {
	const epsilon = 0x1p-52
	score = min(max(score, epsilon), 1-epsilon)
	return math.Log(score / (1 - score))
}

// weight is the share of the rows that are in the group.
func (f *logistic) weight(i int) float64 {
	g := f.of.group(i)
	return float64(g.positives+g.negatives) / f.rows
}

// separated reports whether a threshold has all of one class on its one side and
// all of the other on its other, rows at the threshold aside: exactly then the
// likelihood has no maximum (Albert and Anderson, Biometrika 71 (1984) 1–10).
func (f *logistic) separated() bool {
	lowest, highest := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i := range f.x {
		g := f.of.group(i)
		for class, rows := range [2]int64{g.negatives, g.positives} {
			if rows > 0 {
				lowest[class], highest[class] = min(lowest[class], f.x[i]), max(highest[class], f.x[i])
			}
		}
	}
	return lowest[1] >= highest[0] || lowest[0] >= highest[1]
}

// fit goes to the maximum of the likelihood, which is concave, and reports
// whether it has got there.
func (f *logistic) fit() bool {
	for range maxSteps {
		slope, level := f.step()
		size := f.climb(slope, level) * max(math.Abs(slope)*f.spread, math.Abs(level))
		if size <= converged*max(1, math.Abs(f.slope)*f.spread, math.Abs(f.level)) {
			return true
		}
	}
	return false
}

// step returns Newton's step: the gradient of the log likelihood by the inverse
// of its information.
func (f *logistic) step() (slope, level float64) {
	var gx, g1, xx, x1, one float64
	for i, x := range f.x {
		g, p := f.of.group(i), sigmoid(f.slope*x+f.level)
		residual := (float64(g.positives) - float64(g.positives+g.negatives)*p) / f.rows
		v := f.weight(i) * p * (1 - p)
		gx += float64(residual * x)
		g1 += residual
		xx += float64(v * x * x)
		x1 += float64(v * x)
		one += v
	}
	determinant := float64(xx*one) - float64(x1*x1)
	if !(determinant > 0) {
		return 0, 0 // flat: rounding has eaten the curvature
	}
	return (float64(gx*one) - float64(g1*x1)) / determinant, (float64(g1*xx) - float64(gx*x1)) / determinant
}

// climb takes the step, or half of it and so on until it does not lead down, and
// returns which share of it that is: 0 if even the least leads down.
func (f *logistic) climb(slope, level float64) float64 {
	for share := 1.0; share >= 0x1p-30; share /= 2 {
		a, b := f.slope+float64(share*slope), f.level+float64(share*level)
		if next := f.likelihood(a, b); next >= f.current-even*(1+math.Abs(f.current)) {
			f.slope, f.level, f.current = a, b, next
			return share
		}
	}
	return 0
}

// likelihood returns the mean log likelihood of a row.
func (f *logistic) likelihood(slope, level float64) float64 {
	var sum float64
	for i, x := range f.x {
		g, z := f.of.group(i), slope*x+level
		sum -= float64(float64(g.positives)*softplus(-z)) + float64(float64(g.negatives)*softplus(z))
	}
	return sum / f.rows
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// softplus returns ln(1 + eᶻ).
func softplus(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }
