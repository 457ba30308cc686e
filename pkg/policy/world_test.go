package policy_test

import (
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func metrics(auc, accuracy float64) *eventv1.Metrics {
	return &eventv1.Metrics{Auc: auc, Accuracy: accuracy}
}

// evaluated returns the evaluation of a candidate, beside champion version 3 if
// metrics of one are given.
func evaluated(gate *eventv1.Gate, candidate, champion *eventv1.Metrics) *eventv1.ModelEvaluated {
	m := &eventv1.ModelEvaluated{Plan: &eventv1.Plan{Gate: gate}, Metrics: candidate, ChampionMetrics: champion}
	if champion != nil {
		m.Champion = &eventv1.Champion{Version: 3}
	}
	return m
}

// full returns an evaluation that has everything.
func full() *eventv1.ModelEvaluated {
	m := evaluated(&eventv1.Gate{MinAuc: 0.82, MinAccuracy: 0.78, Margin: 0.01, Alpha: 0.05, BaselineStage: "Production"}, metrics(0.85, 0.8), metrics(0.84, 0.8))
	m.Metrics.F1, m.Metrics.AveragePrecision, m.Metrics.CalibrationError, m.Metrics.CalibrationSlope = 0.6, 0.65, 0.02, 1.05
	m.Comparison = &eventv1.Comparison{
		AucDifference: 0.01, AucError: 0.003, OnlyCandidate: 20, OnlyChampion: 15, McnemarP: 0.5,
		Auc:     &eventv1.Difference{Value: 0.01, Error: 0.003, Low: 0.0041, High: 0.0159},
		LogLoss: &eventv1.Difference{Value: -0.01, Error: 0.004, Low: -0.018, High: -0.002},
	}
	m.Slices = []*eventv1.Slice{
		{
			Column: "Contract", Value: "Month-to-month", Rows: 770, Positives: 330, Metrics: metrics(0.75, 0.7), ChampionMetrics: metrics(0.74, 0.7),
			Auc: &eventv1.Difference{Value: 0.01, Error: 0.005, Low: 0, High: 0.02},
		},
		{
			Column: "Contract", Value: "Two year", Rows: 330, Positives: 30, Metrics: metrics(0.7, 0.9), ChampionMetrics: metrics(0.76, 0.9),
			Auc: &eventv1.Difference{Value: -0.06, Error: 0.01, Low: -0.08, High: -0.04},
		},
	}
	m.Drift = &eventv1.Drift{ChampionVersion: 3, Level: 0.05, Drifted: 1, Columns: []*eventv1.ColumnDrift{
		{Name: "tenure", Psi: 0.01, PsiP: 0.6, Ks: 0.02, KsP: 0.5, Q: 0.7},
		{Name: "PaymentMethod", Psi: 0.31, PsiP: 0.0001, KsP: 1, Q: 0.0004, Drifted: true, Unseen: []string{"Crypto", "Cash"}, UnseenRows: 12},
	}}
	m.Data = &eventv1.DataQuality{Rows: 7043, PositiveRate: 0.27, DuplicateShare: 0.001, Columns: []*eventv1.ColumnQuality{
		{Name: "tenure"}, {Name: "TotalCharges", MissingShare: 0.0016},
	}}
	m.OperatingPoint = &eventv1.OperatingPoint{Threshold: 0.31, FalsePositiveCost: 1, FalseNegativeCost: 5, Cost: 0.4}
	return m
}

// builtIn returns a built-in policy.
func builtIn(t testing.TB, name string) *policy.Policy {
	t.Helper()
	p, err := policy.For(t.Context(), nil, &eventv1.Gate{Policy: name})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rulebook returns a policy of the rules, whose text is given.
func rulebook(rules string) string {
	return "version: 1\nname: own\nrules:\n" + rules
}

// own reads a policy of one rule.
func own(t testing.TB, rule ...string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(rulebook("- name: own\n  " + strings.Join(rule, "\n  ") + "\n- name: other\n  holds: true\n")))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// judge judges an evaluation, at its first look if there is a champion.
func judge(t testing.TB, p *policy.Policy, m *eventv1.ModelEvaluated) []*eventv1.Rule {
	t.Helper()
	look := int64(0)
	if m.GetChampion() != nil {
		look = 1
	}
	rules, err := p.Judge(policy.Evidence{Evaluated: m, Look: look})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
