package mlflow

import (
	"regexp"

	"github.com/asfotec/churn/pkg/churn"
)

// A name is one element of a key, and safe between quotes in a filter.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func checkName(op, what, n string) error {
	if !name.MatchString(n) {
		return churn.Errorf(op, churn.Invalid,
			"%.200q cannot be the name of a %s: it must begin with a letter or digit and hold at most 128 letters, digits, dots, dashes and underscores", n, what)
	}
	return nil
}

// Tags by which what belongs to the pipeline is found again.
const (
	tagRun     = "churn.run"     // the pipeline's id of the run
	tagTrial   = "churn.trial"   // of a child run
	tagStage   = "churn.stage."  // and the stage: "done" once all it had to say is recorded
	tagVersion = "churn.version" // the authority's number of a version

	tagParent = "mlflow.parentRunId"
)

// tag is a tag or a parameter, as MLflow's API has them.
type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// valueOf returns the value under the key.
func valueOf(tags []tag, key string) (value string, ok bool) {
	for _, t := range tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}
