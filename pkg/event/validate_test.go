package event_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestSamplesAreValid(t *testing.T) {
	for _, spec := range churn.Topology {
		if err := event.Validate(eventOf(spec.Topic)); err != nil {
			t.Errorf("%s: %v", spec.Topic, err)
		}
	}
}

// wrong is a value that no field of its kind may have.
func wrong(fd protoreflect.FieldDescriptor) (protoreflect.Value, bool) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat("x", 16<<10+1)), true
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(math.NaN()), true
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(math.MinInt32), true
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(math.MinInt64), true
	}
	return protoreflect.Value{}, false // a bool is never wrong
}

// anything may be in these fields.
var anything = []string{"plan.training.seed", "training.seed"}

// optional messages may be missing: of a request, and of every event.
var (
	optionalInRequests = []string{"spec", "split", "training", "gate", "gate.policy_document", "search"}
	optional           = regexp.MustCompile(`^(champion|comparison(\.\w+)?|slices\[\d+\]\.(champion_metrics|auc|accuracy)|drift|data|operating_point|` +
		`plan\.gate\.policy_document|candidate\.contributions|approval|rollback|override|report|plan\.search|training|failure)$`)
)

// mayBeMissing reports whether the message at path may be.
func mayBeMissing(t churn.Topic, path string) bool {
	return optional.MatchString(path) ||
		t == churn.RetrainRequested && slices.Contains(optionalInRequests, path) ||
		t == churn.ApprovalRequested && path == "champion_metrics"
}

// Every field of every event is looked at: a wrong one is an error that names
// it.
func TestEveryFieldIsChecked(t *testing.T) {
	for _, spec := range churn.Topology {
		message := sample(spec.Topic)
		eachField(message.ProtoReflect(), "", func(path string, parent protoreflect.Message, fd protoreflect.FieldDescriptor) {
			if slices.Contains(anything, path) {
				return
			}
			before := parent.Get(fd)
			had := parent.Has(fd)
			defer func() {
				if parent.Clear(fd); had {
					parent.Set(fd, before)
				}
			}()
			if fd.Message() != nil {
				if mayBeMissing(spec.Topic, path) {
					return
				}
				parent.Clear(fd)
			} else if v, ok := wrong(fd); ok {
				parent.Set(fd, v)
			} else {
				return
			}
			refused(t, string(spec.Topic)+": "+path, event.Validate(event.Event{Data: message}), path)
		})
	}
}

// eachField calls f for every field below m that is not a list.
func eachField(m protoreflect.Message, path string, f func(path string, parent protoreflect.Message, fd protoreflect.FieldDescriptor)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := strings.TrimPrefix(path+"."+string(fd.Name()), ".")
		if fd.IsList() && fd.Message() == nil {
			continue
		}
		if fd.IsList() {
			for j := range m.Get(fd).List().Len() {
				eachField(m.Get(fd).List().Get(j).Message(), fmt.Sprintf("%s[%d]", name, j), f)
			}
			continue
		}
		f(name, m, fd)
		if fd.Message() != nil && m.Has(fd) {
			eachField(m.Get(fd).Message(), name, f)
		}
	}
}

func TestValidateBounds(t *testing.T) {
	request := func() *eventv1.RetrainRequested { return sample(churn.RetrainRequested).(*eventv1.RetrainRequested) }
	training := func(o *eventv1.TrainingOverrides) proto.Message { r := request(); r.Training = o; return r }
	split := func(test float64) proto.Message { r := request(); r.Split.Test = &test; return r }
	dataset := func(a *artifactv1.Artifact) proto.Message { r := request(); r.Dataset = a; return r }
	ready := func(trial, trials int32) proto.Message {
		m := sample(churn.FeaturesReady).(*eventv1.FeaturesReady)
		m.Trial, m.Trials = trial, trials
		return m
	}
	model := func(name string) proto.Message { r := request(); r.Model = name; return r }
	for name, test := range map[string]struct {
		message proto.Message
		say     string // "": it is valid
	}{
		"only a URI":          {&eventv1.RetrainRequested{Dataset: plain("s3://b/k")}, ""},
		"no dataset":          {&eventv1.RetrainRequested{}, "dataset.uri is missing"},
		"http":                {dataset(plain("http://b/k")), `dataset.uri is "http://b/k"`},
		"file":                {dataset(plain("/etc/passwd")), "dataset.uri"},
		"long URI":            {dataset(plain("s3://b/" + strings.Repeat("k", 2048))), "dataset.uri"},
		"digest in capitals":  {dataset(&artifactv1.Artifact{Uri: "s3://b/k", Sha256: strings.Repeat("A", 64)}), "dataset.sha256"},
		"digest too short":    {dataset(&artifactv1.Artifact{Uri: "s3://b/k", Sha256: "ab"}), "64"},
		"huge":                {dataset(&artifactv1.Artifact{Uri: "s3://b/k", Size: 1<<50 + 1}), "dataset.size"},
		"model, a path":       {model("../x"), `model is "../x"`},
		"model, hidden":       {model(".x"), "model"},
		"model, newline":      {model("a\n"), "model"},
		"model, longest":      {model(strings.Repeat("m", 128)), ""},
		"model, too long":     {model(strings.Repeat("m", 129)), "model"},
		"split 0":             {split(0), "split.test is 0"},
		"split 1":             {split(1), "split.test is 1"},
		"split, infinite":     {split(math.Inf(1)), "split.test"},
		"leaves 1":            {training(&eventv1.TrainingOverrides{NumLeaves: proto.Int32(1)}), "training.num_leaves is 1"},
		"leaves 2":            {training(&eventv1.TrainingOverrides{NumLeaves: proto.Int32(2)}), ""},
		"leaves, most":        {training(&eventv1.TrainingOverrides{NumLeaves: proto.Int32(131072)}), ""},
		"leaves, too many":    {training(&eventv1.TrainingOverrides{NumLeaves: proto.Int32(131073)}), "training.num_leaves"},
		"learning rate 0":     {training(&eventv1.TrainingOverrides{LearningRate: proto.Float64(0)}), "training.learning_rate is 0: it must be above 0"},
		"iterations 0":        {training(&eventv1.TrainingOverrides{NumIterations: proto.Int32(0)}), "training.num_iterations"},
		"feature fraction 1":  {training(&eventv1.TrainingOverrides{FeatureFraction: proto.Float64(1)}), ""},
		"feature fraction 0":  {training(&eventv1.TrainingOverrides{FeatureFraction: proto.Float64(0)}), "training.feature_fraction"},
		"bagging fraction 2":  {training(&eventv1.TrainingOverrides{BaggingFraction: proto.Float64(2)}), "training.bagging_fraction"},
		"lambda infinite":     {training(&eventv1.TrainingOverrides{LambdaL1: proto.Float64(math.Inf(1))}), "training.lambda_l1"},
		"lambda -0":           {training(&eventv1.TrainingOverrides{LambdaL2: proto.Float64(math.Copysign(0, -1))}), ""},
		"bins 1":              {training(&eventv1.TrainingOverrides{MaxBin: proto.Int32(1)}), "training.max_bin"},
		"any seed":            {training(&eventv1.TrainingOverrides{Seed: proto.Int32(math.MinInt32)}), ""},
		"first of one trial":  {ready(0, 1), ""},
		"second of one trial": {ready(1, 1), "trial is 1"},
		"no trials":           {ready(0, 0), "trials is 0"},
		"trial below 0":       {ready(-1, 3), "trial is -1"},
		"too many trials":     {ready(0, 10001), "trials"},
		"a failed trial": {&eventv1.ModelTrained{
			Plan: plan(), Features: features(), Trials: 1, Failure: &eventv1.TrialFailure{Kind: "invalid", Message: "no"},
		}, ""},
		"a failed trial with a model": {&eventv1.ModelTrained{
			Plan: plan(), Features: features(), Trials: 1, Candidate: trained(), Failure: &eventv1.TrialFailure{Kind: "invalid", Message: "no"},
		}, "candidate is there, and so is a failure"},
		"a failed trial without a reason": {&eventv1.ModelTrained{
			Plan: plan(), Features: features(), Trials: 1, Failure: &eventv1.TrialFailure{Kind: "invalid"},
		}, "failure.message is missing"},
		"no champion": {func() proto.Message {
			m := sample(churn.ModelEvaluated).(*eventv1.ModelEvaluated)
			m.Champion, m.ChampionMetrics, m.Comparison = nil, nil, nil
			return m
		}(), ""},
		"metrics of no champion": {func() proto.Message {
			m := sample(churn.ModelEvaluated).(*eventv1.ModelEvaluated)
			m.Champion = nil
			return m
		}(), "champion_metrics is there without a champion"},
		"champion without metrics": {func() proto.Message {
			m := sample(churn.ModelEvaluated).(*eventv1.ModelEvaluated)
			m.ChampionMetrics = nil
			return m
		}(), "champion_metrics is missing"},
		"nil rule": {func() proto.Message {
			m := sample(churn.ModelPromoted).(*eventv1.ModelPromoted)
			m.Rules = append(m.Rules, nil)
			return m
		}(), "rules[1].name is missing"},
		"nothing":  {nil, "data is missing"},
		"no event": {artifact("x"), "which is no event"},
	} {
		err := event.Validate(event.Event{Data: test.message})
		if test.say == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refused(t, name, err, test.say)
	}
}

// An event with any number of wrong fields gets a message of bounded length.
func TestProblemsAreBounded(t *testing.T) {
	m := sample(churn.ModelPromoted).(*eventv1.ModelPromoted)
	m.Rules = make([]*eventv1.Rule, 100_000)
	m.Plan = nil
	err := event.Validate(event.Event{Data: m})
	refused(t, "rules", err, "plan is missing", "rules[0].name is missing")
	if n := len(err.Error()); n > 10_000 {
		t.Errorf("the message has %d bytes", n)
	}
}

// Every value of an event that says nothing is refused, and none panics.
func TestEmptyMessagesAreRefused(t *testing.T) {
	for _, spec := range churn.Topology {
		empty := sample(spec.Topic).ProtoReflect().New().Interface()
		refused(t, string(spec.Topic), event.Validate(event.Event{Data: empty}))
		typedNil := sample(spec.Topic).ProtoReflect().Type().Zero().Interface()
		refused(t, string(spec.Topic)+", nil", event.Validate(event.Event{Data: typedNil}))
	}
}
