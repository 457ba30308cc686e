package dataset_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/soak"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestBuiltInSpec(t *testing.T) {
	s := parseSpec(t, string(data.TelcoSpec))
	if s.Model != "churn-classifier" || s.Experiment != "asfotec-churn" || s.Key != "customerID" || len(s.Columns) != 19 {
		t.Errorf("spec %+v", s)
	}
	if s.Target != (dataset.Target{Column: "Churn", Positive: "Yes", Negative: "No"}) {
		t.Errorf("target %+v", s.Target)
	}
	if c := s.Columns[18]; c.Name != "TotalCharges" || c.Missing != dataset.MissingZero || c.Min == nil || *c.Min != 0 {
		t.Errorf("column %+v", c)
	}
	if len(s.Slices.Columns) != 4 || *s.Cost != (dataset.Cost{FalsePositive: 1, FalseNegative: 4}) {
		t.Errorf("slices %+v, cost %+v", s.Slices, s.Cost)
	}
	if c := s.Columns[0]; c.Missing != dataset.MissingError {
		t.Errorf("a blank gender is %q, want an error unless the spec says otherwise", c.Missing)
	}
}

func TestSpecDefaults(t *testing.T) {
	s := parseSpec(t, strings.Replace(small, "split: {test: 0.3, validation: 0.3}", "", 1))
	if s.Split != (dataset.Split{Test: 0.2, Validation: 0.15}) {
		t.Errorf("split %+v", s.Split)
	}
	if s.Gate != (dataset.Gate{MinAUC: 0.82, MinAccuracy: 0.78, BaselineStage: "Production", Policy: churn.Refresh, Margin: 0.01, Alpha: 0.05}) {
		t.Errorf("gate %+v", s.Gate)
	}
	if len(s.Slices.Columns) != 0 || s.Slices.MinRows != 100 || s.Slices.MinOfEachClass != 10 || s.Cost != nil {
		t.Errorf("slices %+v, cost %v", s.Slices, s.Cost)
	}
	if s.Training.NumLeaves != 31 || s.Training.Seed != 42 {
		t.Errorf("training %+v", s.Training)
	}
}

func TestSpecErrorsNameTheField(t *testing.T) {
	edit := func(from, to string) string {
		if !strings.Contains(small, from) {
			t.Fatalf("%q is not in the spec", from)
		}
		return strings.Replace(small, from, to, 1)
	}
	column := "{name: c, kind: categorical}"
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "version is 0, want 1"},
		{"not YAML", "\t: [", "not valid YAML"},
		{"another form", "- 1\n- 2\n", "not valid YAML of the expected form"},
		{"unknown field", small + "colour: red\n", "colour"},
		{"field twice", small + "name: other\n", "name"},
		{"version", edit("version: 1", "version: 2"), "version is 2, want 1"},
		{"name", edit("name: small", "name: a b"), `name is "a b"`},
		{"model", edit("model: m", "model: ../m"), `model is "../m"`},
		{"experiment", edit("experiment: e", `experiment: ""`), `experiment is ""`},
		{"key", edit("key: id", "key: ' id'"), `key is " id"`},
		{"key with NUL", edit("key: id", `key: "i\0d"`), "key is"},
		{"target column", edit("column: y", `column: ""`), `target.column is ""`},
		{"labels", edit(`negative: "no"`, `negative: "yes"`), `target.positive and target.negative are both "yes"`},
		{"key is the target", edit("key: id", "key: Y"), `key and target.column are both "Y"`},
		{"share of the hold-out", edit("test: 0.3", "test: 1"), "split.test is 1"},
		{"share of the validation", edit("validation: 0.3", "validation: 0"), "split.validation is 0"},
		{"no number", edit("test: 0.3", "test: .nan"), "split.test is NaN"},
		{"salt", edit("test: 0.3", "salt: "+strings.Repeat("s", 257)), "split.salt has 257 bytes"},
		{"no columns", small[:strings.Index(small, "columns:")], "columns: there are 0"},
		{"too many columns", edit("columns:", "columns:"+many(2000)), "columns: there are 2002, want 1 to 2000"},
		{"column twice", edit(column, "{name: N, kind: categorical}"), `columns[1].name "n" is columns[0], too`},
		{"column is the key", edit(column, "{name: ID, kind: categorical}"), `columns[0].name "ID" is key, too`},
		{"reserved name", edit(column, "{name: __c, kind: categorical}"), "columns[0] (__c): a name must not begin with __"},
		{"name with =", edit(column, "{name: a=b, kind: categorical}"), "columns[0] (a=b): a name must not begin with __ or hold ="},
		{"kind", edit(column, "{name: c, kind: text}"), `columns[0] (c): kind is "text", want categorical or numeric`},
		{"missing of a category", edit(column, "{name: c, kind: categorical, missing: zero}"), `columns[0] (c): missing is "zero"`},
		{"bounds of a category", edit(column, "{name: c, kind: categorical, min: 1}"), "columns[0] (c): min and max are for numeric columns"},
		{"missing of a number", edit("missing: zero", "missing: category"), `columns[1] (n): missing is "category"`},
		{"bounds", edit("max: 100", "max: -1"), "columns[1] (n): min 0 is above max -1"},
		{"infinite bound", edit("max: 100", "max: .inf"), "columns[1] (n): min and max must be finite"},
		{"slices by no column", small + "slices: {columns: [zip]}\n", `slices.columns[0] is "zip", which is none of the columns`},
		{"slices by a number", small + "slices: {columns: [c, n]}\n", "slices.columns[1] is n, which is not categorical"},
		{"slices by one column twice", small + "slices: {columns: [c, C]}\n", "slices.columns[1]: c is there twice"},
		{"slices by many", small + "slices: {columns: [" + strings.Repeat("c, ", 21) + "]}\n", "slices.columns: there are 21; at most 20"},
		{"slices of no rows", small + "slices: {min_rows: 0}\n", "slices.min_rows is 0, less than 1"},
		{"slices of one class", small + "slices: {min_of_each_class: 1}\n", "slices.min_of_each_class is 1, less than 2"},
		{"a mistake for nothing", small + "cost: {false_positive: 1}\n", "cost.false_negative is 0, not above 0"},
		{"a mistake without end", small + "cost: {false_positive: .inf, false_negative: 1}\n", "cost.false_positive is +Inf"},
		{"a mistake of no size", small + "cost: {false_positive: .nan, false_negative: 1}\n", "cost.false_positive is NaN"},
		{"too large", small + "# " + strings.Repeat("x", dataset.MaxSpec), "at most 262144 are allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := dataset.ParseSpec([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) || !churn.IsKind(err, churn.Invalid) {
				t.Errorf("kind %v: %v\nwant %s", churn.KindOf(err), err, test.want)
			}
		})
	}
}

// A text that is made to keep a parser busy is refused at once, rather than
// looked at for minutes or gigabytes.
func TestSpecsThatAreMadeToHurt(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	for name, text := range map[string]string{
		"aliases of aliases":       bomb + "columns: *a12\n",
		"aliases of long text":     "name: &n " + strings.Repeat("x", 1000) + "\ncolumns:\n" + strings.Repeat("- {name: *n, kind: numeric}\n", 8000),
		"alias of itself":          "columns: &c [{name: a}, *c]",
		"open brackets":            strings.Repeat("[", dataset.MaxSpec),
		"open braces":              strings.Repeat("{a: ", dataset.MaxSpec/4),
		"nested lists":             strings.Repeat("- ", dataset.MaxSpec/2),
		"nested keys":              strings.Repeat("? ", dataset.MaxSpec/2),
		"one field over and over":  strings.Repeat("a:\n", dataset.MaxSpec/3),
		"tags":                     strings.Repeat("!!str ", dataset.MaxSpec/6),
		"anchors":                  strings.Repeat("&a ", dataset.MaxSpec/3),
		"escapes":                  `name: "` + strings.Repeat(`\n`, dataset.MaxSpec/2-4) + `"`,
		"comments":                 strings.Repeat("# c\n", dataset.MaxSpec/4),
		"documents":                strings.Repeat("---\n", dataset.MaxSpec/4),
		"block scalars":            strings.Repeat("a: |\n", dataset.MaxSpec/5),
		"merges":                   "a: &a {b: c}\nd: {" + strings.Repeat("<<: *a, ", 30_000) + "}",
		"nesting by deeper indent": deeper(700),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := dataset.ParseSpec([]byte(text)); !churn.IsKind(err, churn.Invalid) {
				t.Errorf("kind %v: %v", churn.KindOf(err), err)
			}
		})
	}
}

func deeper(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\n  - {name: c%d, kind: numeric}", i)
	}
	return b.String()
}

func TestPlanFillsInTheSpec(t *testing.T) {
	s := parseSpec(t, string(data.TelcoSpec))
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600))
	source, spec := &artifactv1.Artifact{Uri: "s3://b/d"}, &artifactv1.Artifact{Uri: "s3://b/s"}
	plan, err := s.Plan(&eventv1.RetrainRequested{}, source, spec, at)
	if err != nil {
		t.Fatal(err)
	}
	want := &eventv1.Plan{
		Model: "churn-classifier", Experiment: "asfotec-churn", Dataset: source, Spec: spec,
		Split: &eventv1.Split{Test: 0.2, Validation: 0.15},
		Training: &eventv1.Training{
			NumLeaves: 64, LearningRate: 0.05, NumIterations: 500, EarlyStoppingRound: 30, MinDataInLeaf: 20,
			FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
		},
		Gate:        &eventv1.Gate{MinAuc: 0.82, MinAccuracy: 0.78, BaselineStage: "Production", Policy: churn.Refresh, Margin: 0.01, Alpha: 0.05},
		RequestedAt: "2026-01-02T02:04:05.0000006Z",
	}
	if !proto.Equal(plan, want) {
		t.Errorf("plan %v\nwant %v", plan, want)
	}
	for asked, want := range map[int32]int32{1: 0, 2: 2, churn.MaxMachines: churn.MaxMachines} {
		if plan, err := s.Plan(&eventv1.RetrainRequested{Machines: asked}, source, spec, at); err != nil || plan.GetMachines() != want {
			t.Errorf("%d machines are planned as %d, want %d: %v", asked, plan.GetMachines(), want, err)
		}
	}
}

// A request's setting counts even where it is the type's zero.
func TestRequestOverridesTheSpec(t *testing.T) {
	s := parseSpec(t, string(data.TelcoSpec))
	r := &eventv1.RetrainRequested{
		Model: "m2", Experiment: "e2", GitSha: "abc", RequestedBy: "me", Reason: "why",
		Split:    &eventv1.SplitOverrides{Test: proto.Float64(0.3), Salt: proto.String("s")},
		Training: &eventv1.TrainingOverrides{NumLeaves: proto.Int32(15), EarlyStoppingRound: proto.Int32(0), Seed: proto.Int32(0)},
		Gate:     &eventv1.GateOverrides{MinAuc: proto.Float64(0), DryRun: proto.Bool(true), BaselineStage: proto.String("Staging")},
	}
	plan, err := s.Plan(r, nil, nil, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if plan.GetModel() != "m2" || plan.GetExperiment() != "e2" || plan.GetGitSha() != "abc" || plan.GetRequestedBy() != "me" || plan.GetReason() != "why" {
		t.Errorf("plan %v", plan)
	}
	if sp := plan.GetSplit(); sp.GetTest() != 0.3 || sp.GetSalt() != "s" || sp.GetValidation() != 0.15 {
		t.Errorf("split %v", sp)
	}
	if tr := plan.GetTraining(); tr.GetNumLeaves() != 15 || tr.GetEarlyStoppingRound() != 0 || tr.GetSeed() != 0 || tr.GetMaxBin() != 255 {
		t.Errorf("training %v", tr)
	}
	if g := plan.GetGate(); g.GetMinAuc() != 0 || !g.GetDryRun() || g.GetBaselineStage() != "Staging" || g.GetMinAccuracy() != 0.78 {
		t.Errorf("gate %v", g)
	}
}

func TestPlanErrorsNameTheSetting(t *testing.T) {
	s := parseSpec(t, string(data.TelcoSpec))
	for want, r := range map[string]*eventv1.RetrainRequested{
		`model is "a/b"`:              {Model: "a/b"},
		"split.test is 1":             {Split: &eventv1.SplitOverrides{Test: proto.Float64(1)}},
		"training.num_leaves is 1":    {Training: &eventv1.TrainingOverrides{NumLeaves: proto.Int32(1)}},
		"training.learning_rate is 0": {Training: &eventv1.TrainingOverrides{LearningRate: proto.Float64(0)}},
		"training.seed is -1":         {Training: &eventv1.TrainingOverrides{Seed: proto.Int32(-1)}},
		"gate.min_auc is 1.5":         {Gate: &eventv1.GateOverrides{MinAuc: proto.Float64(1.5)}},
		"gate.margin is 0":            {Gate: &eventv1.GateOverrides{Margin: proto.Float64(0)}},
		"gate.alpha is 0.6":           {Gate: &eventv1.GateOverrides{Alpha: proto.Float64(0.6)}},
		`gate.policy is "hope"`:       {Gate: &eventv1.GateOverrides{Policy: proto.String("hope")}},
		"machines is 17":              {Machines: 17},
		"machines is -1":              {Machines: -1},
		"machines is 2 beside a search": {
			Machines: 2, Search: &eventv1.Search{Trials: 2, Dimensions: []*eventv1.Dimension{{Parameter: "num_leaves", Low: 7, High: 63}}},
		},
		`gate.baseline_stage is "../x"`: {Gate: &eventv1.GateOverrides{BaselineStage: proto.String("../x")}},
	} {
		_, err := s.Plan(r, nil, nil, time.Unix(0, 0))
		if err == nil || !strings.Contains(err.Error(), want) || !churn.IsKind(err, churn.Invalid) {
			t.Errorf("kind %v: %v\nwant %s", churn.KindOf(err), err, want)
		}
	}
}

// Whatever the text is, parsing ends, and what is accepted can be planned with
// and read with.
func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(small))
	f.Add(data.TelcoSpec)
	for _, seed := range []string{
		"", "&a [*a]", "a: &a {b: *a}", "{{", "!!binary x", "version: !!int 1", "---\n---\n", "? a\n: b", "<<: *x", "columns: [&c {name: x}, *c, *c]",
		"key: |\n  a\n b", "version: 0x1", "split: {test: 1e400}", "%YAML 1.2\n---\nversion: 1",
	} {
		f.Add([]byte(seed))
	}
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		s, err := dataset.ParseSpec(text)
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) {
				t.Fatalf("kind %v: %v", churn.KindOf(err), err)
			}
			return
		}
		if _, err := s.Plan(&eventv1.RetrainRequested{}, nil, nil, time.Unix(0, 0)); err != nil && !churn.IsKind(err, churn.Invalid) {
			t.Fatal(err)
		}
		if _, _, err := readAll(strings.NewReader("id,c,n,y\nk,a,1,no\n"), s); err != nil && !churn.IsKind(err, churn.Invalid) {
			t.Fatal(err)
		}
	})
}
