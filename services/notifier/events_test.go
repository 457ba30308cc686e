package notifier_test

import (
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// reply returns an event of the topic in the run that the request asks for.
func reply(request string, topic churn.Topic, data proto.Message) event.Event {
	e := event.Event{
		Topic: churn.RetrainRequested, Key: model, ID: request, Source: "/test", Type: churn.RetrainRequested.Type(), Time: at,
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	return e.Reply(churn.Gate, topic, 0, model, data)
}

func artifact(name string) *artifactv1.Artifact {
	const sum = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	return &artifactv1.Artifact{Uri: "s3://churn/" + name, Sha256: sum, Size: 17, MediaType: "text/plain"}
}

func plan() *eventv1.Plan {
	return &eventv1.Plan{
		Model: model, Experiment: "asfotec-churn", Dataset: artifact("data.csv"), Spec: artifact("spec.yaml"),
		Split: &eventv1.Split{Test: 0.2, Validation: 0.2, Salt: "v1"},
		Training: &eventv1.Training{
			NumLeaves: 31, LearningRate: 0.05, NumIterations: 500, MinDataInLeaf: 20, FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
		},
		Gate:        &eventv1.Gate{MinAuc: 0.82, MinAccuracy: 0.78, BaselineStage: churn.ServingStage, Policy: churn.Refresh, Margin: 0.01, Alpha: 0.05},
		RequestedBy: "nightly", Reason: "fresh data", RequestedAt: "2026-01-31T12:00:00Z",
	}
}

func features() *eventv1.FeatureSet {
	return &eventv1.FeatureSet{
		Table: artifact("features.parquet"), Preprocessor: artifact("preprocessor.json"), Profile: artifact("profile.json"),
		TrainRows: 4500, ValidationRows: 1100, HoldoutRows: 1400,
	}
}

func candidate() *eventv1.TrainedModel {
	return &eventv1.TrainedModel{
		Model: artifact("model.txt"), Training: artifact("training.json"), Importances: artifact("importances.json"),
		ImportancesPlot: artifact("importances.png"), ReferenceScores: artifact("scores.parquet"),
		TreesSha256: artifact("").GetSha256(), Iterations: 80, ValidationAuc: 0.85,
	}
}

func evaluation() *eventv1.Evaluation {
	return &eventv1.Evaluation{
		Evaluation: artifact("evaluation.json"), Scores: artifact("scores.parquet"), RocPlot: artifact("roc.png"),
		PrPlot: artifact("pr.png"), CalibrationPlot: artifact("calibration.png"), Report: artifact("evaluator/report.html"),
	}
}

func metrics(auc float64) *eventv1.Metrics {
	return &eventv1.Metrics{Auc: auc, Accuracy: 0.8, F1: 0.56, LogLoss: 0.41, Brier: 0.135, Ks: 0.53}
}

func rules(reached bool) []*eventv1.Rule {
	return []*eventv1.Rule{
		{Name: "min_auc", Explanation: "hold-out AUC 0.8443 is at least 0.82", Value: 0.8443, Bound: 0.82, Passed: true},
		{Name: "non_inferior", Explanation: "AUC is shown not to be below the champion's by 0.01", Value: 0.002, Bound: 0.05, Passed: reached},
	}
}

func promoted(request string) event.Event {
	return reply(request, churn.ModelPromoted, &eventv1.ModelPromoted{
		Plan: plan(), Model: model, Version: 4, Generation: 4, PreviousVersion: 3, Run: churn.RunID(request),
		Features: features(), Candidate: candidate(), Evaluation: evaluation(), Metrics: metrics(0.8443), Rules: rules(true),
		Decision: artifact("decision.json"), Report: artifact("gate/report.html"),
		Approval: &eventv1.Approval{ApprovalId: "approval-7", DecidedBy: "adam", Reason: "looked at the slices", DecidedAt: "2026-01-31T13:00:00Z"},
	})
}

func rolledBack(request string) event.Event {
	e := promoted(request)
	m := e.Data.(*eventv1.ModelPromoted)
	m.Approval, m.Rollback = nil, &eventv1.Rollback{RequestedBy: "olga", Reason: "complaints since Tuesday"}
	m.Version, m.PreviousVersion = 3, 4
	return e
}

func rejected(request string) event.Event {
	return reply(request, churn.ModelRejected, &eventv1.ModelRejected{
		Plan: plan(), Model: model, Run: churn.RunID(request), ChampionVersion: 3,
		Reason:  "AUC is not shown not to be below the champion's by 0.01 (non_inferior)",
		Metrics: metrics(0.8312), Rules: rules(false), Decision: artifact("decision.json"), Evaluation: evaluation(),
	})
}

func failed(request string) event.Event {
	return reply(request, churn.RunFailed, &eventv1.RunFailed{
		Model: model, Run: churn.RunID(request), Stage: "featurizer", Kind: "invalid", Operation: "dataset.Read",
		Message: "dataset.Read: line 4: the column TotalCharges holds \"abc\", which is no number", Attempts: 1,
	})
}

func approvalRequested(request string) event.Event {
	return reply(request, churn.ApprovalRequested, &eventv1.ApprovalRequested{
		Model: model, Run: churn.RunID(request), ChampionVersion: 3, ChampionGeneration: 3, ExpiresAt: "2026-02-03T12:00:00Z",
		Summary: "put the candidate into Production: hold-out AUC 0.8443, every rule passed",
		Plan:    plan(), Metrics: metrics(0.8443), ChampionMetrics: metrics(0.8401), Rules: rules(true), Evaluation: evaluation(),
	})
}

func approvalDecided(request string) event.Event {
	return reply(request, churn.ApprovalDecided, &eventv1.ApprovalDecided{
		Model: model, Run: churn.RunID(request), ApprovalId: "approval-7", Approved: true, DecidedBy: "adam", Reason: "looked at the slices",
	})
}

// evil is text that would be a header, a mention, a link, a tag or another line.
const evil = "x\r\nBcc: all@example.com\n\n<!channel> <https://evil.example|click> & <script>alert(1)</script> \u202egnol \x00 `*_~"

// hostile is an outcome whose every text is evil.
func hostile(request string) event.Event {
	e := rejected(request)
	m := e.Data.(*eventv1.ModelRejected)
	m.Reason = evil
	m.Plan.RequestedBy, m.Plan.Reason = evil, evil
	m.Rules[1].Name, m.Rules[1].Explanation = evil, evil
	m.Approval = &eventv1.Approval{ApprovalId: evil, DecidedBy: evil, Reason: evil, DecidedAt: "2026-01-31T13:00:00Z"}
	return e
}

// outcomes are events of every kind that is told of.
var outcomes = map[string]func(request string) event.Event{
	"promoted": promoted, "rolled-back": rolledBack, "rejected": rejected, "failed": failed,
	"approval-requested": approvalRequested, "approval-decided": approvalDecided, "hostile": hostile,
}
