package policy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// everything holds of what full returns.
var everything = []string{
	`candidate.f1 == 0.6 && candidate.calibration_error < 0.05`,
	`math.abs(candidate.calibration_slope - 1.0) < 0.1`,
	`champion.exists && champion.version == 3 && champion.auc == 0.84 && look == 1`,
	`comparison.exists && comparison.auc.low > 0 && comparison.mcnemar_p > 0.05 && comparison.only_candidate > comparison.only_champion`,
	`p_above(comparison.auc, 0) < 0.001 && p_above(comparison.auc, 0.01) == 0.5 && p_below(comparison.log_loss, 0.0) < 0.01`,
	`detectable(comparison.auc, 0.05, 0.8) < 0.0075`,
	`has_slices && slices.all(s, s.rows >= 300 && s.champion_metrics.auc > 0.7)`,
	`slices.exists(s, s.column == "Contract" && s.auc.high < 0)`,
	`slices.filter(s, s.value.matches("^Two")).size() == 1`,
	`slices.where("Contract", "Two year").positives == 30`,
	`drift.exists && drift.drifted == 1 && drift.level == 0.05`,
	`drift.columns.all(c, c.psi < 0.25 || c.drifted && c.unseen_rows > 0)`,
	`drift.column("PaymentMethod").unseen == ["Crypto", "Cash"] && drift.column("tenure").ks_p == 0.5`,
	`data.exists && data.rows > 7000 && data.positive_rate > 0.2 && data.duplicate_share < 0.01`,
	`data.columns.all(c, c.missing_share < 0.01) && data.column("TotalCharges").missing_share == 0.0016`,
	`operating_point.exists && operating_point.cost <= 0.4 && operating_point.false_negative_cost == 5.0`,
	`gate.min_auc == 0.82 && gate.min_accuracy == 0.78 && gate.margin == 0.01 && gate.alpha < 0.05 && gate.baseline_stage == "Production"`,
	`has(champion.auc) && [1, 2].exists(i, i > 1) && (candidate.auc > 0.9 ? false : true)`,
}

func TestEverythingCanBeLookedAt(t *testing.T) {
	for _, e := range everything {
		r := judge(t, own(t, "holds: >-\n    "+e), full())[0]
		if !r.GetPassed() || r.GetExpression() != e || len(r.GetValues()) == 0 {
			t.Errorf("%s: %s", e, r.GetExplanation())
		}
	}
}

// What is not there, or is no number, makes a rule fail that looks at it, with words.
func TestWhatCannotBeJudged(t *testing.T) {
	bare := func() *eventv1.ModelEvaluated { return evaluated(&eventv1.Gate{}, metrics(0.8, 0.8), nil) }
	odd := bare()
	odd.Metrics.Auc, odd.Metrics.LogLoss = math.NaN(), math.Inf(1)
	compared := full()
	compared.Comparison = &eventv1.Comparison{}
	alone := full()
	alone.Slices[0].Auc, alone.Slices[0].ChampionMetrics = nil, nil
	for _, test := range []struct {
		m          *eventv1.ModelEvaluated
		holds, say string
	}{
		{bare(), "champion.auc < 1", "champion.auc: there is no champion: give the rule `when: champion.exists`"},
		{bare(), "!(champion.auc > 1)", "there is no champion"},
		{bare(), "comparison.auc.high > -1", "comparison.auc: there is no champion"},
		{bare(), "p_above(comparison.auc, 0) < 1", "there is no champion"},
		{bare(), "slices.all(s, s.auc.high > -0.02)", "the evaluation has no slices"},
		{bare(), "drift.drifted == 0", "drift from the champion's training data is not known"},
		{bare(), "drift.columns.all(c, !c.drifted)", "drift from the champion's training data is not known"},
		{bare(), "data.rows > 1", "the evaluation does not say what the data is like"},
		{bare(), "operating_point.threshold < 1", "no operating point was chosen"},
		{bare(), "candidate.calibration_error < 0.1", "candidate.calibration_error: it is not told: the evaluation is of an older evaluator"},
		{odd, "candidate.auc < 0.9", "candidate.auc is NaN, which is no finite number"},
		{odd, "candidate.auc != 0.9", "candidate.auc is NaN"},
		{odd, "candidate.auc > 0.7 || candidate.accuracy > 0.7", "candidate.auc is NaN"},
		{odd, "candidate.log_loss > 0.1", "candidate.log_loss is +Inf"},
		{bare(), "candidate.auc / 0.0 > 1", "candidate.auc / 0.0 is +Inf"},
		{bare(), "look / 0 == 1", "division by zero"},
		{compared, "comparison.f1.value < 1", "comparison.f1: it is not told"},
		{alone, "slices.all(s, s.auc.value > -1)", `slices.where("Contract", "Month-to-month").auc: it is not told`},
		{alone, "slices[0].champion_metrics.auc > 0", "they are not told"},
		{full(), "slices[7].rows > 0", "index out of bounds"},
		{full(), `slices.where("Contract", "One year").rows > 0`, `there is no slice of "Contract" with value "One year"`},
		{full(), `data.column("age").missing_share < 1`, `data has no column "age"`},
		{full(), "detectable(comparison.auc, 0.0, 0.8) > 0", "must be above 0 and below 1"},
	} {
		r := judge(t, own(t, "holds: >-\n    "+test.holds), test.m)[0]
		if r.GetPassed() || !strings.Contains(r.GetExplanation(), test.say) {
			t.Errorf("%s: passed %v: %s\nwant %q", test.holds, r.GetPassed(), r.GetExplanation(), test.say)
		}
	}
	r := judge(t, own(t, "when: champion.version > 1", "holds: true"), bare())[0]
	if r.GetPassed() || !strings.Contains(r.GetExplanation(), "it cannot be told whether the rule applies: champion.version: there is no champion") {
		t.Errorf("a guard that cannot be told: %v", r)
	}
}

// A rule whose guard is not so is no part of the verdict.
func TestGuards(t *testing.T) {
	m := evaluated(&eventv1.Gate{}, metrics(0.8, 0.8), nil)
	for guard, want := range map[string]int{
		"champion.exists": 1, "comparison.exists": 1, "has_slices": 1, "drift.exists": 1, "data.exists": 1, "operating_point.exists": 1,
		"!champion.exists": 2, "!drift.exists || drift.drifted > 3": 2,
	} {
		if rules := judge(t, own(t, "when: '"+guard+"'", "holds: true"), m); len(rules) != want {
			t.Errorf("%s: %d rules, want %d", guard, len(rules), want)
		}
	}
}

// A verdict has every value that its expression looked at, in its order, under the
// name that reads it; and no more than a reader can take in.
func TestValues(t *testing.T) {
	r := judge(t, own(t, "holds: slices.all(s, s.auc.high >= -0.02) && candidate.auc > 0.8"), full())[0]
	want := []*eventv1.RuleValue{
		{Name: `slices.where("Contract", "Month-to-month").auc.high`, Value: "0.02"},
		{Name: `slices.where("Contract", "Two year").auc.high`, Value: "-0.04"},
	}
	if got := r.GetValues(); len(got) != 2 || !proto.Equal(got[0], want[0]) || !proto.Equal(got[1], want[1]) {
		t.Errorf("values %v", got)
	}
	if say := `does not hold: slices.where("Contract", "Month-to-month").auc.high = 0.02, slices.where("Contract", "Two year").auc.high = -0.04`; r.GetPassed() || !strings.HasSuffix(r.GetExplanation(), say) {
		t.Errorf("explained as %s", r.GetExplanation())
	}
	m := full()
	for i := range 300 {
		m.Data.Columns = append(m.Data.Columns, &eventv1.ColumnQuality{Name: fmt.Sprint(strings.Repeat("x", 300), i)})
	}
	r = judge(t, own(t, "holds: data.columns.all(c, c.missing_share < 0.5)"), m)[0]
	if last := r.GetValues()[100]; len(r.GetValues()) != 101 || last.GetValue() != "202 more" || len(r.GetValues()[50].GetName()) > 200 {
		t.Errorf("%d values, the last is %v", len(r.GetValues()), last)
	}
}

// Value and bound of a verdict are the sides of a comparison of two numbers.
func TestSides(t *testing.T) {
	for holds, want := range map[string][2]float64{
		"candidate.auc * 2.0 >= 1.5":                                      {1.7, 1.5},
		"drift.drifted <= 2":                                              {1, 2},
		"0.5 < candidate.f1":                                              {0.5, 0.6},
		"drift.columns.filter(c, c.psi > 0.2).size() == 1":                {1, 1},
		"candidate.auc > 0.8 && candidate.f1 > 0.1":                       {},
		"gate.baseline_stage == 'Production'":                             {},
		"drift.column('tenure').psi <= drift.column('PaymentMethod').psi": {0.01, 0.31},
	} {
		r := judge(t, own(t, "holds: "+holds), full())[0]
		if !r.GetPassed() || r.GetValue() != want[0] || r.GetBound() != want[1] {
			t.Errorf("%s: passed %v, value %v, bound %v: %s", holds, r.GetPassed(), r.GetValue(), r.GetBound(), r.GetExplanation())
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"plain":             "plain",
		"{{braces}} {look}": "{braces} 1",
		"AUC {candidate.auc} at {%.2g gate.alpha} or {%+.1f 1.25}":            "AUC 0.8500 at 0.03 or +1.2",
		"{value} against {bound}, {%.2f value}":                               "0.8500 against 0.8000, 0.85",
		"stage {gate.baseline_stage}, {champion.exists}":                      "stage Production, true",
		"{slices.filter(s, s.auc.high < 0).map(s, s.column + ' ' + s.value)}": "Contract Two year",
		"{drift.column('PaymentMethod').unseen}":                              "Crypto, Cash",
		"{data.column('age').missing_share}":                                  "(unknown)",
	} {
		r := judge(t, own(t, "holds: candidate.auc > 0.8", `says: "`+text+`"`), full())[0]
		if !r.GetPassed() || r.GetExplanation() != want {
			t.Errorf("%s: %q, want %q", text, r.GetExplanation(), want)
		}
	}
	r := judge(t, own(t, "holds: candidate.auc > 0.9", "otherwise: too low", "notes: [{says: one}, {when: 'false', says: two}, {when: champion.exists, says: three}]"), full())[0]
	if r.GetExplanation() != "too low. one. three" {
		t.Errorf("%q", r.GetExplanation())
	}
}

var update = flag.Bool("update", false, "write the golden decisions anew")

// The verdicts of every built-in policy, in full.
func TestGoldenVerdicts(t *testing.T) {
	worse := full()
	worse.Metrics.Auc, worse.Comparison.Auc = 0.81, &eventv1.Difference{Value: -0.03, Error: 0.004}
	first := full()
	first.Champion, first.ChampionMetrics, first.Comparison, first.Drift = nil, nil, nil, nil
	for _, name := range policy.BuiltIns() {
		all := map[string][]*eventv1.Rule{}
		for of, m := range map[string]*eventv1.ModelEvaluated{"better": full(), "worse": worse, "first": first} {
			all[of] = judge(t, builtIn(t, name), m)
		}
		got, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", append(got, '\n'))
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s: judged as\n%s\nrun `go test ./policy -run TestGolden -update` if that is meant", path, got)
	}
}

// The built-in policies say what the formulas say, and the same each time.
func TestBuiltInsAreTheFormulas(t *testing.T) {
	unit := rapid.Float64Range(0, 1)
	rapid.Check(t, func(t *rapid.T) {
		gate := &eventv1.Gate{
			Policy: rapid.SampledFrom([]string{"", churn.Refresh, churn.MustBeBetter}).Draw(t, "policy"), MinAuc: unit.Draw(t, "min_auc"),
			MinAccuracy: unit.Draw(t, "min_accuracy"), Margin: unit.Draw(t, "margin"), Alpha: rapid.Float64Range(0, 0.5).Draw(t, "alpha"),
		}
		m := evaluated(gate, metrics(unit.Draw(t, "auc"), unit.Draw(t, "accuracy")), metrics(unit.Draw(t, "champion"), 0.8))
		d := stat.Estimate{Value: rapid.Float64Range(-0.05, 0.05).Draw(t, "difference"), Error: rapid.Float64Range(0, 0.02).Draw(t, "error")}
		m.Comparison = &eventv1.Comparison{AucDifference: d.Value, AucError: d.Error}
		e := policy.Evidence{Evaluated: m, Look: rapid.Int64Range(1, 30).Draw(t, "look")}

		n := float64(e.Look)
		alpha := gate.GetAlpha() * 6 / (math.Pi * math.Pi * n * n)
		want := []bool{m.GetMetrics().GetAuc() >= gate.GetMinAuc(), m.GetMetrics().GetAccuracy() >= gate.GetMinAccuracy()}
		var p float64
		switch gate.GetPolicy() {
		case churn.Refresh:
			p = d.PAbove(-gate.GetMargin())
			want = append(want, p <= alpha)
		case churn.MustBeBetter:
			p = d.PAbove(0)
			want = append(want, p <= alpha)
		default:
			p = m.GetMetrics().GetAuc()
			want = append(want, p >= m.GetChampionMetrics().GetAuc())
		}
		rulebook, err := policy.For(t.Context(), nil, gate)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := rulebook.Judge(e)
		if err != nil || len(rules) != len(want) {
			t.Fatalf("%v, %v", rules, err)
		}
		for i, r := range rules {
			if r.GetPassed() != want[i] {
				t.Errorf("%s: passed %v, want %v: %s", r.GetName(), r.GetPassed(), want[i], r.GetExplanation())
			}
		}
		if rules[2].GetValue() != p {
			t.Errorf("%s judged %v, want %v", rules[2].GetName(), rules[2].GetValue(), p)
		}
		again, err := rulebook.Judge(e)
		for i := range again {
			if err != nil || !proto.Equal(again[i], rules[i]) {
				t.Errorf("%v, and again %v (%v)", rules[i], again[i], err)
			}
		}
	})
}
