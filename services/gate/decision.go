package gate

import (
	"fmt"
	"strings"

	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// DocumentVersion is the version of decision.json's shape. A change that a
// reader would stumble over is a new version.
const DocumentVersion = 1

// Outcome is what was decided.
type Outcome string

// The outcomes.
const (
	Promoted Outcome = "promoted"
	Rejected Outcome = "rejected"
	// Superseded decides nothing: the champion has changed since the evaluation,
	// and the candidate is evaluated again beside the new one.
	Superseded Outcome = "superseded"
)

// Document is decision.json: the decision with everything that it rests on.
type Document struct {
	Version            int                `json:"version"`
	Model              string             `json:"model"`
	Run                string             `json:"run"`
	Round              int32              `json:"round"`
	Outcome            Outcome            `json:"outcome"`
	Reason             string             `json:"reason"`
	DryRun             bool               `json:"dry_run"` // as the request said
	Policy             Policy             `json:"policy"`
	Rules              []Rule             `json:"rules"`
	Metrics            map[string]float64 `json:"metrics"`
	Champion           *Champion          `json:"champion"` // that was compared with; null if there was none
	Stage              string             `json:"stage"`    // of the registry, that is promoted to
	Promotion          *Promotion         `json:"promotion"`
	ModelSHA256        string             `json:"model_sha256"`
	TreesSHA256        string             `json:"trees_sha256"`
	PreprocessorSHA256 string             `json:"preprocessor_sha256"`
	EvaluationSHA256   string             `json:"evaluation_sha256"`
	DatasetSHA256      string             `json:"dataset_sha256"`
	SpecSHA256         string             `json:"spec_sha256"`
}

// Policy is what the candidate must be shown to be beside a champion, and how much
// chance it is given.
type Policy struct {
	Name    string  `json:"name"`              // refresh, must-be-better; empty: its AUC is not below
	Margin  float64 `json:"margin"`            // of refresh, a difference of AUC
	Alpha   float64 `json:"alpha"`             // over all looks at the hold-out
	Holdout string  `json:"holdout,omitempty"` // empty where there was no champion
	Look    int64   `json:"look,omitempty"`    // how often it was looked at to compare with a champion, this time included
}

// Rule is one rule, what it saw and what it said.
type Rule struct {
	Name        string  `json:"name"`
	Passed      bool    `json:"passed"`
	Value       float64 `json:"value"`
	Bound       float64 `json:"bound"`
	Explanation string  `json:"explanation"`
}

// Champion is the version that the candidate was compared with.
type Champion struct {
	Version    int64              `json:"version"`
	Generation int64              `json:"generation"`
	Run        string             `json:"run"`
	Metrics    map[string]float64 `json:"metrics"` // on the same rows
}

// Promotion is what came of a promotion.
type Promotion struct {
	Version         int64 `json:"version"`
	Generation      int64 `json:"generation"`
	PreviousVersion int64 `json:"previous_version"` // 0 if there was none
}

// decision is the document with the rules as events carry them.
type decision struct {
	Document
	rules []*eventv1.Rule
}

// judge applies the rules. The outcome is not final if it is Promoted.
func judge(run string, m *eventv1.ModelEvaluated, l look) *decision {
	plan := m.GetPlan()
	gate := plan.GetGate()
	d := &decision{
		Document: Document{
			Version: DocumentVersion, Model: plan.GetModel(), Run: run, Round: m.GetRound(),
			DryRun: gate.GetDryRun(), Stage: gate.GetBaselineStage(),
			Policy:             Policy{gate.GetPolicy(), gate.GetMargin(), gate.GetAlpha(), l.Holdout, l.Number},
			Metrics:            values(m.GetMetrics()),
			ModelSHA256:        m.GetCandidate().GetModel().GetSha256(),
			TreesSHA256:        m.GetCandidate().GetTreesSha256(),
			PreprocessorSHA256: m.GetFeatures().GetPreprocessor().GetSha256(),
			EvaluationSHA256:   m.GetEvaluation().GetEvaluation().GetSha256(),
			DatasetSHA256:      plan.GetDataset().GetSha256(),
			SpecSHA256:         plan.GetSpec().GetSha256(),
		},
		rules: policy.Judge(gate, policy.Evidence{
			Candidate: m.GetMetrics(), Champion: m.GetChampionMetrics(), ChampionVersion: m.GetChampion().GetVersion(),
			Comparison: m.GetComparison(), Look: l.Number,
		}),
	}
	if c := m.GetChampion(); c != nil {
		d.Champion = &Champion{c.GetVersion(), c.GetGeneration(), c.GetRun(), values(m.GetChampionMetrics())}
	}
	for _, r := range d.rules {
		d.Rules = append(d.Rules, Rule{r.GetName(), r.GetPassed(), r.GetValue(), r.GetBound(), r.GetExplanation()})
	}
	d.Outcome, d.Reason = d.verdict()
	return d
}

func (d *decision) verdict() (Outcome, string) {
	failed := policy.Failed(d.rules)
	switch {
	case len(failed) > 0:
		var why []string
		for _, r := range failed {
			why = append(why, fmt.Sprintf("%s (%s)", r.GetExplanation(), r.GetName()))
		}
		return Rejected, strings.Join(why, "; ")
	case d.DryRun:
		return Rejected, "dry run: every rule passed, and nothing was promoted"
	default:
		return Promoted, "every rule passed"
	}
}

// passedDryRun reports whether only the dry run stood in the way.
func (d *decision) passedDryRun() bool { return d.DryRun && len(policy.Failed(d.rules)) == 0 }

func values(m *eventv1.Metrics) map[string]float64 {
	return map[string]float64{
		"auc": m.GetAuc(), "accuracy": m.GetAccuracy(), "f1": m.GetF1(),
		"log_loss": m.GetLogLoss(), "brier": m.GetBrier(), "ks": m.GetKs(),
	}
}
