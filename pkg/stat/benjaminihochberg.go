package stat

import (
	"cmp"
	"slices"
)

// BenjaminiHochberg returns the q-value of each p-value, in the order given: the
// least false discovery rate at which it is still called a discovery (Benjamini
// and Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289–300).
func BenjaminiHochberg(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	q := make([]float64, len(p))
	least := 1.0
	for rank := len(order); rank > 0; rank-- {
		i := order[rank-1]
		least = min(least, p[i]*float64(len(p))/float64(rank))
		q[i] = least
	}
	return q
}
