package generate

import "math/rand/v2"

// dice draws by integers alone: the last bits of floating-point functions may
// differ between processors. Scores and noise are in points; 100 points are one
// standard deviation of the noise.
type dice struct{ rng *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0))} }

// below returns a uniform integer in [0, n), n > 0.
func (d dice) below(n int) int { return d.rng.IntN(n) }

// between returns a uniform integer in [lo, hi].
func (d dice) between(lo, hi int) int { return lo + d.below(hi-lo+1) }

// noise returns a nearly normal integer with mean 0 and standard deviation 100:
// the sum of twelve uniform ones (Irwin-Hall), each of mean 49.5 and variance
// (100²-1)/12.
func (d dice) noise() int {
	sum := -12 * 99 / 2
	for range 12 {
		sum += d.below(100)
	}
	return sum
}

// likely is true with probability Φ(score/100): a probit model. A score of 0
// is an even chance, -100 is 16 %, -200 is 2 %.
func (d dice) likely(score int) bool { return score+d.noise() > 0 }
