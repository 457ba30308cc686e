package evaluator

import (
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
)

// Config is what an evaluation is made with. All of it feeds the artifacts'
// digests, so it comes from the code and not from the environment: an
// evaluation can be repeated anywhere.
type Config struct {
	Level      float64 // of every interval
	Replicates int     // of the bootstrap
	MaxDraws   int     // most rows drawn in all: a large hold-out has fewer replicates
	Bins       int     // of the calibration
	Tolerance  float64 // of the parity check
	DriftLevel float64 // of the false discovery rate over columns
}

// minReplicates is as few as a percentile interval at 95 % can be read off.
const minReplicates = 200

// Default returns the configuration in use: 95 % intervals from 2,000
// replicates, fewer from 100,000 rows on, whose intervals are narrow anyway.
func Default() Config {
	return Config{Level: evaluation.Level, Replicates: 2000, MaxDraws: 200e6, Bins: evaluation.Bins, Tolerance: 1e-12, DriftLevel: 0.05}
}

// Validate returns an Invalid error that names the first field that is wrong.
func (c Config) Validate() error {
	const op = "evaluator.Validate"
	switch {
	case !(c.Level > 0 && c.Level < 1):
		return churn.Errorf(op, churn.Invalid, "Level is %v, not between 0 and 1", c.Level)
	case c.Replicates < minReplicates:
		return churn.Errorf(op, churn.Invalid, "Replicates is %d, less than %d", c.Replicates, minReplicates)
	case c.Bins < 1 || c.Bins > 100:
		return churn.Errorf(op, churn.Invalid, "Bins is %d, not between 1 and 100", c.Bins)
	case !(c.DriftLevel > 0 && c.DriftLevel < 1):
		return churn.Errorf(op, churn.Invalid, "DriftLevel is %v, not between 0 and 1", c.DriftLevel)
	case !(c.Tolerance >= 0):
		return churn.Errorf(op, churn.Invalid, "Tolerance is %v, not a number from 0", c.Tolerance)
	}
	return nil
}

// replicates returns the number of bootstrap replicates for a hold-out.
func (c Config) replicates(rows int) int {
	return min(c.Replicates, max(c.MaxDraws/rows, minReplicates))
}
