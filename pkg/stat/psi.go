package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// fewRows is how many rows a bin must be expected to have in each sample, for
	// its term to be about chi-squared (Cochran, Annals of Mathematical Statistics
	// 23 (1952) 315–345).
	fewRows = 5
	// half is what each bin is given where one of the terms would be infinite.
	half = 0.5
)

// PSI returns the population stability index of two samples, given by their rows
// in the same bins: Σ (aᵢ−eᵢ) ln(aᵢ/eᵢ) over the shares of the rows; and the
// probability of one so large if both are of one population. Then PSI/(1/n+1/m),
// of n and m rows, is about chi-squared with one degree of freedom less than
// there are bins (Yurdakul and Naranjo, Journal of Risk Model Validation 14(4)
// (2020) 89–100): the same index means much of many rows and nothing of few.
//
// Bins that would have fewer than five rows in one of the samples, were the rows
// of both spread alike, are taken together. If then a bin is empty in one of them,
// half a row is added to each bin of both. Without two bins the index is 0 and the
// probability 1.
func PSI(expected, actual []int64) (psi, p float64) {
	e, a := together(expected, actual)
	if len(e) < 2 {
		return 0, 1
	}
	fill(e, a)
	n, m := sum(e), sum(a)
	for i := range e {
		x, y := e[i]/n, a[i]/m
		psi += float64((y - x) * math.Log(y/x))
	}
	rows := 1/float64(total(expected)) + 1/float64(total(actual))
	return psi, distuv.ChiSquared{K: float64(len(e) - 1)}.Survival(psi / rows)
}

// together returns the bins that have enough rows, and behind them one of all the
// others if they have any.
func together(expected, actual []int64) (e, a []float64) {
	n, m := total(expected), total(actual)
	share := float64(min(n, m)) / float64(n+m)
	var fewE, fewA int64
	for i := range expected {
		if !(float64(expected[i]+actual[i])*share >= fewRows) {
			fewE, fewA = fewE+expected[i], fewA+actual[i]
			continue
		}
		e, a = append(e, float64(expected[i])), append(a, float64(actual[i]))
	}
	if fewE+fewA > 0 {
		e, a = append(e, float64(fewE)), append(a, float64(fewA))
	}
	return e, a
}

// fill adds half a row to each bin if one is empty.
func fill(e, a []float64) {
	for i := range e {
		if e[i] == 0 || a[i] == 0 {
			for j := range e {
				e[j], a[j] = e[j]+half, a[j]+half
			}
			return
		}
	}
}

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

func total(rows []int64) (n int64) {
	for _, r := range rows {
		n += r
	}
	return n
}
