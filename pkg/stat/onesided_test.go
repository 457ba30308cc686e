package stat_test

import (
	"math"
	"testing"

	"github.com/asfotec/churn/pkg/stat"
)

func TestPAbove(t *testing.T) {
	// scipy 1.17.1: norm.sf((value - bound) / error)
	for _, c := range []struct{ value, error, bound, want float64 }{
		{0.012, 0.005, 0, 0.008197535924596155},
		{0.012, 0.005, -0.01, 5.412543907703851e-06},
		{-0.004, 0.005, -0.01, 0.11506967022170822},
		{0, 0.005, 0, 0.5},
		{-0.02, 0.005, -0.01, 0.9772498680518208},
		{0, 0, -0.01, 0}, {0, 0, 0, 1}, {-0.01, 0, -0.01, 1}, {0.001, 0, 0, 0},
	} {
		if got := (stat.Estimate{Value: c.value, Error: c.error}).PAbove(c.bound); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v ± %v above %v: %v, want %v", c.value, c.error, c.bound, got, c.want)
		}
	}
}

func TestDetectable(t *testing.T) {
	// scipy 1.17.1: (norm.ppf(0.95) + norm.ppf(0.8)) * 0.005
	if got := (stat.Estimate{Error: 0.005}).Detectable(0.05, 0.8); math.Abs(got-0.012432374302622) > 1e-12 {
		t.Errorf("detectable is %.15f", got)
	}
}
