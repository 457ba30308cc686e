package evaluator

import (
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/stat"
)

// operatingPoint cuts the scores where the validation rows cost least, and says
// what that does on the hold-out, which has no part in the choice. Without a
// declared cost there is none.
func operatingPoint(validation, holdout *stat.Sample, cost *dataset.Cost) *evaluation.OperatingPoint {
	if cost == nil || validation == nil {
		return nil
	}
	threshold, _ := validation.Cheapest(cost.FalsePositive, cost.FalseNegative)
	threshold = min(threshold, 1) // above it lies nothing that a score of exactly 1 would be cut off by
	return &evaluation.OperatingPoint{
		Threshold: threshold, FalsePositiveCost: cost.FalsePositive, FalseNegativeCost: cost.FalseNegative,
		ValidationCost: validation.Cost(threshold, cost.FalsePositive, cost.FalseNegative),
		HoldoutCost:    holdout.Cost(threshold, cost.FalsePositive, cost.FalseNegative),
		HalfCost:       holdout.Cost(evaluation.Threshold, cost.FalsePositive, cost.FalseNegative),
		Confusion:      holdout.Confusion(threshold),
	}
}
