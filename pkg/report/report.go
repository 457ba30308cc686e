// Package report is report.html: all that is known about a candidate, for people,
// with the decision on it once there is one, and its model card.
package report

import (
	"bytes"
	_ "embed" // report.html
	"html/template"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/shap"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

//go:embed report.html
var source string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"png":     png,
	"number":  number,
	"signed":  signed,
	"pvalue":  pvalue,
	"percent": percent,
	"count":   count,
	"cut":     cut,
}).Parse(source))

// Page is what a report is made of.
type Page struct {
	Evaluation    *evaluation.Document // complete, as evaluation.Parse returns it
	Made          Made
	Contributions *shap.Document // nil: of before there were any
	Decision      *Decision      // nil: there is none yet
	Images
}

// Images are PNGs. One that is empty is left out.
type Images struct{ ROC, PR, Calibration, Importances []byte }

// Made is an event that names what the candidate was made from.
type Made interface {
	GetPlan() *eventv1.Plan
	GetFeatures() *eventv1.FeatureSet
	GetCandidate() *eventv1.TrainedModel
}

// Decision is what was decided on the candidate, and why.
type Decision struct {
	Outcome      string // promoted, rejected or superseded
	Kind         string // retrain, rollback or override
	Reason       string
	Run          string // that was decided on; not the evaluation's of a rollback or override
	Stage        string // of the registry
	Version      int64  // 0 unless promoted
	Previous     int64  // that it has replaced; 0 if there was none
	RequestedBy  string // may be empty
	Policy       string // name; empty if none was asked
	PolicySHA256 string
	Look         int64 // how often the hold-out was looked at to compare; 0: it was not
	Rules        []*eventv1.Rule
	Approval     *Approval // nil: nobody was asked
}

// Approval is what a person has decided.
type Approval struct {
	Verdict   string // approved, denied or lapsed
	DecidedBy string // empty if lapsed
	DecidedAt string
	Reason    string
}

// Render returns report.html: one page without scripts, times of its own or
// anything to fetch, so that it reads the same wherever it is kept.
func Render(p Page) ([]byte, error) {
	var out bytes.Buffer
	if err := page.Execute(&out, p.view()); err != nil {
		return nil, churn.E("report.Render", churn.Internal, err)
	}
	return out.Bytes(), nil
}
