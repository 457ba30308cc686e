package lightgbm

import (
	"math"
	"strconv"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Params are the parameters of one training, by LightGBM's names.
type Params struct {
	NumLeaves          int32   `json:"num_leaves"`
	LearningRate       float64 `json:"learning_rate"`
	NumIterations      int32   `json:"num_iterations"`
	EarlyStoppingRound int32   `json:"early_stopping_round"` // 0: train all iterations and keep them
	MinDataInLeaf      int32   `json:"min_data_in_leaf"`
	FeatureFraction    float64 `json:"feature_fraction"`
	BaggingFraction    float64 `json:"bagging_fraction"`
	BaggingFreq        int32   `json:"bagging_freq"`
	LambdaL1           float64 `json:"lambda_l1"`
	LambdaL2           float64 `json:"lambda_l2"`
	MaxBin             int32   `json:"max_bin"`
	Seed               int32   `json:"seed"`
}

// ParamsOf returns the parameters that an event asks for.
func ParamsOf(t *eventv1.Training) Params {
	return Params{
		NumLeaves:          t.GetNumLeaves(),
		LearningRate:       t.GetLearningRate(),
		NumIterations:      t.GetNumIterations(),
		EarlyStoppingRound: t.GetEarlyStoppingRound(),
		MinDataInLeaf:      t.GetMinDataInLeaf(),
		FeatureFraction:    t.GetFeatureFraction(),
		BaggingFraction:    t.GetBaggingFraction(),
		BaggingFreq:        t.GetBaggingFreq(),
		LambdaL1:           t.GetLambdaL1(),
		LambdaL2:           t.GetLambdaL2(),
		MaxBin:             t.GetMaxBin(),
		Seed:               t.GetSeed(),
	}
}

// param is one parameter as LightGBM takes it, with the range that makes sense.
// LightGBM itself corrects or ignores much of what is out of range.
type param struct {
	name      string
	value     float64
	low, high float64
	aboveLow  bool // low itself is out
}

func (p Params) list() []param {
	return []param{
		{"num_leaves", float64(p.NumLeaves), 2, 131072, false},
		{"learning_rate", p.LearningRate, 0, 10, true},
		{"num_iterations", float64(p.NumIterations), 1, 100000, false},
		{"min_data_in_leaf", float64(p.MinDataInLeaf), 0, math.MaxInt32, false},
		{"feature_fraction", p.FeatureFraction, 0, 1, true},
		{"bagging_fraction", p.BaggingFraction, 0, 1, true},
		{"bagging_freq", float64(p.BaggingFreq), 0, math.MaxInt32, false},
		{"lambda_l1", p.LambdaL1, 0, math.MaxFloat64, false},
		{"lambda_l2", p.LambdaL2, 0, math.MaxFloat64, false},
		{"max_bin", float64(p.MaxBin), 2, 65535, false},
		{"seed", float64(p.Seed), math.MinInt32, math.MaxInt32, false},
	}
}

// Validate returns an Invalid error for the first parameter out of range.
func (p Params) Validate() error {
	const op = "lightgbm.Validate"
	for _, q := range append(p.list(), param{"early_stopping_round", float64(p.EarlyStoppingRound), 0, 100000, false}) {
		switch {
		case math.IsNaN(q.value), q.value < q.low, q.value > q.high, q.aboveLow && q.value == q.low:
			low := "from"
			if q.aboveLow {
				low = "above"
			}
			return churn.Errorf(op, churn.Invalid, "%s is %v: it must be %s %v and at most %v", q.name, q.value, low, q.low, q.high)
		}
	}
	if p.BaggingFraction < 1 && p.BaggingFreq == 0 {
		return churn.Errorf(op, churn.Invalid, "bagging_fraction %v has no effect while bagging_freq is 0: set bagging_freq to 1 or more", p.BaggingFraction)
	}
	return nil
}

// fixed are the parameters that every training has. num_threads is not among
// them: it would be written into the model text. There is one metric, see auc.
const fixed = "objective=binary metric=auc deterministic=true force_row_wise=true verbosity=-1"

// String returns the parameters as LightGBM's C API takes them. Early stopping
// is not its part but Train's.
func (p Params) String() string {
	var b strings.Builder
	b.WriteString(fixed)
	for _, q := range p.list() {
		b.WriteString(" " + q.name + "=" + number(q.value))
	}
	return b.String()
}

// number writes a whole number without an exponent: LightGBM's integers have
// none.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) <= math.MaxUint32 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// parallelFrom is how many rows it takes for a second thread to pay: below,
// threads cost more than they bring, and far more on a busy machine.
const parallelFrom = 50_000

// Threads returns how many threads to train that many rows with, at most limit.
func Threads(rows, limit int) int {
	if rows < parallelFrom {
		return 1
	}
	return max(1, limit)
}
