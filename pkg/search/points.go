package search

import (
	"math/bits"
	"math/rand/v2"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// random returns a trial's point from a stream of its own.
func random(seed uint64, trial, dimension int) float64 {
	pcg := rand.New(rand.NewPCG(seed, uint64(trial)<<8|uint64(dimension))) //nolint:gosec // chance that is to be the same again
	return pcg.Float64()
}

// gridPoints returns the points of the whole grid, the last dimension's values
// changing first: the middle of each value's share of [0, 1).
func gridPoints(s *eventv1.Search) func(trial, dimension int) float64 {
	return func(trial, dimension int) float64 {
		for i := len(s.GetDimensions()) - 1; i > dimension; i-- {
			trial /= len(s.GetDimensions()[i].GetValues())
		}
		n := len(s.GetDimensions()[dimension].GetValues())
		return (float64(trial%n) + 0.5) / float64(n)
	}
}

// GridSize returns how many points the grid has: 0 if a dimension is a range,
// of which there is no end, and at most one more than trials are allowed.
func GridSize(s *eventv1.Search) int {
	size := 1
	for _, d := range s.GetDimensions() {
		if size *= len(d.GetValues()); size > MaxTrials {
			return MaxTrials + 1
		}
	}
	return size
}

// sobol returns the point of the Sobol sequence (Zh. Vych. Mat. Mat. Fiz. 7
// (1967) 784–802) with the direction numbers of Joe and Kuo (SIAM J. Sci. Comput.
// 30 (2008) 2635–2654, new-joe-kuo-6): that of scipy.stats.qmc.Sobol without
// scrambling.
func sobol(n, dimension int) float64 {
	gray := uint32(n) ^ uint32(n)>>1 //nolint:gosec // at most MaxTrials
	var x uint32
	for bit := 0; gray != 0; bit++ {
		if gray&1 == 1 {
			x ^= directions[dimension][bit]
		}
		gray >>= 1
	}
	return float64(x) / (1 << sobolBits)
}

// sobolBits is how many bits a point has: enough for MaxTrials by far.
const sobolBits = 30

// joeKuo are the primitive polynomials and initial direction numbers of the
// dimensions from the second on.
var joeKuo = [MaxDimensions - 1]struct {
	degree int
	a      uint32
	m      []uint32
}{
	{1, 0, []uint32{1}},
	{2, 1, []uint32{1, 3}},
	{3, 1, []uint32{1, 3, 1}},
	{3, 2, []uint32{1, 1, 1}},
	{4, 1, []uint32{1, 1, 3, 3}},
	{4, 4, []uint32{1, 3, 5, 13}},
	{5, 2, []uint32{1, 1, 5, 5, 17}},
	{5, 4, []uint32{1, 1, 5, 5, 5}},
	{5, 7, []uint32{1, 1, 7, 11, 19}},
	{5, 11, []uint32{1, 1, 5, 1, 1}},
	{5, 13, []uint32{1, 1, 1, 3, 11}},
}

// directions are the direction numbers, shifted to the top of sobolBits.
var directions = func() (v [MaxDimensions][sobolBits]uint32) {
	for i := range sobolBits {
		v[0][i] = 1 << (sobolBits - 1 - i)
	}
	for j, p := range joeKuo {
		d := &v[j+1]
		for i := range sobolBits {
			if i < p.degree {
				d[i] = p.m[i] << (sobolBits - 1 - i)
				continue
			}
			d[i] = d[i-p.degree] ^ d[i-p.degree]>>p.degree
			for k := 1; k < p.degree; k++ {
				if bits.RotateLeft32(p.a, -(p.degree-1-k))&1 == 1 {
					d[i] ^= d[i-k]
				}
			}
		}
	}
	return v
}()
