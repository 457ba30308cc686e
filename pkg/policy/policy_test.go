package policy_test

import (
	"math"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func metrics(auc, accuracy float64) *eventv1.Metrics {
	return &eventv1.Metrics{Auc: auc, Accuracy: accuracy}
}

func TestJudge(t *testing.T) {
	gate := &eventv1.Gate{MinAuc: 0.82, MinAccuracy: 0.78}
	for name, test := range map[string]struct {
		candidate, champion *eventv1.Metrics
		failed              string // names, in order
		say                 string // in the explanation of the first that failed
	}{
		"good, no champion":     {metrics(0.84, 0.80), nil, "", ""},
		"on the thresholds":     {metrics(0.82, 0.78), nil, "", ""},
		"AUC too low":           {metrics(0.8199, 0.80), nil, "min_auc", "hold-out AUC 0.8199 is below 0.8200, the threshold"},
		"by very little":        {metrics(math.Nextafter(0.82, 0), 0.80), nil, "min_auc", "0.8199999999999998 is below 0.8200000000000000"},
		"accuracy too low":      {metrics(0.84, 0.77), nil, "min_accuracy", "hold-out accuracy 0.7700 is below 0.7800"},
		"equal to the champion": {metrics(0.84, 0.80), metrics(0.84, 0.81), "", ""},
		"worse than it":         {metrics(0.84, 0.80), metrics(0.85, 0.79), "no_regression", "is below 0.8500, that of the champion, version 3"},
		"everything wrong":      {metrics(0.5, 0.5), metrics(0.85, 0.8), "min_auc min_accuracy no_regression", "0.5000"},
		"not a number":          {metrics(math.NaN(), 0.8), metrics(0.85, 0.8), "min_auc no_regression", "NaN is below"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := policy.Judge(gate, policy.Evidence{Candidate: test.candidate, Champion: test.champion, ChampionVersion: 3})
			if want := map[bool]int{false: 2, true: 3}[test.champion != nil]; len(rules) != want {
				t.Errorf("%d rules, want %d", len(rules), want)
			}
			var failed []string
			for _, r := range policy.Failed(rules) {
				failed = append(failed, r.GetName())
			}
			if got := strings.Join(failed, " "); got != test.failed {
				t.Fatalf("failed: %q, want %q", got, test.failed)
			}
			if test.say != "" && !strings.Contains(policy.Failed(rules)[0].GetExplanation(), test.say) {
				t.Errorf("explanation %q lacks %q", policy.Failed(rules)[0].GetExplanation(), test.say)
			}
		})
	}
}
