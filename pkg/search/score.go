package search

import (
	"cmp"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Score is what trials are chosen by, never the hold-out: the mean AUC over the
// folds if there are any, and otherwise the AUC on the validation rows; 0 without a
// model.
func Score(m *eventv1.TrainedModel) float64 {
	return cmp.Or(m.GetFoldsAuc(), m.GetValidationAuc())
}
