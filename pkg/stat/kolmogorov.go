package stat

import "math"

// KSTest returns the two-sample Kolmogorov–Smirnov distance of two samples, given
// by their rows in the same bins in order: the largest difference of their
// distribution functions; and the probability of one so large if both are of one
// population, by Kolmogorov's limiting distribution for many rows. Rows of one bin
// count as tied, which makes it conservative: differences within a bin are not
// seen, and a false alarm is less likely than p. Without rows in both the distance
// is 0 and the probability 1.
func KSTest(a, b []int64) (distance, p float64) {
	n, m := float64(total(a)), float64(total(b))
	if n == 0 || m == 0 {
		return 0, 1
	}
	var belowA, belowB int64
	for i := range a {
		belowA, belowB = belowA+a[i], belowB+b[i]
		distance = max(distance, math.Abs(float64(belowA)/n-float64(belowB)/m))
	}
	return distance, kolmogorov(math.Sqrt(n/(n+m)*m) * distance)
}

// kolmogorov returns the probability that the supremum of a Brownian bridge is
// above x: 2 Σ (−1)ᵏ⁻¹ exp(−2k²x²), or for small x, where that converges slowly,
// 1 − √(2π)/x Σ exp(−(2k−1)²π²/8x²) (Kolmogorov, Giornale dell'Istituto Italiano
// degli Attuari 4 (1933) 83–91). Four terms of either are exact at x = 1, and
// more so away from it.
func kolmogorov(x float64) float64 {
	const terms = 4
	if x == 0 {
		return 1
	}
	var s float64
	if x < 1 {
		for k := range terms {
			odd := float64(2*k + 1)
			s += math.Exp(-odd * odd * math.Pi * math.Pi / (8 * x * x))
		}
		return 1 - math.Sqrt(2*math.Pi)/x*s
	}
	sign := 1.0
	for k := range terms {
		j := float64(k + 1)
		s += sign * math.Exp(-2*j*j*x*x)
		sign = -sign
	}
	return 2 * s
}
