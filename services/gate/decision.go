package gate

import (
	"fmt"
	"strings"

	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// DocumentVersion is the version of decision.json's shape. A change that a
// reader would stumble over is a new version.
const DocumentVersion = 2

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

// Kind is what was asked for.
type Kind string

// The kinds.
const (
	Retrain  Kind = "retrain"
	Rollback Kind = "rollback"
	Override Kind = "override"
)

// Document is decision.json: the decision with everything that it rests on.
type Document struct {
	Version     int                `json:"version"`
	Kind        Kind               `json:"kind"`
	Model       string             `json:"model"`
	Run         string             `json:"run"`        // that is decided on
	TrainedBy   string             `json:"trained_by"` // run that trained the version; another one of a rollback or override
	Round       int32              `json:"round"`
	Outcome     Outcome            `json:"outcome"`
	Reason      string             `json:"reason"`
	RequestedBy string             `json:"requested_by"` // who asked for the run; may be empty
	DryRun      bool               `json:"dry_run"`      // as the request said
	Policy      *Policy            `json:"policy"`       // null of a rollback
	Rules       []Rule             `json:"rules"`        // none of a rollback
	Approval    *Approval          `json:"approval"`     // null if nobody was asked
	Rejection   string             `json:"rejection_id"` // model-rejected event that is overridden; empty unless one is
	Metrics     map[string]float64 `json:"metrics"`      // on the hold-out
	Champion    *Champion          `json:"champion"`     // that was compared with; null if there was none
	Stage       string             `json:"stage"`        // of the registry, that is promoted to
	Promotion   *Promotion         `json:"promotion"`    // null unless promoted
	Digests
}

// Digests are the SHA-256 of what the version was made from.
type Digests struct {
	ModelSHA256        string `json:"model_sha256"`
	TreesSHA256        string `json:"trees_sha256"`
	PreprocessorSHA256 string `json:"preprocessor_sha256"`
	EvaluationSHA256   string `json:"evaluation_sha256"`
	DatasetSHA256      string `json:"dataset_sha256"`
	SpecSHA256         string `json:"spec_sha256"`
}

// Policy is what the candidate was judged by.
type Policy struct {
	Name    string  `json:"name"`              // of the document; refresh and must-be-better are built in
	SHA256  string  `json:"sha256"`            // of the document
	Margin  float64 `json:"margin"`            // of refresh, a difference of AUC
	Alpha   float64 `json:"alpha"`             // over all looks at the hold-out
	Holdout string  `json:"holdout,omitempty"` // empty where there was no champion
	Look    int64   `json:"look,omitempty"`    // how often it was looked at to compare with a champion, this time included
}

// Rule is one rule, what it saw and what it said.
type Rule struct {
	Name        string  `json:"name"`
	Passed      bool    `json:"passed"`
	Expression  string  `json:"expression"` // in CEL
	Values      []Value `json:"values"`     // in the expression's order
	Value       float64 `json:"value"`
	Bound       float64 `json:"bound"`
	Explanation string  `json:"explanation"`
}

// Value is what an expression saw under a name.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Approval is a question and its answer.
type Approval struct {
	ID        string `json:"id"`         // of the approval-requested event
	ExpiresAt string `json:"expires_at"` // RFC 3339
	Approved  bool   `json:"approved"`
	Expired   bool   `json:"expired"`    // nobody decided in time
	DecidedBy string `json:"decided_by"` // empty if expired
	Reason    string `json:"reason"`
	DecidedAt string `json:"decided_at"` // RFC 3339
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

// judge returns what follows from the rules' verdicts. The outcome is not final if
// it is Promoted.
func judge(run string, m *eventv1.ModelEvaluated, p *policy.Policy, l look, rules []*eventv1.Rule) *decision {
	gate := m.GetPlan().GetGate()
	d := candidate(run, m, rules)
	d.Policy = &Policy{p.Name, p.SHA256, gate.GetMargin(), gate.GetAlpha(), l.Holdout, l.Number}
	d.Outcome, d.Reason = d.verdict(p.Approval)
	return d
}

// candidate returns what is to be said of a run's candidate before anything is
// decided.
func candidate(run string, m *eventv1.ModelEvaluated, rules []*eventv1.Rule) *decision {
	plan := m.GetPlan()
	d := &decision{
		Document: Document{
			Version: DocumentVersion, Kind: Retrain, Model: plan.GetModel(), Run: run, TrainedBy: run, Round: m.GetRound(),
			RequestedBy: plan.GetRequestedBy(), DryRun: plan.GetGate().GetDryRun(), Stage: plan.GetGate().GetBaselineStage(),
			Rules: ruled(rules), Metrics: values(m.GetMetrics()), Digests: digests(plan, m),
		},
		rules: rules,
	}
	if c := m.GetChampion(); c != nil {
		d.Champion = &Champion{c.GetVersion(), c.GetGeneration(), c.GetRun(), values(m.GetChampionMetrics())}
	}
	return d
}

// made is a message that names what a version was made from.
type made interface {
	GetCandidate() *eventv1.TrainedModel
	GetFeatures() *eventv1.FeatureSet
	GetEvaluation() *eventv1.Evaluation
}

func digests(plan *eventv1.Plan, m made) Digests {
	return Digests{
		ModelSHA256:        m.GetCandidate().GetModel().GetSha256(),
		TreesSHA256:        m.GetCandidate().GetTreesSha256(),
		PreprocessorSHA256: m.GetFeatures().GetPreprocessor().GetSha256(),
		EvaluationSHA256:   m.GetEvaluation().GetEvaluation().GetSha256(),
		DatasetSHA256:      plan.GetDataset().GetSha256(),
		SpecSHA256:         plan.GetSpec().GetSha256(),
	}
}

// ruled returns the rules as decision.json has them.
func ruled(rules []*eventv1.Rule) []Rule {
	all := make([]Rule, len(rules))
	for i, r := range rules {
		saw := make([]Value, len(r.GetValues()))
		for j, v := range r.GetValues() {
			saw[j] = Value{v.GetName(), v.GetValue()}
		}
		all[i] = Rule{r.GetName(), r.GetPassed(), r.GetExpression(), saw, r.GetValue(), r.GetBound(), r.GetExplanation()}
	}
	return all
}

// verdict says what follows from the rules. a is the policy's demand for approval,
// if it has one.
func (d *decision) verdict(a *policy.Approval) (Outcome, string) {
	failed := policy.Failed(d.rules)
	switch {
	case len(failed) > 0:
		var why []string
		for _, r := range failed {
			why = append(why, fmt.Sprintf("%s (%s)", r.GetExplanation(), r.GetName()))
		}
		return Rejected, strings.Join(why, "; ")
	case d.DryRun && a != nil:
		return Rejected, "dry run: every rule passed, and nobody was asked for approval"
	case d.DryRun:
		return Rejected, "dry run: every rule passed, and nothing was promoted"
	case a != nil && a.NotByRequester && d.RequestedBy == "":
		return Rejected, unasked
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
