package stat

import "gonum.org/v1/gonum/stat/distuv"

// McNemar returns the two-sided p-value of McNemar's exact test (Psychometrika
// 12 (1947) 153–157): of the rows that exactly one of two classifiers gets
// right, is each as likely to be the first's as the second's? first and second
// are their numbers; the p-value is 2 P(X ≤ min(first, second)) for X binomial
// with probability ½, at most 1.
func McNemar(first, second int64) float64 {
	if first == second {
		return 1
	}
	b := distuv.Binomial{N: float64(first + second), P: 0.5}
	return min(1, 2*b.CDF(float64(min(first, second))))
}

// Disagreement counts the rows that only a, and only b, classifies rightly at
// threshold: the input of McNemar.
func Disagreement(a, b *Sample, threshold float64) (onlyA, onlyB int64, err error) {
	if err := samePopulation("stat.Disagreement", a, b); err != nil {
		return 0, 0, err
	}
	for i, positive := range a.labels {
		rightA := (a.scores[i] >= threshold) == positive
		rightB := (b.scores[i] >= threshold) == positive
		if rightA && !rightB {
			onlyA++
		}
		if rightB && !rightA {
			onlyB++
		}
	}
	return onlyA, onlyB, nil
}
