package feature

import "math"

// Moments are the running moments of numbers: their count, mean and deviation.
// They are taken of the distances from the first number, so that a large offset,
// as of timestamps, costs no digits. Products are rounded before they are added,
// on processors that could do both in one, too: every machine gets the same.
//
// Welford, B. P. (1962), Note on a method for calculating corrected sums of
// squares and products, Technometrics 4(3).
type Moments struct {
	count   int64
	first   float64
	mean    float64 // of the distances
	squares float64 // sum of the squared deviations
}

// Add takes in a number.
func (m *Moments) Add(v float64) {
	if m.count == 0 {
		m.first = v
	}
	m.count++
	v -= m.first
	delta := v - m.mean
	m.mean += delta / float64(m.count)
	m.squares += float64(delta * (v - m.mean))
}

// addMany takes in the same number k times, by the pairwise update of Chan,
// Golub and LeVeque (1983), The American Statistician 37(3).
func (m *Moments) addMany(v float64, k int64) {
	if k == 0 {
		return
	}
	if m.count == 0 {
		m.first = v
	}
	n, delta := float64(m.count), v-m.first-m.mean
	total := n + float64(k)
	m.mean += float64(delta * float64(k) / total)
	m.squares += float64(delta * delta * n * float64(k) / total)
	m.count += k
}

// Count returns how many numbers there are.
func (m *Moments) Count() int64 { return m.count }

// Mean returns their mean; 0 of no numbers.
func (m *Moments) Mean() float64 { return m.first + m.mean }

// Deviation returns their standard deviation, as of a population; NaN of no
// numbers.
func (m *Moments) Deviation() float64 { return math.Sqrt(m.squares / float64(m.count)) }
