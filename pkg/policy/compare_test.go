package policy_test

import (
	"math"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// beside judges a candidate by the policy, and returns the rule about the champion.
func beside(name string, look int64, c *eventv1.Comparison) *eventv1.Rule {
	rules := policy.Judge(&eventv1.Gate{Policy: name, Margin: 0.01, Alpha: 0.05}, policy.Evidence{
		Candidate: metrics(0.84, 0.8), Champion: metrics(0.84, 0.8), ChampionVersion: 3, Comparison: c, Look: look,
	})
	return rules[len(rules)-1]
}

func TestBeside(t *testing.T) {
	for name, c := range map[string]struct {
		policy            string
		look              int64
		difference, error float64
		passed            bool
		say               string
	}{
		"just as good":               {churn.Refresh, 1, 0, 0.003, true, "shown to be no worse than the champion, version 3, by 0.01 or more: hold-out AUC differs by +0.0000 ± 0.0030"},
		"a little worse":             {churn.Refresh, 1, -0.003, 0.003, true, ""},
		"worse by the margin":        {churn.Refresh, 1, -0.01, 0.003, false, "not shown to be no worse"},
		"too few rows":               {churn.Refresh, 1, 0, 0.01, false, "The hold-out is too small to tell: with these rows a margin of 0.0272 could be shown"},
		"identical":                  {churn.Refresh, 1, 0, 0, true, ""},
		"better, by refresh":         {churn.Refresh, 1, 0.02, 0.005, true, ""},
		"after many looks":           {churn.Refresh, 20, 0, 0.003, false, "at most 7.6e-05 is asked for"},
		"better":                     {churn.MustBeBetter, 1, 0.02, 0.005, true, "shown to be better than the champion, version 3"},
		"perhaps better":             {churn.MustBeBetter, 1, 0.005, 0.005, false, "With these rows a difference of 0.0136 would be shown in 80 of 100 cases"},
		"just as good is not better": {churn.MustBeBetter, 1, 0, 0.003, false, ""},
		"identical is not better":    {churn.MustBeBetter, 1, 0, 0, false, ""},
		"not a number":               {churn.Refresh, 1, math.NaN(), 0.003, false, ""},
	} {
		r := beside(c.policy, c.look, &eventv1.Comparison{AucDifference: c.difference, AucError: c.error})
		if r.GetPassed() != c.passed || !strings.Contains(r.GetExplanation(), c.say) {
			t.Errorf("%s: passed %v: %s", name, r.GetPassed(), r.GetExplanation())
		}
	}
	if r := beside(churn.Refresh, 1, nil); r.GetPassed() || !strings.Contains(r.GetExplanation(), "older evaluator") {
		t.Errorf("without a comparison: %v", r)
	}
}

// All looks together spend no more than alpha.
func TestSpending(t *testing.T) {
	sum := 0.0
	for look := int64(1); look <= 100_000; look++ {
		sum += beside(churn.Refresh, look, &eventv1.Comparison{}).GetBound()
	}
	if sum >= 0.05 || sum < 0.0499 {
		t.Errorf("all looks spend %v of 0.05", sum)
	}
}
