package churn

import "path"

// Names of the artifacts of one run, under runs/<run>/<service>/.
const (
	FeaturesTable    = "features.parquet"
	PreprocessorJSON = "preprocessor.json"
	ProfileJSON      = "profile.json"

	ModelText       = "model.txt"
	TrainingJSON    = "training.json"
	ImportancesJSON = "importances.json"
	ImportancesPNG  = "importances.png"
	ReferenceScores = "reference_scores.parquet"
	Contributions   = "contributions.json"

	EvaluationJSON  = "evaluation.json"
	ScoresTable     = "scores.parquet"
	ROCPlot         = "roc.png"
	PRPlot          = "pr.png"
	CalibrationPlot = "calibration.png"
	ReportHTML      = "report.html"

	DecisionJSON  = "decision.json"
	CancelledJSON = "cancelled.json"
)

// ArtifactKey returns the object key of a run's artifact.
func ArtifactKey(run string, s Service, name ...string) string {
	return path.Join(append([]string{"runs", run, string(s)}, name...)...)
}

// Digest-named inputs: datasets/<sha256>.csv, specs/<sha256>.yaml and
// policies/<sha256>.yaml.

// DatasetKey returns the object key of a dataset with the given digest.
func DatasetKey(sha256 string) string { return "datasets/" + sha256 + ".csv" }

// SpecKey returns the object key of a dataset spec with the given digest.
func SpecKey(sha256 string) string { return "specs/" + sha256 + ".yaml" }

// PolicyKey returns the object key of a policy with the given digest.
func PolicyKey(sha256 string) string { return "policies/" + sha256 + ".yaml" }
