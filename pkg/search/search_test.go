package search_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/search"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func plan(s *eventv1.Search) *eventv1.Plan {
	return &eventv1.Plan{Search: s, Training: &eventv1.Training{
		NumLeaves: 64, LearningRate: 0.05, NumIterations: 500, MinDataInLeaf: 20, FeatureFraction: 1, Seed: 42,
	}}
}

func trials(t *testing.T, s *eventv1.Search) []*eventv1.Training {
	t.Helper()
	all, err := search.Trials(plan(s))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	leaves = &eventv1.Dimension{Parameter: "num_leaves", Low: 8, High: 128, Log: true}
	rate   = &eventv1.Dimension{Parameter: "learning_rate", Low: 0.01, High: 0.3, Log: true}
	share  = &eventv1.Dimension{Parameter: "feature_fraction", Values: []float64{0.5, 0.8, 1}}
)

func TestNoSearchIsOneTrial(t *testing.T) {
	all := trials(t, nil)
	if len(all) != 1 || !proto.Equal(all[0], plan(nil).GetTraining()) {
		t.Errorf("%v", all)
	}
}

// Every trial is within the search, has the plan's other settings, and is the
// same each time; the first is the plan's own.
func TestTrials(t *testing.T) {
	for _, strategy := range []string{search.Random, search.Sobol} {
		s := &eventv1.Search{Trials: 200, Strategy: strategy, Dimensions: []*eventv1.Dimension{leaves, rate, share}}
		all := trials(t, s)
		if !proto.Equal(all[0], plan(s).GetTraining()) {
			t.Errorf("%s: trial 0 is %v", strategy, all[0])
		}
		distinct, seeds, few := map[string]bool{}, map[int32]bool{}, 0
		for n, trial := range trials(t, s) {
			if !proto.Equal(trial, all[n]) {
				t.Fatalf("%s: trial %d is %v, and was %v", strategy, n, trial, all[n])
			}
			if l, r := trial.GetNumLeaves(), trial.GetLearningRate(); l < 8 || l > 128 || r < 0.01 || r > 0.3 || trial.GetMinDataInLeaf() != 20 {
				t.Errorf("%s: trial %d is %v", strategy, n, trial)
			}
			if trial.GetNumLeaves() < 32 {
				few++
			}
			distinct[trial.String()], seeds[trial.GetSeed()] = true, true
		}
		if len(distinct) != 200 || len(seeds) != 200 {
			t.Errorf("%s: %d distinct trials, %d seeds", strategy, len(distinct), len(seeds))
		}
		if few < 80 || few > 120 { // half of the range, as logarithms go
			t.Errorf("%s: %d of 200 have fewer than 32 leaves", strategy, few)
		}
	}
}

func TestGrid(t *testing.T) {
	s := &eventv1.Search{Trials: 6, Strategy: search.Grid, Dimensions: []*eventv1.Dimension{
		{Parameter: "num_leaves", Values: []float64{15, 31}}, share,
	}}
	var got []float64
	for _, trial := range trials(t, s) {
		got = append(got, float64(trial.GetNumLeaves()), trial.GetFeatureFraction())
	}
	for i, want := range []float64{15, 0.5, 15, 0.8, 15, 1, 31, 0.5, 31, 0.8, 31, 1} {
		if got[i] != want {
			t.Fatalf("%v", got)
		}
	}
}

func TestAgainstScipy(t *testing.T) {
	text, err := os.ReadFile("testdata/sobol.json")
	if err != nil {
		t.Fatal(err)
	}
	var want [][]float64
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for n, point := range want {
		for d, w := range point {
			if got := search.SobolPoint(n, d); got != w {
				t.Fatalf("point %d, dimension %d: %v, and scipy has %v", n, d, got, w)
			}
		}
	}
}

func TestWholeNumbersHaveEqualShares(t *testing.T) {
	s := &eventv1.Search{Trials: 4001, Strategy: search.Random, Dimensions: []*eventv1.Dimension{{Parameter: "min_data_in_leaf", Low: 1, High: 4}}}
	count := map[int32]int{}
	for _, trial := range trials(t, s)[1:] {
		count[trial.GetMinDataInLeaf()]++
	}
	for v := int32(1); v <= 4; v++ {
		if count[v] < 880 || count[v] > 1120 {
			t.Errorf("%d comes %d times of 4000", v, count[v])
		}
	}
	if len(count) != 4 {
		t.Errorf("%v", count)
	}
}

func TestMinTrials(t *testing.T) {
	for _, c := range []struct{ trials, asked, want int32 }{{16, 0, 15}, {5, 0, 5}, {16, 3, 3}, {1, 0, 1}} {
		if got := search.MinTrials(&eventv1.Search{Trials: c.trials, MinTrials: c.asked}); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestRefused(t *testing.T) {
	dims := func(d ...*eventv1.Dimension) []*eventv1.Dimension { return d }
	for say, s := range map[string]*eventv1.Search{
		"search.trials is 0":           {Strategy: search.Random, Dimensions: dims(rate)},
		"search.trials is 10001":       {Trials: 10_001, Strategy: search.Random, Dimensions: dims(rate)},
		"search.dimensions is empty":   {Trials: 2, Strategy: search.Random},
		"search.dimensions has 13":     {Trials: 2, Strategy: search.Random, Dimensions: make([]*eventv1.Dimension, 13)},
		"search.strategy is \"tpe\"":   {Trials: 2, Strategy: "tpe", Dimensions: dims(rate)},
		"search.min_trials is 3":       {Trials: 2, MinTrials: 3, Strategy: search.Random, Dimensions: dims(rate)},
		"search.folds is 1":            {Trials: 2, Folds: 1, Strategy: search.Random, Dimensions: dims(rate)},
		"search.halving is 11":         {Trials: 2, Halving: 11, Strategy: search.Random, Dimensions: dims(rate)},
		"is there twice":               {Trials: 2, Strategy: search.Random, Dimensions: dims(rate, rate)},
		"the grid has 3 points":        {Trials: 2, Strategy: search.Grid, Dimensions: dims(share)},
		"the grid has 0 points":        {Trials: 2, Strategy: search.Grid, Dimensions: dims(rate)},
		"these can: bagging_fraction,": {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "seed"})},
		"goes from 0.3 to 0.1":         {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "learning_rate", Low: 0.3, High: 0.1})},
		"goes from NaN to 0.1":         {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "learning_rate", Low: math.NaN(), High: 0.1})},
		"must begin above 0":           {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "lambda_l1", High: 1, Log: true})},
		"low 0 must be above 0 to 10":  {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "learning_rate", High: 1})},
		"value 1.5 must be a whole":    {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "bagging_freq", Values: []float64{1.5}})},
		"value +Inf must be from":      {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "lambda_l2", Values: []float64{math.Inf(1)}})},
		"has 1001 values":              {Trials: 2, Strategy: search.Random, Dimensions: dims(&eventv1.Dimension{Parameter: "lambda_l2", Values: make([]float64, 1001)})},
	} {
		_, err := search.Trials(plan(s))
		if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
}
