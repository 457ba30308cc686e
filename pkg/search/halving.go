package search

import eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"

// Successive halving (Jamieson and Talwalkar, AISTATS 2016): all trials train for
// few iterations, the best of them for more, and so on, until one is left, which
// trains for as many as it asks for. A round of it is a rung.

// Rungs returns how many rungs the search has: one without halving.
func Rungs(s *eventv1.Search) int {
	rungs := 1
	for n := int(s.GetTrials()); s.GetHalving() > 1 && n > 1; rungs++ {
		n = Survivors(s, n)
	}
	return rungs
}

// Survivors returns how many of a rung's n trials that came to a model go on: all
// but a share of them, and at least one.
func Survivors(s *eventv1.Search, n int) int {
	keep := max(1, int(s.GetHalving()))
	return (n + keep - 1) / keep
}

// Iterations returns how many of the iterations that a trial asks for it trains in
// a rung, from 0.
func Iterations(s *eventv1.Search, asked int32, rung int) int32 {
	for range Rungs(s) - 1 - rung {
		asked = (asked + s.GetHalving() - 1) / s.GetHalving()
	}
	return max(1, asked)
}
