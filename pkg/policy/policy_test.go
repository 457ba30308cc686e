package policy_test

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestPlain(t *testing.T) {
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
		"not a number":          {metrics(math.NaN(), 0.8), metrics(0.85, 0.8), "min_auc no_regression", "candidate.auc is NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := judge(t, builtIn(t, ""), evaluated(gate, test.candidate, test.champion))
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

// beside judges a candidate by the policy, and returns the rule about the champion.
func beside(t testing.TB, name string, look int64, c *eventv1.Comparison) *eventv1.Rule {
	t.Helper()
	m := evaluated(&eventv1.Gate{Policy: name, Margin: 0.01, Alpha: 0.05}, metrics(0.84, 0.8), metrics(0.84, 0.8))
	m.Comparison = c
	rules, err := builtIn(t, name).Judge(policy.Evidence{Evaluated: m, Look: look})
	if err != nil {
		t.Fatal(err)
	}
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
		"not a number":               {churn.Refresh, 1, math.NaN(), 0.003, false, "comparison.auc.value is NaN"},
		"an error that is none":      {churn.Refresh, 1, 0.02, math.NaN(), false, "comparison.auc.error is NaN"},
	} {
		r := beside(t, c.policy, c.look, &eventv1.Comparison{AucDifference: c.difference, AucError: c.error})
		if r.GetPassed() != c.passed || !strings.Contains(r.GetExplanation(), c.say) {
			t.Errorf("%s: passed %v: %s", name, r.GetPassed(), r.GetExplanation())
		}
	}
	if r := beside(t, churn.Refresh, 1, nil); r.GetPassed() || !strings.Contains(r.GetExplanation(), "older evaluator") {
		t.Errorf("without a comparison: %v", r)
	}
}

// All looks together spend no more than alpha.
func TestSpending(t *testing.T) {
	sum := 0.0
	for look := int64(1); look <= 10_000; look++ {
		sum += beside(t, churn.Refresh, look, &eventv1.Comparison{}).GetBound()
	}
	if sum >= 0.05 || sum < 0.0499 {
		t.Errorf("all looks spend %v of 0.05", sum)
	}
}

// A document that the gate names is read, verified and used rather than the one of
// the policy's name.
func TestFor(t *testing.T) {
	store := memory.New("churn")
	put := func(key, text string) *blob.Artifact {
		a, err := store.Put(t.Context(), key, "application/yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	good := put("policies/good.yaml", rulebook("- name: f1\n  holds: candidate.f1 > 0.5"))
	other := put("policies/other.yaml", rulebook("- name: f1\n  holds: candidate.f1 > 0.6"))
	refresh, _ := policy.BuiltIn(churn.Refresh)
	stored := put("policies/refresh.yaml", string(refresh))
	for name, test := range map[string]struct {
		gate *eventv1.Gate
		name string // of the policy; empty: none
		say  string
	}{
		"built in":       {&eventv1.Gate{Policy: churn.MustBeBetter}, churn.MustBeBetter, ""},
		"before choices": {&eventv1.Gate{}, policy.Plain, ""},
		"document":       {&eventv1.Gate{Policy: churn.Refresh, PolicyDocument: good}, "own", ""},
		"built in, kept": {&eventv1.Gate{Policy: churn.Refresh, PolicyDocument: stored}, churn.Refresh, ""},
		"unknown":        {&eventv1.Gate{Policy: "fresh"}, "", `there is no policy "fresh": it is one of refresh, must-be-better`},
		"not there":      {&eventv1.Gate{PolicyDocument: &blob.Artifact{Uri: "s3://churn/policies/no.yaml", Sha256: strings.Repeat("0", 64), Size: 3}}, "", "no.yaml"},
		"changed":        {&eventv1.Gate{PolicyDocument: &blob.Artifact{Uri: other.GetUri(), Sha256: good.GetSha256(), Size: good.GetSize()}}, "", "changed or damaged"},
		"no digest":      {&eventv1.Gate{PolicyDocument: &blob.Artifact{Uri: good.GetUri(), Size: good.GetSize()}}, "", "without a SHA-256"},
		"too large":      {&eventv1.Gate{PolicyDocument: put("policies/large.yaml", strings.Repeat("#", policy.MaxDocument+1))}, "", "larger than the limit"},
		"no policy":      {&eventv1.Gate{PolicyDocument: put("policies/none.yaml", "a: 1")}, "", "s3://churn/policies/none.yaml: the policy is not valid YAML"},
	} {
		p, err := policy.For(t.Context(), store, test.gate)
		if test.name == "" && (err == nil || !strings.Contains(err.Error(), test.say)) {
			t.Errorf("%s: %v, want %q", name, err, test.say)
		}
		if test.name != "" && (err != nil || p.Name != test.name) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if p, err := policy.For(t.Context(), store, &eventv1.Gate{PolicyDocument: good}); err != nil || p.SHA256 != good.GetSha256() {
		t.Errorf("the digest is %s (%v), want %s", p.SHA256, err, good.GetSha256())
	}
}

// Every built-in policy can be had by its name, and asks nobody.
func TestBuiltIns(t *testing.T) {
	for _, name := range policy.BuiltIns() {
		if p := builtIn(t, name); p.Name != name || p.Approval != nil || p.Description == "" || len(p.Rules) != 3 {
			t.Errorf("%s is %+v", name, p)
		}
	}
	if _, ok := policy.BuiltIn("../builtin/plain"); ok {
		t.Error("a path is no policy")
	}
}

func TestNothingToJudge(t *testing.T) {
	if _, err := builtIn(t, "").Judge(policy.Evidence{}); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("%v", err)
	}
	if _, err := new(policy.Policy).Judge(policy.Evidence{Evaluated: full()}); !churn.IsKind(err, churn.Internal) {
		t.Errorf("by no rules: %v", err)
	}
}

func BenchmarkJudge(b *testing.B) {
	p := builtIn(b, churn.Refresh)
	e := policy.Evidence{Evaluated: full(), Look: 1}
	for b.Loop() {
		if _, err := p.Judge(e); err != nil {
			b.Fatal(err)
		}
	}
}

// One policy judges at several places at once.
func TestAtOnce(t *testing.T) {
	p, m := builtIn(t, churn.Refresh), full()
	want := judge(t, p, m)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				rules, err := p.Judge(policy.Evidence{Evaluated: m, Look: 1})
				if err != nil || !slices.EqualFunc(rules, want, func(a, b *eventv1.Rule) bool { return proto.Equal(a, b) }) {
					t.Errorf("%v, %v", rules, err)
				}
			}
		})
	}
	group.Wait()
}
