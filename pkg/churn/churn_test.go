package churn_test

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/asfotec/churn/pkg/churn"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Ids are on the wire and in the names of artifacts: they never change. The
// values were computed with another implementation of UUIDv5 (Python's uuid5).
func TestIDsAreGolden(t *testing.T) {
	for name, test := range map[string]struct{ got, want string }{
		"namespace":     {churn.Namespace.String(), "d52ea51b-d080-5206-9dd9-ca6bda03911d"},
		"run":           {churn.RunID("2026-01-31-nightly"), "ef8b3da3-f42b-5983-93d6-7287061e86eb"},
		"run of no id":  {churn.RunID(""), "8c32300b-85e0-5872-aac6-54726e65dbab"},
		"run, not text": {churn.RunID("π\x00\xff"), "842641f3-5f2c-546f-a3da-27f0d74fb284"},
		"event":         {churn.EventID("2026-01-31-nightly", churn.FeaturesReady.Type(), 0), "c4985444-b3aa-5064-828d-228a3d1dc8ae"},
		"second event":  {churn.EventID("2026-01-31-nightly", churn.FeaturesReady.Type(), 1), "bb222db1-7214-52cc-b30e-66e9c650f678"},
		"other type":    {churn.EventID("2026-01-31-nightly", churn.RunFailed.Type(), 0), "6773597a-233c-534d-88fe-4d7f4bfe4a5b"},
	} {
		if test.got != test.want {
			t.Errorf("%s: id is %s, not %s", name, test.got, test.want)
		}
	}
}

// What is joined to make an id cannot be cut otherwise to make the same.
func TestIDsDoNotCollide(t *testing.T) {
	seen := map[string]string{}
	note := func(what, id string) {
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have the same id %s", what, other, id)
		}
		seen[id] = what
	}
	causes := []string{"", "a", "ab", "1", "11", "1:a", "a1:b", "5:event", "x1:0", "run", "event"}
	for _, cause := range causes {
		note(fmt.Sprintf("run of %q", cause), churn.RunID(cause))
		for _, typ := range causes {
			for _, index := range []int{0, 1, 10, 11, -1} {
				note(fmt.Sprintf("event %q %q %d", cause, typ, index), churn.EventID(cause, typ, index))
			}
		}
	}
}

// services are those that the topology may name.
var services = []churn.Service{churn.Featurizer, churn.Trainer, churn.Evaluator, churn.Gate, churn.Notifier, churn.ModelService}

func TestTopology(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[churn.Topic]bool{}
	for _, s := range churn.Topology {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s: %s", s.Topic, fmt.Sprintf(format, args...))
		}
		if seen[s.Topic] {
			fail("is there twice")
		}
		seen[s.Topic] = true
		if !name.MatchString(string(s.Topic)) {
			fail("is no name of lower-case words with dashes")
		}
		if s.Doc == "" || !strings.HasSuffix(s.Doc, ".") {
			fail("has no doc of whole sentences: %q", s.Doc)
		}
		if s.Partitions < 1 {
			fail("has %d partitions", s.Partitions)
		}
		if !slices.Contains([]churn.Key{churn.ByRun, churn.ByTrial, churn.ByModel}, s.Key) {
			fail("has an unknown key %q", s.Key)
		}
		for _, who := range slices.Concat(s.Producers, s.Consumers) {
			if !slices.Contains(services, who) && who != churn.Client {
				fail("names an unknown service %q", who)
			}
		}
		message := "asfotec.churn.event.v1." + protoreflect.FullName(s.Message)
		if _, err := protoregistry.GlobalTypes.FindMessageByName(message); err != nil {
			fail("holds %s, which is no message: %v", message, err)
		}
		if got, ok := s.Topic.Spec(); !ok || got.Topic != s.Topic {
			fail("Spec finds %v, %v", got.Topic, ok)
		}
		if want := "com.asfotec.churn." + string(s.Topic) + ".v1"; s.Topic != churn.ModelCurrent && s.Topic.Type() != want {
			fail("has type %s, not %s", s.Topic.Type(), want)
		}
		if len(s.Topic.Name(strings.Repeat("p", 150))) > 249 {
			fail("is too long a name for Kafka")
		}
	}
}

// The log is kept for ever but for telemetry; all decisions on one model have
// one order; the table of what is current is one partition.
func TestTopologyKeepsWhatTheDesignPromises(t *testing.T) {
	byRun := []churn.Topic{churn.FeaturesReady, churn.ModelTrained, churn.RunProgress}
	for _, s := range churn.Topology {
		if kept := s.Retention == 0; kept != (s.Topic != churn.RunProgress) {
			t.Errorf("%s: retention is %v", s.Topic, s.Retention)
		}
		if s.Compacted != (s.Topic == churn.ModelCurrent) {
			t.Errorf("%s: compacted is %v", s.Topic, s.Compacted)
		}
		if (s.Key == churn.ByModel) == slices.Contains(byRun, s.Topic) {
			t.Errorf("%s: the key is %s", s.Topic, s.Key)
		}
	}
	if churn.ModelCurrent.Type() != churn.ModelPromoted.Type() {
		t.Errorf("the table holds %s", churn.ModelCurrent.Type())
	}
	if _, ok := churn.Topic("no-such").Spec(); ok {
		t.Error("an unknown topic has a spec")
	}
}

// Each topic that a service reads is written by somebody, and every service but
// the last has what starts it and what it answers with.
func TestTopologyIsConnected(t *testing.T) {
	anyone := []churn.Topic{churn.RetrainRequested, churn.RollbackRequested, churn.OverrideRequested, churn.CancelRequested}
	for _, s := range churn.Topology {
		if (len(s.Producers) == 0) != slices.Contains(anyone, s.Topic) {
			t.Errorf("%s is written by %v", s.Topic, s.Producers)
		}
	}
	for _, who := range services {
		reads := slices.ContainsFunc(churn.Topology, func(s churn.TopicSpec) bool { return slices.Contains(s.Consumers, who) })
		fails := slices.ContainsFunc(churn.Topology, func(s churn.TopicSpec) bool {
			return s.Topic == churn.RunFailed && slices.Contains(s.Producers, who)
		})
		if part := who != churn.ModelService && who != churn.Notifier; !reads || fails != part {
			t.Errorf("%s reads: %v, can say that it failed: %v", who, reads, fails)
		}
	}
}

func TestNames(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{churn.Trainer.Source(), "/asfotec/churn/trainer"},
		{churn.Trainer.RetryTopic().Name("x."), "x.retry.trainer"},
		{churn.Trainer.DeadLetterTopic().Name(""), "dlq.trainer"},
		{churn.ModelTrained.Name(churn.DefaultPrefix), "churn.model-trained"},
		{churn.ArtifactKey("run", churn.Trainer, churn.ModelText), "runs/run/trainer/model.txt"},
		{churn.ArtifactKey("run", churn.Evaluator, "round", "1", churn.EvaluationJSON), "runs/run/evaluator/round/1/evaluation.json"},
		{churn.ArtifactKey("run", churn.Gate), "runs/run/gate"},
		{churn.DatasetKey("ab"), "datasets/ab.csv"},
		{churn.SpecKey("ab"), "specs/ab.yaml"},
	} {
		if test.got != test.want {
			t.Errorf("%q, not %q", test.got, test.want)
		}
	}
}

func TestErrors(t *testing.T) {
	inner := churn.Errorf("dataset.Read", churn.Invalid, "line %d: %w", 4, io.ErrUnexpectedEOF)
	outer := churn.E("trainer.Handle", churn.Transient, fmt.Errorf("while training: %w", inner))
	for name, test := range map[string]struct {
		err  error
		kind churn.Kind
		op   string
		text string
	}{
		"plain":    {io.EOF, churn.Internal, "", "EOF"},
		"one":      {inner, churn.Invalid, "dataset.Read", "dataset.Read: line 4: unexpected EOF"},
		"outer":    {outer, churn.Transient, "dataset.Read", "trainer.Handle: while training: dataset.Read: line 4: unexpected EOF"},
		"wrapped":  {fmt.Errorf("x: %w", inner), churn.Invalid, "dataset.Read", "x: dataset.Read: line 4: unexpected EOF"},
		"joined":   {errors.Join(io.EOF, inner), churn.Invalid, "dataset.Read", "EOF\ndataset.Read: line 4: unexpected EOF"},
		"conflict": {churn.E("a.B", churn.Conflict, io.EOF), churn.Conflict, "a.B", "a.B: EOF"},
	} {
		if got := churn.KindOf(test.err); got != test.kind || !churn.IsKind(test.err, test.kind) {
			t.Errorf("%s: kind is %s, not %s", name, got, test.kind)
		}
		if got := churn.OpOf(test.err); got != test.op {
			t.Errorf("%s: operation is %q, not %q", name, got, test.op)
		}
		if got := test.err.Error(); got != test.text {
			t.Errorf("%s: text is %q, not %q", name, got, test.text)
		}
	}
	if !errors.Is(outer, io.ErrUnexpectedEOF) {
		t.Error("the cause is not found through two Errors")
	}
	if churn.E("x", churn.Invalid, nil) != nil || churn.IsKind(nil, churn.Internal) || churn.OpOf(nil) != "" {
		t.Error("no error is one")
	}
	names := []string{"internal", "invalid", "transient", "not found", "conflict"}
	for k, want := range names {
		if got := churn.Kind(k).String(); got != want {
			t.Errorf("kind %d is %q, not %q", k, got, want)
		}
	}
}

func artifact(name string) *artifactv1.Artifact { return &artifactv1.Artifact{Uri: name} }

func TestWalkArtifacts(t *testing.T) {
	plan := &eventv1.Plan{Spec: artifact("spec"), Dataset: artifact("dataset")}
	features := &eventv1.FeatureSet{Profile: artifact("profile"), Table: artifact("table"), Preprocessor: artifact("preprocessor")}
	trained := &eventv1.TrainedModel{
		ReferenceScores: artifact("scores"), Model: artifact("model"), Training: artifact("training"),
		ImportancesPlot: artifact("plot"), Importances: artifact("importances"),
	}
	for name, test := range map[string]struct {
		message proto.Message
		want    []string
	}{
		"nil":              {nil, nil},
		"typed nil":        {(*eventv1.ModelTrained)(nil), nil},
		"none":             {&eventv1.RunFailed{Message: "m"}, nil},
		"itself":           {artifact("a"), []string{"a"}},
		"only what is set": {&eventv1.RetrainRequested{Dataset: artifact("dataset")}, []string{"dataset"}},
		"declaration order": {
			&eventv1.ModelTrained{Candidate: trained, Features: features, Plan: plan},
			[]string{"dataset", "spec", "table", "preprocessor", "profile", "model", "training", "importances", "plot", "scores"},
		},
		"past a list": {
			&eventv1.ModelRejected{Rules: []*eventv1.Rule{{Name: "r"}, nil}, Decision: artifact("decision"), Plan: plan},
			[]string{"dataset", "spec", "decision"},
		},
	} {
		var got []string
		churn.WalkArtifacts(test.message, func(a *artifactv1.Artifact) { got = append(got, a.GetUri()) })
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, not %v", name, got, test.want)
		}
	}
}
