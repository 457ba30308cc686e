package gate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/gate"
)

const model = "churn-classifier"

// start makes a gate as a new process would: with clients of its own, and
// wrapped as a runner wraps it.
func start(store blob.Store) (stage.Handler, stage.Stage) {
	s := gate.New(store, objectstore.New(store), objectstore.NewTracker(store)).Stage()
	tell := func(context.Context, event.Event, event.Event) error { return nil }
	return stage.Chain(s.Handler, stage.Once(store, s.Service), stage.Cancel(s, store, time.Second, tell), stage.Validate), s
}

// metrics returns metrics of which only two are judged.
func metrics(auc, accuracy float64) *eventv1.Metrics {
	return &eventv1.Metrics{Auc: auc, Accuracy: accuracy, F1: 0.5, LogLoss: 0.4, Brier: 0.14, Ks: 0.5}
}

var (
	good  = metrics(0.84, 0.80)
	equal = metrics(0.84, 0.80) // of a champion
)

// trained returns the model-trained event of the run that the request asks for.
func trained(request string, edit ...func(*eventv1.Plan)) event.Event {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	run := churn.RunID(request)
	of := func(s churn.Service, name string) *blob.Artifact { return artifact(churn.ArtifactKey(run, s, name)) }
	plan := &eventv1.Plan{
		Model: model, Experiment: "asfotec-churn", Dataset: artifact("datasets/d.csv"), Spec: artifact("specs/s.yaml"),
		Split: &eventv1.Split{Test: 0.2, Validation: 0.2, Salt: "v1"},
		Training: &eventv1.Training{
			NumLeaves: 31, LearningRate: 0.05, NumIterations: 500, MinDataInLeaf: 20, FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
		},
		Gate: &eventv1.Gate{
			MinAuc: 0.82, MinAccuracy: 0.78, BaselineStage: churn.ServingStage, Policy: churn.Refresh, Margin: 0.01, Alpha: 0.05,
		},
		GitSha: "0123abc", RequestedAt: at.Format(time.RFC3339Nano),
	}
	for _, e := range edit {
		e(plan)
	}
	e := event.Event{
		Topic: churn.RetrainRequested, Key: model, ID: request, Source: "/test", Type: churn.RetrainRequested.Type(), Time: at,
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	return e.Reply(churn.Trainer, churn.ModelTrained, 0, run, &eventv1.ModelTrained{
		Plan: plan,
		Features: &eventv1.FeatureSet{
			Table: of(churn.Featurizer, churn.FeaturesTable), Preprocessor: of(churn.Featurizer, churn.PreprocessorJSON),
			Profile: of(churn.Featurizer, churn.ProfileJSON), TrainRows: 4500, ValidationRows: 1100, HoldoutRows: 1400,
		},
		Trials: 1,
		Candidate: &eventv1.TrainedModel{
			Model: of(churn.Trainer, churn.ModelText), Training: of(churn.Trainer, churn.TrainingJSON),
			Importances: of(churn.Trainer, churn.ImportancesJSON), ImportancesPlot: of(churn.Trainer, churn.ImportancesPNG),
			ReferenceScores: of(churn.Trainer, churn.ReferenceScores), TreesSha256: digest("trees of " + run), Iterations: 80, ValidationAuc: 0.85,
		},
	})
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func artifact(key string) *blob.Artifact {
	return &blob.Artifact{Uri: blob.URI("churn", key), Sha256: digest(key), Size: 1000, MediaType: "text/plain"}
}

// evaluate plays the evaluator: it compares with the champion of now, whose
// metrics on the same rows are given.
func evaluate(t testing.TB, store blob.Store, e event.Event, candidate, champion *eventv1.Metrics) event.Event {
	t.Helper()
	m, ok := e.Data.(*eventv1.ModelTrained)
	if !ok {
		t.Fatalf("a %s event is not to be evaluated", e.Topic)
	}
	of := func(name string) *blob.Artifact { return artifact(churn.ArtifactKey(e.Run(), churn.Evaluator, name)) }
	storePolicy(t, store, m.GetPlan())
	out := &eventv1.ModelEvaluated{
		Plan: m.GetPlan(), Features: m.GetFeatures(), Candidate: m.GetCandidate(), Round: m.GetRound(), Metrics: candidate,
		Evaluation: &eventv1.Evaluation{
			Evaluation: of(churn.EvaluationJSON), Scores: of(churn.ScoresTable), RocPlot: of(churn.ROCPlot),
			PrPlot: of(churn.PRPlot), CalibrationPlot: of(churn.CalibrationPlot), Report: of(churn.ReportHTML),
		},
	}
	r := objectstore.New(store)
	name := m.GetPlan().GetModel()
	c, err := r.Champion(t.Context(), name, m.GetPlan().GetGate().GetBaselineStage())
	if err == nil {
		v, err := r.Version(t.Context(), name, c.Version)
		if err != nil {
			t.Fatal(err)
		}
		out.Champion = &eventv1.Champion{Version: c.Version, Generation: c.Generation, Run: v.Run, Model: v.Artifact, Preprocessor: v.Preprocessor}
		out.ChampionMetrics = champion
		out.Comparison = &eventv1.Comparison{AucDifference: candidate.GetAuc() - champion.GetAuc(), AucError: 0.001}
	} else if !churn.IsKind(err, churn.NotFound) {
		t.Fatal(err)
	}
	return e.Reply(churn.Evaluator, churn.ModelEvaluated, 0, name, out)
}

// handle returns the one event that the gate answers with, which must be valid.
func handle(t testing.TB, h stage.Handler, e event.Event) event.Event {
	t.Helper()
	out, err := h.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return single(t, out)
}

func single(t testing.TB, out []event.Event) event.Event {
	t.Helper()
	if len(out) != 1 {
		t.Fatalf("%d events, want 1", len(out))
	}
	if err := event.Validate(out[0]); err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// promote takes a good candidate of the request through the gate.
func promote(t testing.TB, store blob.Store, request string, edit ...func(*eventv1.Plan)) event.Event {
	t.Helper()
	h, _ := start(store)
	e := handle(t, h, evaluate(t, store, trained(request, edit...), good, equal))
	if e.Topic != churn.ModelPromoted {
		t.Fatalf("the answer is a %s event: %v", e.Topic, e.Data)
	}
	return e
}

// encoded returns the bytes of an event.
func encoded(t testing.TB, e event.Event) string {
	t.Helper()
	b, err := event.EncodeBatch([]event.Event{e})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func versions(t testing.TB, store blob.Store) []registry.Version {
	t.Helper()
	all, err := objectstore.New(store).Versions(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func history(t testing.TB, store blob.Store) []registry.Champion {
	t.Helper()
	all, err := objectstore.New(store).History(t.Context(), model, churn.ServingStage)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func get(t testing.TB, store blob.Store, key string) string {
	t.Helper()
	a, err := store.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body, err := store.Get(t.Context(), a, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// contents returns every object of the store.
func contents(t testing.TB, store blob.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for key, err := range store.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all[key] = get(t, store, key)
	}
	return all
}

// decision returns a run's decision.json, which must have no other fields than
// a Document.
func decision(t testing.TB, store blob.Store, a *blob.Artifact) gate.Document {
	t.Helper()
	body, err := store.Get(t.Context(), a, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var d gate.Document
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

func newStore() *memory.Store { return memory.New("churn") }
