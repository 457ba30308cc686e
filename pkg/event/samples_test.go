package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func artifact(name string) *artifactv1.Artifact {
	return &artifactv1.Artifact{
		Uri: "s3://churn/runs/run-1/" + name, Sha256: strings.Repeat("0a", 32), Size: 17, MediaType: "application/json",
	}
}

// plain is an artifact of which only the URI is known.
func plain(uri string) *artifactv1.Artifact { return &artifactv1.Artifact{Uri: uri} }

func plan() *eventv1.Plan {
	return &eventv1.Plan{
		Model: "churn-classifier", Experiment: "asfotec-churn", Dataset: artifact("data.csv"), Spec: artifact("spec.yaml"),
		Split: &eventv1.Split{Test: 0.2, Validation: 0.25, Salt: "s"},
		Training: &eventv1.Training{
			NumLeaves: 31, LearningRate: 0.1, NumIterations: 200, EarlyStoppingRound: 20, MinDataInLeaf: 20, FeatureFraction: 0.9,
			BaggingFraction: 1, BaggingFreq: 0, LambdaL1: 0, LambdaL2: 1, MaxBin: 255, Seed: -42,
		},
		Gate: &eventv1.Gate{
			MinAuc: 0.8, MinAccuracy: 0.75, BaselineStage: "Production", Policy: "refresh", Margin: 0.01, Alpha: 0.05,
			PolicyDocument: artifact("policy.yaml"),
		},
		GitSha: "abc", RequestedBy: "cron", Reason: "nightly",
		RequestedAt: "2026-01-31T12:00:00Z",
		Search:      searched(),
		Machines:    2,
	}
}

func searched() *eventv1.Search {
	return &eventv1.Search{
		Trials: 3, Strategy: "random", MinTrials: 2, Folds: 5, Halving: 3,
		Dimensions: []*eventv1.Dimension{{Parameter: "num_leaves", Values: []float64{15, 31}}, {Parameter: "lambda_l2", Low: 0.1, High: 10, Log: true}},
	}
}

func own() *eventv1.Training {
	t := plan().GetTraining()
	t.NumLeaves = 15
	return t
}

func features() *eventv1.FeatureSet {
	return &eventv1.FeatureSet{
		Table: artifact("table"), Preprocessor: artifact("preprocessor"), Profile: artifact("profile"),
		TrainRows: 10, ValidationRows: 5, HoldoutRows: 5,
	}
}

func trained() *eventv1.TrainedModel {
	return &eventv1.TrainedModel{
		Model: artifact("model.txt"), Training: artifact("training"), Importances: artifact("importances"),
		ImportancesPlot: artifact("plot"), ReferenceScores: artifact("scores"), Contributions: artifact("contributions"),
		TreesSha256: strings.Repeat("f", 64), Iterations: 50, ValidationAuc: 0.85,
	}
}

func evaluation() *eventv1.Evaluation {
	return &eventv1.Evaluation{
		Evaluation: artifact("evaluation"), Scores: artifact("scores"), RocPlot: artifact("roc"), PrPlot: artifact("pr"),
		CalibrationPlot: artifact("calibration"), Report: artifact("report"),
	}
}

func metrics() *eventv1.Metrics {
	return &eventv1.Metrics{Auc: 0.84, Accuracy: 0.8, F1: 0.6, LogLoss: 0.42, Brier: 0.14, Ks: 0.5}
}

func rules() []*eventv1.Rule {
	return []*eventv1.Rule{{Name: "min_auc", Explanation: "AUC 0.84 is at least 0.8", Value: 0.84, Bound: 0.8, Passed: true,
		Expression: "candidate.auc >= gate.min_auc", Values: []*eventv1.RuleValue{{Name: "candidate.auc", Value: "0.84"}}}}
}

func difference() *eventv1.Difference {
	return &eventv1.Difference{Value: 0.01, Error: 0.005, Low: 0, High: 0.02}
}

func comparison() *eventv1.Comparison {
	return &eventv1.Comparison{
		AucDifference: 0.01, AucError: 0.005, OnlyCandidate: 12, OnlyChampion: 9, McnemarP: 0.66,
		Auc: difference(), Accuracy: difference(), F1: difference(), Precision: difference(), Recall: difference(),
		LogLoss: difference(), Brier: difference(), Ks: difference(),
	}
}

func point() *eventv1.OperatingPoint {
	return &eventv1.OperatingPoint{Threshold: 0.2, FalsePositiveCost: 1, FalseNegativeCost: 5, Cost: 0.4}
}

func approval() *eventv1.Approval {
	return &eventv1.Approval{ApprovalId: "id", DecidedBy: "ada", Reason: "fine", DecidedAt: "2026-01-31T13:00:00Z"}
}

// sample returns valid data of each type of the topology.
func sample(t churn.Topic) proto.Message {
	switch t {
	case churn.RetrainRequested:
		return &eventv1.RetrainRequested{
			Dataset: plain("s3://churn/datasets/telco_churn.csv"), Spec: artifact("spec.yaml"), Model: "churn-classifier",
			Split:    &eventv1.SplitOverrides{Test: proto.Float64(0.3), Validation: proto.Float64(0.1), Salt: proto.String("")},
			Training: &eventv1.TrainingOverrides{NumLeaves: proto.Int32(7), LearningRate: proto.Float64(0.05), Seed: proto.Int32(0)},
			Gate:     &eventv1.GateOverrides{MinAuc: proto.Float64(0.7), DryRun: proto.Bool(true), PolicyDocument: plain("s3://churn/policies/p.yaml")},
			Reason:   "Überprüfung \u2603",
			Search:   searched(),
			Machines: 2,
		}
	case churn.FeaturesReady:
		return &eventv1.FeaturesReady{Plan: plan(), Features: features(), Trial: 2, Trials: 3, Training: own(), Rung: 1}
	case churn.ModelTrained:
		return &eventv1.ModelTrained{Plan: plan(), Features: features(), Trial: 0, Trials: 1, Candidate: trained(), Round: 1, Training: own(), Rung: 1}
	case churn.ModelEvaluated:
		return &eventv1.ModelEvaluated{
			Plan: plan(), Features: features(), Candidate: trained(), Evaluation: evaluation(), Metrics: metrics(), ChampionMetrics: metrics(),
			Champion: &eventv1.Champion{Version: 3, Generation: 2, Run: "run-0", Model: artifact("model.txt"), Preprocessor: artifact("preprocessor")},
			Trial:    2, Training: own(), Comparison: comparison(),
			Slices: []*eventv1.Slice{{
				Column: "Contract", Value: "Two year", Rows: 300, Positives: 12, Metrics: metrics(), ChampionMetrics: metrics(),
				Auc: difference(), Accuracy: difference(),
			}},
			Drift: &eventv1.Drift{ChampionVersion: 3, Level: 0.05, Columns: []*eventv1.ColumnDrift{
				{Name: "tenure", Psi: 0.02, PsiP: 0.3, Ks: 0.04, KsP: 0.2, Q: 0.4},
				{Name: "Contract", Psi: 0.3, PsiP: 1e-9, KsP: 1, Q: 2e-8, Drifted: true, Unseen: []string{"Weekly"}, UnseenRows: 7},
			}, Drifted: 1},
			Data: &eventv1.DataQuality{
				Rows: 20, PositiveRate: 0.3, DuplicateShare: 0.1, Columns: []*eventv1.ColumnQuality{{Name: "tenure", MissingShare: 0.1}},
			},
			OperatingPoint: point(),
		}
	case churn.ModelPromoted, churn.ModelCurrent:
		return &eventv1.ModelPromoted{
			Plan: plan(), Model: "churn-classifier", Version: 4, Generation: 3, PreviousVersion: 3, Run: "run-1", Features: features(),
			Candidate: trained(), Evaluation: evaluation(), Metrics: metrics(), Rules: rules(), Decision: artifact("decision"),
			OperatingPoint: point(), Approval: approval(), Report: artifact("report"),
			Rollback: &eventv1.Rollback{RequestedBy: "ada", Reason: "complaints"},
			Override: &eventv1.Override{RequestedBy: "ada", Reason: "the old one is broken", RejectionId: "id"},
		}
	case churn.ModelRejected:
		return &eventv1.ModelRejected{
			Plan: plan(), Model: "churn-classifier", Run: "run-1", Reason: "AUC is too low", ChampionVersion: 3,
			Metrics: metrics(), Rules: rules(), Decision: artifact("decision"), Evaluation: evaluation(),
			Approval: approval(), Report: artifact("report"),
		}
	case churn.ApprovalRequested:
		return &eventv1.ApprovalRequested{
			Model: "churn-classifier", Run: "run-1", ChampionVersion: 3, ChampionGeneration: 2, ExpiresAt: "2026-02-01T00:00:00Z", Summary: "look",
			Plan: plan(), Metrics: metrics(), ChampionMetrics: metrics(), Rules: rules(), Evaluation: evaluation(), NotByRequester: true,
		}
	case churn.ApprovalDecided:
		return &eventv1.ApprovalDecided{Model: "churn-classifier", Run: "run-1", ApprovalId: "id", Approved: true, DecidedBy: "ada", Reason: "fine"}
	case churn.CancelRequested:
		return &eventv1.CancelRequested{Model: "churn-classifier", Run: "run-1", RequestedBy: "ada", Reason: "wrong file"}
	case churn.RollbackRequested:
		return &eventv1.RollbackRequested{Model: "churn-classifier", ToVersion: 2, FromVersion: 3, RequestedBy: "ada", Reason: "complaints"}
	case churn.OverrideRequested:
		return &eventv1.OverrideRequested{Model: "churn-classifier", Run: "run-1", RequestedBy: "ada", Reason: "the old one is broken"}
	case churn.RunFailed:
		return &eventv1.RunFailed{
			Model: "churn-classifier", Run: "run-1", Stage: "trainer", Kind: "invalid", Operation: "dataset.Read", Message: "line 4: no", Attempts: 1,
		}
	case churn.RunProgress:
		return &eventv1.RunProgress{
			Run: "run-1", Stage: "trainer", Activity: "training", Done: 7, Total: 200, Metric: "auc", Value: 0.8, TrackingRun: "abc",
		}
	}
	panic("no sample of " + string(t)) // a new topic needs one
}

// eventOf returns a valid event of the topic, with every attribute.
func eventOf(t churn.Topic) event.Event {
	return event.Event{
		Topic: t, Key: "churn-classifier", ID: "3f2504e0-4f89-41d3-9a0c-0305e82c3301", Source: churn.Trainer.Source(), Type: t.Type(),
		Subject: "run-1", Time: time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC), Correlation: "run-1",
		Causation: "2026-01-31-nightly", Sequence: 2, TraceParent: traceParent, Data: sample(t),
	}
}

// same fails the test unless the events are equal.
func same(t testing.TB, what string, got, want event.Event) {
	t.Helper()
	if !equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, show(got), show(want))
	}
}

func equal(a, b event.Event) bool {
	if !proto.Equal(a.Data, b.Data) || !a.Time.Equal(b.Time) {
		return false
	}
	a.Data, b.Data, a.Time, b.Time = nil, nil, time.Time{}, time.Time{}
	return a == b
}

func show(e event.Event) string {
	return fmt.Sprintf("%q %q %q %q %q %q %s %q %q %d %q %v", e.Topic, e.Key, e.ID, e.Source, e.Type, e.Subject, e.Time, e.Correlation, e.Causation, e.Sequence, e.TraceParent, e.Data)
}
