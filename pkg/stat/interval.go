package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a confidence interval.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Wilson returns the score interval of a proportion k/n (Wilson, JASA 22
// (1927) 209–212): unlike the normal approximation it stays within [0, 1] and
// keeps its coverage for small n. Without rows it is [0, 1].
func Wilson(k, n int64, level float64) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	z, p, rows := normalQuantile(level), float64(k)/float64(n), float64(n)
	denominator := 1 + z*z/rows
	centre := (p + z*z/(2*rows)) / denominator
	half := z / denominator * math.Sqrt(p*(1-p)/rows+z*z/(4*rows*rows))
	i := Interval{max(0, centre-half), min(1, centre+half)}
	if k == 0 {
		i.Low = 0 // exactly, not by luck of rounding
	}
	if k == n {
		i.High = 1
	}
	return i
}

// Percentile returns the percentile interval of bootstrap replicates (Efron
// and Tibshirani, An Introduction to the Bootstrap, ch. 13), by the quantiles that
// scipy takes. It sorts values.
func Percentile(values []float64, level float64) Interval {
	slices.Sort(values)
	tail := (1 - level) / 2
	return Interval{quantile(values, tail), quantile(values, 1-tail)}
}

// quantile returns the p-quantile of sorted values, 0 ≤ p ≤ 1, so that the first
// and the last are those of 0 and 1, and between two there is a straight line
// (Hyndman and Fan, American Statistician 50 (1996) 361–365, definition 7).
func quantile(sorted []float64, p float64) float64 {
	whole, part := math.Modf(p * float64(len(sorted)-1))
	i := int(whole)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + float64(part*(sorted[i+1]-sorted[i]))
}

// normalQuantile returns z with P(|Z| < z) = level.
func normalQuantile(level float64) float64 {
	return distuv.UnitNormal.Quantile((1 + level) / 2)
}
