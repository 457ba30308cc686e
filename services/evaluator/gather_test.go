package evaluator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/event"
	searching "github.com/asfotec/churn/pkg/search"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// trialsOf returns the answers of a search's trials, all with the artifacts of one
// model, and with the given scores; a trial with none has failed.
func (s *setting) trialsOf(t *testing.T, search *eventv1.Search, rung int, scores map[int32]float64) map[int32]event.Event {
	t.Helper()
	f := whole(t)
	one, message := s.event(t, "a search", f, train(t, f, params(7), dataset.Validation))
	plan := proto.CloneOf(message.GetPlan())
	plan.Search = search
	request := event.Event{ID: "a search", Type: churn.RetrainRequested.Type(), Source: "/test", Time: one.Time}
	out := map[int32]event.Event{}
	for n, score := range scores {
		ready := request.Reply(churn.Featurizer, churn.FeaturesReady, int(n)+1000*rung, churn.TrialKey(request.Run(), int(n)), &eventv1.FeaturesReady{})
		m := &eventv1.ModelTrained{
			Plan: plan, Features: message.GetFeatures(), Trial: n, Trials: search.GetTrials(), Rung: int32(rung),
			Training: proto.CloneOf(plan.GetTraining()),
		}
		m.Training.NumLeaves = 10 + n
		if score > 0 {
			m.Candidate = proto.CloneOf(message.GetCandidate())
			m.Candidate.ValidationAuc = score
		} else {
			m.Failure = &eventv1.TrialFailure{Kind: "invalid", Operation: "lightgbm.Train", Message: fmt.Sprintf("trial %d is cursed", n)}
		}
		out[n] = ready.Reply(churn.Trainer, churn.ModelTrained, 0, request.Run(), m)
		if err := event.Validate(out[n]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func searchOf(trials, minTrials, halving int32) *eventv1.Search {
	return &eventv1.Search{
		Trials: trials, Strategy: "random", MinTrials: minTrials, Halving: halving,
		Dimensions: []*eventv1.Dimension{{Parameter: "num_leaves", Low: 7, High: 63}},
	}
}

// answers handles the events in the order, and returns every event that followed.
func (s *setting) answers(t *testing.T, trials map[int32]event.Event, order []int32) (out []event.Event) {
	t.Helper()
	for _, n := range order {
		answer, err := s.Handle(t.Context(), trials[n])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, answer...)
	}
	return out
}

// In whatever order the trials come, and however often each, the one that was
// best on the validation rows is evaluated, by one and the same event.
func TestTrialsInAnyOrder(t *testing.T) {
	scores := map[int32]float64{0: 0.83, 1: 0.85, 2: 0, 3: 0.85, 4: 0.84}
	rng := rand.New(rand.NewPCG(1, 2))
	var first event.Event
	for range 4 {
		s := newSetting()
		trials := s.trialsOf(t, searchOf(5, 4, 0), 0, scores)
		order := []int32{0, 1, 2, 3, 4}
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		early := append(append([]int32{}, order[:3]...), order[:4]...) // some come twice
		if out := s.answers(t, trials, early); len(out) != 0 {
			t.Fatalf("after %v of the trials: %v", early, out)
		}
		out := s.answers(t, trials, order[4:])
		if len(out) != 1 || out[0].Topic != churn.ModelEvaluated {
			t.Fatalf("after %v: %v", order, out)
		}
		m := out[0].Data.(*eventv1.ModelEvaluated)
		if m.GetTrial() != 1 || m.GetTraining().GetNumLeaves() != 11 || out[0].Causation != trials[1].ID {
			t.Fatalf("after %v trial %d is evaluated", order, m.GetTrial())
		}
		if first.ID == "" {
			first = out[0]
		}
		if out[0].ID != first.ID || !proto.Equal(out[0].Data, first.Data) {
			t.Errorf("after %v another event follows", order)
		}
		again := s.answers(t, trials, order[:1]) // a late duplicate
		if len(again) != 1 || again[0].ID != first.ID || !proto.Equal(again[0].Data, first.Data) {
			t.Errorf("a late duplicate is answered with %v", again)
		}
	}
}

// Each trial that is answered lets the next begin, so that as many as may be are
// under way, and all begin once.
func TestTrialsBeginInTurn(t *testing.T) {
	s, search := newSetting(), searchOf(5, 4, 0)
	search.Parallel = 2
	trials := s.trialsOf(t, search, 0, map[int32]float64{0: 0.83, 1: 0, 2: 0.85, 3: 0.84, 4: 0.8})
	ids := map[string]int32{}
	for _, n := range []int32{1, 0, 1, 3, 2} { // one comes twice, and one fails
		for _, e := range s.answers(t, trials, []int32{n}) {
			m := e.Data.(*eventv1.FeaturesReady)
			want, err := searching.Trials(m.GetPlan())
			if err != nil || event.Validate(e) != nil || m.GetTrial() != n+2 || m.GetTrials() != 5 || m.GetRung() != 0 ||
				e.Key != churn.TrialKey(e.Run(), int(n+2)) || e.Causation != trials[n].ID || !proto.Equal(m.GetTraining(), want[n+2]) {
				t.Errorf("trial %d lets begin %v", n, e)
			}
			ids[e.ID] = m.GetTrial()
		}
	}
	if len(ids) != 3 {
		t.Errorf("begun: %v", ids)
	}
	if out := s.answers(t, trials, []int32{4}); len(out) != 1 || out[0].Topic != churn.ModelEvaluated {
		t.Errorf("at the end: %v", out)
	}
}

// So do those of a higher rung, the best of the one below first.
func TestHalvingInTurn(t *testing.T) {
	s, search := newSetting(), searchOf(6, 6, 2)
	search.Parallel = 2
	began := func(out []event.Event) string {
		var all []string
		for _, e := range out {
			m := e.Data.(*eventv1.FeaturesReady)
			all = append(all, fmt.Sprintf("%d/%d", m.GetTrial(), m.GetRung()))
		}
		return strings.Join(all, " ")
	}
	trials := s.trialsOf(t, search, 0, map[int32]float64{0: 0.81, 1: 0.82, 2: 0.83, 3: 0.84, 4: 0.85, 5: 0.86})
	ids := map[string]bool{}
	for _, step := range []struct {
		n    int32
		want string
	}{{1, "3/0"}, {0, "2/0"}, {3, "5/0"}, {2, "4/0"}, {5, ""}, {4, "5/1 4/1"}} {
		out := s.answers(t, trials, []int32{step.n})
		if got := began(out); got != step.want {
			t.Errorf("trial %d lets begin %q, want %q", step.n, got, step.want)
		}
		for _, e := range out {
			if ids[e.ID] {
				t.Errorf("two events have the id %s", e.ID)
			}
			ids[e.ID] = true
		}
	}
	higher := s.trialsOf(t, search, 1, map[int32]float64{5: 0.86, 4: 0.87, 3: 0.88})
	if got := began(s.answers(t, higher, []int32{4})); got != "" {
		t.Errorf("the last but one lets begin %q", got)
	}
	if got := began(s.answers(t, higher, []int32{5})); got != "3/1" {
		t.Errorf("the first lets begin %q", got)
	}
	if got := began(s.answers(t, higher, []int32{3})); got != "3/2 4/2" {
		t.Errorf("the last of the rung lets begin %q", got)
	}
}

func TestTooFewTrialsEndTheRun(t *testing.T) {
	var first event.Event
	for _, order := range [][]int32{{0, 1, 2}, {2, 1, 0}} {
		s := newSetting()
		out := s.answers(t, s.trialsOf(t, searchOf(3, 2, 0), 0, map[int32]float64{0: 0, 1: 0.8, 2: 0}), order)
		if len(out) != 1 || out[0].Topic != churn.RunFailed || event.Validate(out[0]) != nil {
			t.Fatalf("%v", out)
		}
		m := out[0].Data.(*eventv1.RunFailed)
		if m.GetKind() != "invalid" || !strings.Contains(m.GetMessage(), "1 of 3 trials came to a model, and 2 are asked for (--min-trials): trial 0: trial 0 is cursed; trial 2") {
			t.Errorf("%v", m)
		}
		if first.ID == "" {
			first = out[0]
		}
		if out[0].ID != first.ID || !proto.Equal(out[0].Data, first.Data) {
			t.Errorf("in the order %v the run ends otherwise", order)
		}
	}
}

// Of five trials halved by two, three go on for longer, then two, then one, which
// is evaluated.
func TestHalving(t *testing.T) {
	s, search := newSetting(), searchOf(5, 3, 2)
	out := s.answers(t, s.trialsOf(t, search, 0, map[int32]float64{0: 0.80, 1: 0.84, 2: 0, 3: 0.82, 4: 0.83}), []int32{4, 2, 0, 3, 1})
	var went []string
	for _, e := range out {
		m := e.Data.(*eventv1.FeaturesReady)
		if e.Topic != churn.FeaturesReady || event.Validate(e) != nil || e.Key != churn.TrialKey(e.Run(), int(m.GetTrial())) {
			t.Fatalf("%v: %v", e, event.Validate(e))
		}
		went = append(went, fmt.Sprintf("%d/%d×%d", m.GetTrial(), m.GetRung(), m.GetTraining().GetNumIterations()))
	}
	if got := strings.Join(went, " "); got != "1/1×125 4/1×125" { // of the four that came to a model
		t.Fatalf("to the next rung go %s", got)
	}
	out = s.answers(t, s.trialsOf(t, search, 1, map[int32]float64{1: 0.84, 4: 0.85}), []int32{1, 4})
	if len(out) != 1 || out[0].Data.(*eventv1.FeaturesReady).GetTrial() != 4 || out[0].Data.(*eventv1.FeaturesReady).GetTraining().GetNumIterations() != 250 {
		t.Fatalf("to the third rung go %v", out)
	}
	out = s.answers(t, s.trialsOf(t, search, 2, map[int32]float64{4: 0.85}), []int32{4})
	if len(out) != 1 || out[0].Data.(*eventv1.FeaturesReady).GetRung() != 3 {
		t.Fatalf("to the last rung go %v", out)
	}
	out = s.answers(t, s.trialsOf(t, search, 3, map[int32]float64{4: 0.85}), []int32{4})
	if len(out) != 1 || out[0].Topic != churn.ModelEvaluated || out[0].Data.(*eventv1.ModelEvaluated).GetTrial() != 4 {
		t.Fatalf("in the end: %v", out)
	}
}

// With folds, the folds decide.
func TestFoldsDecide(t *testing.T) {
	s, search := newSetting(), searchOf(2, 2, 0)
	search.Folds = 5
	trials := s.trialsOf(t, search, 0, map[int32]float64{0: 0.9, 1: 0.8})
	for n, auc := range map[int32]float64{0: 0.81, 1: 0.82} {
		trials[n].Data.(*eventv1.ModelTrained).Candidate.FoldsAuc = auc
	}
	out := s.answers(t, trials, []int32{0, 1})
	if len(out) != 1 || out[0].Data.(*eventv1.ModelEvaluated).GetTrial() != 1 {
		t.Errorf("%v", out)
	}
}
