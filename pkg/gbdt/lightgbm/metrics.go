package lightgbm

import (
	"math"

	"github.com/asfotec/churn/pkg/churn"
)

// validationData is the booster's number for its first validation set.
const validationData = 1

// auc returns LightGBM's AUC on the validation rows.
func (s *session) auc() (float64, error) {
	var value float64 // there is one metric, see fixed
	var n int32
	err := s.check("Eval", s.boosterEval(s.booster, validationData, &n, &value))
	return value, err
}

// logLoss returns the mean negative log likelihood of the validation rows. It is
// summed here, in the order of the rows: LightGBM sums by thread, so that the
// last digits of its own depend on how many there are.
func (s *session) logLoss() (float64, error) {
	if s.scores == nil {
		s.scores = make([]float64, len(s.labels))
	}
	var n int64
	if err := s.check("GetPredict", s.boosterScores(s.booster, validationData, &n, &s.scores[0])); err != nil {
		return 0, err
	}
	if int(n) != len(s.scores) {
		return 0, churn.Errorf("lightgbm.Train", churn.Internal, "LightGBM gives %d scores for %d validation rows", n, len(s.scores))
	}
	sum := 0.0
	for i, score := range s.scores {
		if s.labels[i] == 0 {
			score = 1 - score
		}
		sum -= math.Log(max(score, leastProbability))
	}
	return sum / float64(len(s.scores)), nil
}

// leastProbability keeps a wrong certainty from costing infinitely much. It is
// LightGBM's own bound.
const leastProbability = 1e-15
