package dataset

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/search"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Plan fills in a request with the spec's defaults. Data and spec are the
// artifacts as they were read. A setting out of range is an Invalid error that
// names it.
func (s *Spec) Plan(r *eventv1.RetrainRequested, data, spec *artifactv1.Artifact, at time.Time) (*eventv1.Plan, error) {
	const op = "dataset.Plan"
	p := &eventv1.Plan{
		Model:       cmp.Or(r.GetModel(), s.Model),
		Experiment:  cmp.Or(r.GetExperiment(), s.Experiment),
		Dataset:     data,
		Spec:        spec,
		Split:       s.split(r.GetSplit()),
		Training:    s.training(r.GetTraining()),
		Gate:        s.gate(r.GetGate()),
		GitSha:      r.GetGitSha(),
		RequestedBy: r.GetRequestedBy(),
		Reason:      r.GetReason(),
		RequestedAt: at.UTC().Format(time.RFC3339Nano),
		Search:      trials(r.GetSearch()),
		Machines:    machines(r.GetMachines()),
	}
	if err := checkPlan(p); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the request cannot be met: %w", err)
	}
	return p, nil
}

// or is what the request says, or else the spec.
func or[T any](request *T, spec T) T {
	if request != nil {
		return *request
	}
	return spec
}

func (s *Spec) split(r *eventv1.SplitOverrides) *eventv1.Split {
	if r == nil {
		r = &eventv1.SplitOverrides{}
	}
	return &eventv1.Split{
		Test: or(r.Test, s.Split.Test), Validation: or(r.Validation, s.Split.Validation), Salt: or(r.Salt, s.Split.Salt),
	}
}

func (s *Spec) training(r *eventv1.TrainingOverrides) *eventv1.Training {
	if r == nil {
		r = &eventv1.TrainingOverrides{}
	}
	t := s.Training
	return &eventv1.Training{
		NumLeaves:          or(r.NumLeaves, t.NumLeaves),
		LearningRate:       or(r.LearningRate, t.LearningRate),
		NumIterations:      or(r.NumIterations, t.NumIterations),
		EarlyStoppingRound: or(r.EarlyStoppingRound, t.EarlyStoppingRound),
		MinDataInLeaf:      or(r.MinDataInLeaf, t.MinDataInLeaf),
		FeatureFraction:    or(r.FeatureFraction, t.FeatureFraction),
		BaggingFraction:    or(r.BaggingFraction, t.BaggingFraction),
		BaggingFreq:        or(r.BaggingFreq, t.BaggingFreq),
		LambdaL1:           or(r.LambdaL1, t.LambdaL1),
		LambdaL2:           or(r.LambdaL2, t.LambdaL2),
		MaxBin:             or(r.MaxBin, t.MaxBin),
		Seed:               or(r.Seed, t.Seed),
	}
}

func (s *Spec) gate(r *eventv1.GateOverrides) *eventv1.Gate {
	if r == nil {
		r = &eventv1.GateOverrides{}
	}
	g := s.Gate
	return &eventv1.Gate{
		MinAuc: or(r.MinAuc, g.MinAUC), MinAccuracy: or(r.MinAccuracy, g.MinAccuracy),
		BaselineStage: or(r.BaselineStage, g.BaselineStage), DryRun: or(r.DryRun, g.DryRun),
		Policy: or(r.Policy, g.Policy), Margin: or(r.Margin, g.Margin), Alpha: or(r.Alpha, g.Alpha),
	}
}

// trials is the search as the plan has it, nothing left open: nil if one training
// is asked for.
func trials(r *eventv1.Search) *eventv1.Search {
	if r == nil {
		return nil
	}
	s := proto.CloneOf(r)
	s.Strategy = cmp.Or(s.GetStrategy(), search.Strategies[0])
	s.Parallel = cmp.Or(s.GetParallel(), search.DefaultParallel)
	return s
}

// machines is the number as the plan has it: 0 for one.
func machines(n int32) int32 {
	if n == 1 {
		return 0
	}
	return n
}

// checkPlan holds every setting against its range, LightGBM's where it is
// LightGBM's.
func checkPlan(p *eventv1.Plan) error {
	if err := checkNames("model", p.GetModel(), "experiment", p.GetExperiment(), "gate.baseline_stage", p.GetGate().GetBaselineStage()); err != nil {
		return err
	}
	split := Split{Test: p.GetSplit().GetTest(), Validation: p.GetSplit().GetValidation(), Salt: p.GetSplit().GetSalt()}
	if err := split.validate(); err != nil {
		return err
	}
	if s := p.GetSearch(); s != nil {
		if err := search.Check(s); err != nil {
			return err
		}
		if p.GetMachines() > 0 {
			return fmt.Errorf("machines is %d beside a search: its trials are trained on one machine each", p.GetMachines())
		}
	}
	t, g := p.GetTraining(), p.GetGate()
	if !slices.Contains(churn.Policies, g.GetPolicy()) {
		return fmt.Errorf("gate.policy is %.40q; it must be one of %s", g.GetPolicy(), strings.Join(churn.Policies, ", "))
	}
	for _, r := range []struct {
		field      string
		value      float64
		least      float64
		largest    float64
		notAtLeast bool // the least itself is out of range
	}{
		{"training.num_leaves", float64(t.GetNumLeaves()), 2, 131072, false},
		{"training.learning_rate", t.GetLearningRate(), 0, 10, true},
		{"training.num_iterations", float64(t.GetNumIterations()), 1, 100_000, false},
		{"training.early_stopping_round", float64(t.GetEarlyStoppingRound()), 0, 100_000, false},
		{"training.min_data_in_leaf", float64(t.GetMinDataInLeaf()), 0, math.MaxInt32, false},
		{"training.feature_fraction", t.GetFeatureFraction(), 0, 1, true},
		{"training.bagging_fraction", t.GetBaggingFraction(), 0, 1, true},
		{"training.bagging_freq", float64(t.GetBaggingFreq()), 0, 100_000, false},
		{"training.lambda_l1", t.GetLambdaL1(), 0, 1e9, false},
		{"training.lambda_l2", t.GetLambdaL2(), 0, 1e9, false},
		{"training.max_bin", float64(t.GetMaxBin()), 2, 65535, false},
		{"training.seed", float64(t.GetSeed()), 0, math.MaxInt32, false},
		{"machines", float64(p.GetMachines()), 0, churn.MaxMachines, false},
		{"gate.min_auc", g.GetMinAuc(), 0, 1, false},
		{"gate.min_accuracy", g.GetMinAccuracy(), 0, 1, false},
		{"gate.margin", g.GetMargin(), 0, 1, true},
		{"gate.alpha", g.GetAlpha(), 0, 0.5, true},
	} {
		if !(r.value >= r.least && r.value <= r.largest) || r.notAtLeast && r.value == r.least {
			from := "from"
			if r.notAtLeast {
				from = "above"
			}
			return fmt.Errorf("%s is %v; it must be %s %v to %v", r.field, r.value, from, r.least, r.largest)
		}
	}
	return nil
}
