package event

import (
	"math"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// limits of one of LightGBM's parameters: LightGBM's own, and above them what
// keeps one run within a machine. A low that is open is not itself allowed.
type limits struct {
	low, high float64
	open      bool
}

var trainingLimits = map[string]limits{
	"num_leaves":           {low: 2, high: 131072},
	"learning_rate":        {low: 0, high: 10, open: true},
	"num_iterations":       {low: 1, high: 100000},
	"early_stopping_round": {low: 0, high: 100000},
	"min_data_in_leaf":     {low: 0, high: math.MaxInt32},
	"feature_fraction":     {low: 0, high: 1, open: true},
	"bagging_fraction":     {low: 0, high: 1, open: true},
	"bagging_freq":         {low: 0, high: math.MaxInt32},
	"lambda_l1":            {low: 0, high: maxNumber},
	"lambda_l2":            {low: 0, high: maxNumber},
	"max_bin":              {low: 2, high: 65535},
}

// training checks the resolved settings. Seeds may be any number.
func (c *checker) training(t *eventv1.Training) {
	if t == nil {
		c.fail("training", "is missing")
		return
	}
	c.in("training")
	defer c.out()
	c.parameter("num_leaves", float64(t.GetNumLeaves()))
	c.parameter("learning_rate", t.GetLearningRate())
	c.parameter("num_iterations", float64(t.GetNumIterations()))
	c.parameter("early_stopping_round", float64(t.GetEarlyStoppingRound()))
	c.parameter("min_data_in_leaf", float64(t.GetMinDataInLeaf()))
	c.parameter("feature_fraction", t.GetFeatureFraction())
	c.parameter("bagging_fraction", t.GetBaggingFraction())
	c.parameter("bagging_freq", float64(t.GetBaggingFreq()))
	c.parameter("lambda_l1", t.GetLambdaL1())
	c.parameter("lambda_l2", t.GetLambdaL2())
	c.parameter("max_bin", float64(t.GetMaxBin()))
}

// trainingOverrides checks the settings that a request sets.
func (c *checker) trainingOverrides(t *eventv1.TrainingOverrides) {
	c.in("training")
	defer c.out()
	c.overInt("num_leaves", t.NumLeaves)
	c.over("learning_rate", t.LearningRate, c.parameter)
	c.overInt("num_iterations", t.NumIterations)
	c.overInt("early_stopping_round", t.EarlyStoppingRound)
	c.overInt("min_data_in_leaf", t.MinDataInLeaf)
	c.over("feature_fraction", t.FeatureFraction, c.parameter)
	c.over("bagging_fraction", t.BaggingFraction, c.parameter)
	c.overInt("bagging_freq", t.BaggingFreq)
	c.over("lambda_l1", t.LambdaL1, c.parameter)
	c.over("lambda_l2", t.LambdaL2, c.parameter)
	c.overInt("max_bin", t.MaxBin)
}

func (c *checker) parameter(field string, v float64) {
	l := trainingLimits[field]
	if l.open && v == l.low {
		c.fail(field, "is %v: it must be above %v", v, l.low)
		return
	}
	c.within(field, v, l.low, l.high)
}

// over checks a number if the request sets it.
func (c *checker) over(field string, v *float64, check func(string, float64)) {
	if v != nil {
		check(field, *v)
	}
}

func (c *checker) overInt(field string, v *int32) {
	if v != nil {
		c.parameter(field, float64(*v))
	}
}
