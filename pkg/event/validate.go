package event

import (
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Validate looks at the values in the event's data, as every stage needs them:
// required fields, names, URIs, digests, sizes and ranges. Its error is Invalid
// and names every field that is wrong.
func Validate(e Event) error {
	c := &checker{}
	c.message(e.Data)
	return churn.E("event.Validate", churn.Invalid, c.err())
}

func (c *checker) message(m proto.Message) {
	switch m := m.(type) {
	case *eventv1.RetrainRequested:
		c.request(m)
	case *eventv1.FeaturesReady:
		c.plan(m.GetPlan())
		c.features(m.GetFeatures())
		c.trial(m.GetTrial(), m.GetTrials())
		c.own(m.GetTraining())
		c.within("rung", float64(m.GetRung()), 0, maxRounds)
	case *eventv1.ModelTrained:
		c.plan(m.GetPlan())
		c.features(m.GetFeatures())
		c.trial(m.GetTrial(), m.GetTrials())
		c.own(m.GetTraining())
		c.outcome(m)
		c.within("round", float64(m.GetRound()), 0, maxRounds)
		c.within("rung", float64(m.GetRung()), 0, maxRounds)
	case *eventv1.ModelEvaluated:
		c.plan(m.GetPlan())
		c.features(m.GetFeatures())
		c.candidate(m.GetCandidate())
		c.evaluation(m.GetEvaluation())
		c.metrics("metrics", m.GetMetrics())
		c.champion(m.GetChampion(), m.GetChampionMetrics())
		c.comparison(m)
		c.findings(m)
		c.within("trial", float64(m.GetTrial()), 0, maxTrials)
		c.own(m.GetTraining())
		c.within("round", float64(m.GetRound()), 0, maxRounds)
	case *eventv1.ModelPromoted:
		c.promoted(m)
	case *eventv1.ModelRejected:
		c.rejected(m)
	case *eventv1.ApprovalRequested:
		c.approvalRequested(m)
	case *eventv1.ApprovalDecided:
		c.approvalDecided(m)
	case *eventv1.RollbackRequested:
		c.segment("model", m.GetModel())
		c.optional("stage", m.GetStage())
		c.within("to_version", float64(m.GetToVersion()), 0, maxCount)
		c.within("from_version", float64(m.GetFromVersion()), 0, maxCount)
		c.required("requested_by", m.GetRequestedBy())
		c.required("reason", m.GetReason())
	case *eventv1.OverrideRequested:
		c.segment("model", m.GetModel())
		c.segment("run", m.GetRun())
		c.required("requested_by", m.GetRequestedBy())
		c.required("reason", m.GetReason())
	case *eventv1.CancelRequested:
		c.optional("model", m.GetModel())
		c.segment("run", m.GetRun())
		c.required("requested_by", m.GetRequestedBy())
		c.required("reason", m.GetReason())
	case *eventv1.RunFailed:
		c.segment("run", m.GetRun())
		c.optional("model", m.GetModel())
		c.required("stage", m.GetStage())
		c.text("kind", m.GetKind())
		c.text("operation", m.GetOperation())
		c.required("message", m.GetMessage())
		c.within("attempts", float64(m.GetAttempts()), 0, maxCount)
	case *eventv1.RunProgress:
		c.segment("run", m.GetRun())
		c.required("stage", m.GetStage())
		c.text("activity", m.GetActivity())
		c.within("done", float64(m.GetDone()), 0, maxCount)
		c.within("total", float64(m.GetTotal()), 0, maxCount)
		c.text("metric", m.GetMetric())
		c.finite("value", m.GetValue())
		c.text("tracking_run", m.GetTrackingRun())
	case nil:
		c.fail("data", "is missing")
	default:
		c.fail("data", "is a %s, which is no event", m.ProtoReflect().Descriptor().FullName())
	}
}

func (c *checker) request(m *eventv1.RetrainRequested) {
	c.optional("model", m.GetModel())
	c.optional("experiment", m.GetExperiment())
	c.source("dataset", m.GetDataset())
	if m.GetSpec() != nil {
		c.source("spec", m.GetSpec())
	}
	if s := m.GetSplit(); s != nil {
		c.in("split")
		c.over("test", s.Test, c.share)
		c.over("validation", s.Validation, c.share)
		c.text("salt", s.GetSalt())
		c.out()
	}
	if t := m.GetTraining(); t != nil {
		c.trainingOverrides(t)
	}
	if g := m.GetGate(); g != nil {
		c.in("gate")
		c.over("min_auc", g.MinAuc, c.unit)
		c.over("min_accuracy", g.MinAccuracy, c.unit)
		c.optional("baseline_stage", g.GetBaselineStage())
		c.optional("policy", g.GetPolicy())
		c.over("margin", g.Margin, c.unit)
		c.over("alpha", g.Alpha, c.unit)
		if g.GetPolicyDocument() != nil {
			c.source("policy_document", g.GetPolicyDocument())
		}
		c.out()
	}
	c.text("git_sha", m.GetGitSha())
	c.text("requested_by", m.GetRequestedBy())
	c.text("reason", m.GetReason())
	c.search(m.GetSearch())
	c.within("machines", float64(m.GetMachines()), 0, churn.MaxMachines)
}

func (c *checker) plan(p *eventv1.Plan) {
	if p == nil {
		c.fail("plan", "is missing")
		return
	}
	c.in("plan")
	defer c.out()
	c.segment("model", p.GetModel())
	c.segment("experiment", p.GetExperiment())
	c.artifact("dataset", p.GetDataset())
	c.artifact("spec", p.GetSpec())
	c.in("split")
	c.share("test", p.GetSplit().GetTest())
	c.share("validation", p.GetSplit().GetValidation())
	c.text("salt", p.GetSplit().GetSalt())
	c.out()
	c.training(p.GetTraining())
	c.in("gate")
	c.unit("min_auc", p.GetGate().GetMinAuc())
	c.unit("min_accuracy", p.GetGate().GetMinAccuracy())
	c.segment("baseline_stage", p.GetGate().GetBaselineStage())
	c.optional("policy", p.GetGate().GetPolicy())
	c.unit("margin", p.GetGate().GetMargin())
	c.unit("alpha", p.GetGate().GetAlpha())
	c.written("policy_document", p.GetGate().GetPolicyDocument())
	c.out()
	c.text("git_sha", p.GetGitSha())
	c.text("requested_by", p.GetRequestedBy())
	c.text("reason", p.GetReason())
	c.time("requested_at", p.GetRequestedAt())
	c.search(p.GetSearch())
	c.within("machines", float64(p.GetMachines()), 0, churn.MaxMachines)
}

func (c *checker) features(f *eventv1.FeatureSet) {
	c.in("features")
	defer c.out()
	c.artifact("table", f.GetTable())
	c.artifact("preprocessor", f.GetPreprocessor())
	c.artifact("profile", f.GetProfile())
	c.within("train_rows", float64(f.GetTrainRows()), 1, maxCount)
	c.within("validation_rows", float64(f.GetValidationRows()), 0, maxCount)
	c.within("holdout_rows", float64(f.GetHoldoutRows()), 0, maxCount)
}

func (c *checker) trial(trial, trials int32) {
	c.within("trials", float64(trials), 1, maxTrials)
	c.within("trial", float64(trial), 0, float64(max(trials, 1)-1))
}

func (c *checker) candidate(t *eventv1.TrainedModel) {
	c.in("candidate")
	defer c.out()
	c.artifact("model", t.GetModel())
	c.artifact("training", t.GetTraining())
	c.artifact("importances", t.GetImportances())
	c.artifact("importances_plot", t.GetImportancesPlot())
	c.artifact("reference_scores", t.GetReferenceScores())
	c.digest("trees_sha256", t.GetTreesSha256())
	c.within("iterations", float64(t.GetIterations()), 0, maxCount)
	c.unit("validation_auc", t.GetValidationAuc())
	c.unit("folds_auc", t.GetFoldsAuc())
	c.written("contributions", t.GetContributions())
}

func (c *checker) evaluation(e *eventv1.Evaluation) {
	c.in("evaluation")
	defer c.out()
	c.artifact("evaluation", e.GetEvaluation())
	c.artifact("scores", e.GetScores())
	c.artifact("roc_plot", e.GetRocPlot())
	c.artifact("pr_plot", e.GetPrPlot())
	c.artifact("calibration_plot", e.GetCalibrationPlot())
	c.artifact("report", e.GetReport())
}

// champion checks the champion and its metrics, which come together.
func (c *checker) champion(m *eventv1.Champion, metrics *eventv1.Metrics) {
	if m == nil {
		if metrics != nil {
			c.fail("champion_metrics", "is there without a champion")
		}
		return
	}
	c.metrics("champion_metrics", metrics)
	c.in("champion")
	defer c.out()
	c.within("version", float64(m.GetVersion()), 1, maxCount)
	c.within("generation", float64(m.GetGeneration()), 1, maxCount)
	c.segment("run", m.GetRun())
	c.artifact("model", m.GetModel())
	c.artifact("preprocessor", m.GetPreprocessor())
}

// source checks an artifact of which a request need only name the URI.
func (c *checker) source(field string, a *artifactv1.Artifact) {
	c.in(field)
	defer c.out()
	c.uri(a.GetUri())
	if a.GetSha256() != "" {
		c.digest("sha256", a.GetSha256())
	}
	c.within("size", float64(a.GetSize()), 0, maxSize)
	c.text("media_type", a.GetMediaType())
}

// written checks an artifact that a stage may have written: its events of before
// it did have none.
func (c *checker) written(field string, a *artifactv1.Artifact) {
	if a != nil {
		c.artifact(field, a)
	}
}

// artifact checks an artifact that a stage wrote.
func (c *checker) artifact(field string, a *artifactv1.Artifact) {
	c.in(field)
	defer c.out()
	c.uri(a.GetUri())
	c.digest("sha256", a.GetSha256())
	c.within("size", float64(a.GetSize()), 0, maxSize)
	c.text("media_type", a.GetMediaType())
}
