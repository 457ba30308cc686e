package trainer

import (
	"math"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// aTrial makes the setting's event one of a search's trials.
func (s *setting) aTrial(edit func(*eventv1.FeaturesReady)) {
	m := s.message()
	m.Trial, m.Trials = 3, 8
	m.GetPlan().Search = &eventv1.Search{
		Trials: 8, Strategy: "random", Dimensions: []*eventv1.Dimension{{Parameter: "num_leaves", Low: 3, High: 31}},
	}
	m.Training = &eventv1.Training{
		NumLeaves: 5, LearningRate: 0.2, NumIterations: 4, MinDataInLeaf: 20, FeatureFraction: 1, BaggingFraction: 1, MaxBin: 63, Seed: 7,
	}
	edit(m)
}

// A trial trains with its own settings, and its rung has a place of its own.
func TestATrialHasItsOwnSettings(t *testing.T) {
	s := newSetting(t, whole(t))
	s.aTrial(func(m *eventv1.FeaturesReady) { m.Rung = 2 })
	_, m := s.handle(t.Context(), t)
	var d Document
	s.decode(t, m.GetCandidate().GetTraining(), &d)
	if d.Parameters != lightgbm.ParamsOf(s.message().GetTraining()) || m.GetCandidate().GetIterations() != 4 || d.Rung != 2 {
		t.Errorf("trained with %+v", d)
	}
	if m.GetTrial() != 3 || m.GetRung() != 2 || m.GetTraining().GetNumLeaves() != 5 || m.GetCandidate().GetFoldsAuc() != 0 {
		t.Errorf("%v", m)
	}
	if want := "/trainer/trial-3-rung-2/model.txt"; !strings.HasSuffix(m.GetCandidate().GetModel().GetUri(), want) {
		t.Errorf("the model is %s", m.GetCandidate().GetModel().GetUri())
	}
}

// The folds are all training and validation rows, each once; the mean over them is what the event says.
func TestFolds(t *testing.T) {
	s := newSetting(t, whole(t))
	s.aTrial(func(m *eventv1.FeaturesReady) { m.GetPlan().GetSearch().Folds = 3 })
	in, err := s.read(t.Context(), s.message().GetFeatures())
	if err != nil {
		t.Fatal(err)
	}
	split, err := in.split(3, "")
	if err != nil {
		t.Fatal(err)
	}
	f := s.message().GetFeatures()
	all := int(f.GetTrainRows() + f.GetValidationRows())
	for fold := range split.rows {
		data := in.fold(fold, split)
		var seen [2]int
		for c, err := range data.Chunks() {
			if err != nil {
				t.Fatal(err)
			}
			seen[c.Set] += len(c.Y)
		}
		if seen != data.Rows || seen[lightgbm.Train]+seen[lightgbm.Validation] != all || math.Abs(float64(split.rows[fold])-float64(all)/3) > 100 {
			t.Errorf("fold %d has %v of %d rows, announced as %v", fold, seen, all, data.Rows)
		}
	}
	_, m := s.handle(t.Context(), t)
	var d Document
	s.decode(t, m.GetCandidate().GetTraining(), &d)
	if len(d.FoldsAUC) != 3 {
		t.Fatalf("%v", d.FoldsAUC)
	}
	mean := (d.FoldsAUC[0] + d.FoldsAUC[1] + d.FoldsAUC[2]) / 3
	if math.Abs(m.GetCandidate().GetFoldsAuc()-mean) > 1e-15 || mean < 0.75 || mean == m.GetCandidate().GetValidationAuc() {
		t.Errorf("the folds are %v, the event says %v", d.FoldsAUC, m.GetCandidate().GetFoldsAuc())
	}
}

// A trial that is given up has failed, and its run goes on; without other trials
// the run fails.
func TestGivenUp(t *testing.T) {
	s := newSetting(t, whole(t))
	why := &eventv1.RunFailed{Kind: "transient", Operation: "worker.Train", Message: "killed for want of memory"}
	if _, ok := gaveUp(s.event, why); ok {
		t.Error("the only training has failed, and its run goes on")
	}
	s.aTrial(func(*eventv1.FeaturesReady) {})
	answer, ok := gaveUp(s.event, why)
	if !ok || event.Validate(answer) != nil {
		t.Fatalf("%v, %v", answer, event.Validate(answer))
	}
	m := answer.Data.(*eventv1.ModelTrained)
	if m.GetTrial() != 3 || m.GetFailure().GetMessage() != why.GetMessage() || m.GetFailure().GetKind() != "transient" || m.GetCandidate() != nil {
		t.Errorf("%v", m)
	}
	success, _ := s.handle(t.Context(), t)
	if answer.ID != success.ID || answer.Key != success.Key || answer.Topic != churn.ModelTrained {
		t.Errorf("the failure is event %s with key %s, a success would be %s with %s", answer.ID, answer.Key, success.ID, success.Key)
	}
	s.message().Features = nil
	if _, ok := gaveUp(s.event, why); ok {
		t.Error("an event that is no trial is answered as one")
	}
}
