package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/shap"
	"github.com/asfotec/churn/pkg/soak"
	"github.com/asfotec/churn/pkg/stat"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const hostile = `</code><script>alert(1)</script><img src=x onerror="alert(2)">`

// whole is a page with everything in it; every text that comes from outside is
// the given one.
func whole(text string) Page {
	measures := map[string]evaluation.Measure{}
	for m := stat.AUC; m <= stat.KS; m++ {
		measures[m.String()] = evaluation.Measure{Value: 0.5, Low: 0.4, High: 0.6}
	}
	slope, intercept := 0.97, -0.04
	one := evaluation.Judgement{
		Metrics: measures, ModelSHA256: text, PreprocessorSHA256: text, Unseen: map[string]int64{text: 2},
		Confusion: stat.Confusion{TruePositives: 11, FalsePositives: 22, TrueNegatives: 33, FalseNegatives: 44},
		Calibration: evaluation.Calibration{Error: 0.012, Slope: &slope, Intercept: &intercept,
			Bins: []stat.Bin{{Low: 0.1, High: 0.2, Rows: 1234, Score: 0.15, Rate: 0.16}}},
	}
	digest := &artifactv1.Artifact{Sha256: strings.Repeat("a", 64)}
	return Page{
		Evaluation: &evaluation.Document{
			Version: 1, Model: text, Run: text, Round: 1,
			Holdout:   evaluation.Holdout{Rows: 1409, Positives: 374, Rate: 0.2654},
			Method:    evaluation.Method{Threshold: 0.5, Level: 0.95, Replicates: 2000},
			Candidate: one, Champion: &evaluation.Champion{Version: 3, Judgement: one},
			Comparison:     &evaluation.Comparison{Differences: measures, AUCP: 0.03},
			OperatingPoint: &evaluation.OperatingPoint{Threshold: 0.2345, FalsePositiveCost: 1, FalseNegativeCost: 4, HalfCost: 0.6},
			Slices: []evaluation.Slice{
				{Column: text, Value: text, Rows: 700, Rate: 0.3, Candidate: map[string]float64{"auc": 0.8765, "accuracy": 0.8}, AUC: &evaluation.Difference{Value: 0.01}},
				{Column: "Contract", Value: "rare", Rows: 3, TooSmall: text},
			},
			Data: &evaluation.Data{Rows: 7043, PositiveRate: 0.265, DuplicateShare: 0.0013,
				Columns: []evaluation.ColumnQuality{{Name: text, MissingShare: 0.125}, {Name: "full"}}},
			Drift: &evaluation.Drift{ChampionVersion: 3, ChampionRows: 7000, Level: 0.05, Drifted: 1, Columns: []evaluation.ColumnDrift{
				{Name: "alike", Kind: "categorical", Q: 0.9},
				{Name: text, Kind: "numeric", PSI: 0.31, KS: 0.2, Drifted: true, Unseen: []string{text}, UnseenRows: 12},
			}},
			Warnings: []string{text},
		},
		Made: &eventv1.ModelTrained{
			Plan: &eventv1.Plan{
				Model: text, Experiment: text, Reason: text, RequestedBy: text, GitSha: text, Dataset: digest, Spec: digest,
				Split: &eventv1.Split{Salt: text}, Training: &eventv1.Training{NumLeaves: 64}, Gate: &eventv1.Gate{BaselineStage: text},
			},
			Features:  &eventv1.FeatureSet{Table: digest, TrainRows: 4789},
			Candidate: &eventv1.TrainedModel{TreesSha256: text, Iterations: 45},
		},
		Contributions: contributions(text),
		Decision: &Decision{
			Outcome: "promoted", Kind: "override", Reason: text, Run: text, Stage: text, Version: 4, Previous: 3, RequestedBy: text,
			Policy: text, PolicySHA256: text, Look: 7,
			Rules: []*eventv1.Rule{
				{Name: text, Passed: true, Explanation: text, Expression: text, Values: []*eventv1.RuleValue{{Name: text, Value: text}}},
				{Name: "min_auc", Explanation: "AUC 0.79 is below 0.82"},
			},
			Approval: &Approval{"approved", text, "2026-02-01T10:00:00Z", text},
		},
		Images: Images{[]byte(text), []byte(text), []byte(text), []byte(text)},
	}
}

func contributions(text string) *shap.Document {
	r := rand.New(rand.NewPCG(1, 2))
	d := &shap.Document{Version: 1, Rows: 100, Expected: -1.2345, Columns: []shap.Column{{Column: text, MeanAbs: 0.5}, {Column: "b", MeanAbs: 0.25}}}
	for i := range 17 {
		f := shap.Feature{Feature: text, MeanAbs: 1 / float64(i+1)}
		for range 200 {
			value := float64(r.IntN(2))
			f.Points = append(f.Points, shap.Point{Value: value, Contribution: (value - 0.5) / float64(i+1) * (1 + r.Float64())})
		}
		d.Features = append(d.Features, f)
	}
	return d
}

func render(t *testing.T, p Page) (*html.Node, string) {
	t.Helper()
	text, err := Render(p)
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return root, string(text)
}

// sections returns the headings of the page.
func sections(root *html.Node) []string {
	var out []string
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "h2" {
			out = append(out, content(n))
		}
	}
	return out
}

func content(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data)
		}
	}
	return out.String()
}

func TestEverythingIsThere(t *testing.T) {
	root, page := render(t, whole("churn"))
	want := "[Promoted as version 4 to churn Decision Metrics on the hold-out Curves Calibration Classes What the candidate looks at Slices Drift Data quality Model card]"
	if got := fmt.Sprint(sections(root)); got != want {
		t.Errorf("the sections are %s, want %s", got, want)
	}
	text := content(root)
	for _, want := range []string{
		"failed", "AUC 0.79 is below 0.82", "look 7", "Approval approved by churn at 2026-02-01T10:00:00Z",
		"0.9700", "−0.0400", "0.0120", // calibration
		"0.2345", "0.6000", // operating point
		"Contract: rare", "not judged: churn", "0.8765", // slices
		"differs", "12 rows have values not seen before", "0.3100", // drift
		"12.5\u00a0%", "0.1\u00a0%", // data
		"−1.2345", "raises", // contributions
		"4\u202f789", "num_leaves", strings.Repeat("a", 64), // model card
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(page, "<path class"); n != 15*2 { // two values are two tones
		t.Errorf("%d paths in the swarms, want two for each of fifteen features", n)
	}
}

// What is not known is said, and no section is empty.
func TestNothingButMetrics(t *testing.T) {
	p := whole("churn")
	d := p.Evaluation
	d.Champion, d.Comparison, d.OperatingPoint, d.Slices, d.Data, d.Drift = nil, nil, nil, nil, nil, nil
	d.Candidate.Calibration.Slope, d.Candidate.Calibration.Intercept = nil, nil
	p.Decision, p.Contributions, p.Images = nil, nil, Images{}
	root, page := render(t, p)
	want := "[Metrics on the hold-out Calibration Classes Slices Drift Data quality Model card]"
	if got := fmt.Sprint(sections(root)); got != want {
		t.Errorf("the sections are %s, want %s", got, want)
	}
	if n := strings.Count(strings.ToLower(page), "not measured"); n != 6 { // slope, intercept, operating point, slices, drift, data
		t.Errorf("%d things are said not to be measured, want 6", n)
	}
}

// Whatever the data and the request call things, the report shows it as text.
func TestHostileTexts(t *testing.T) {
	root, page := render(t, whole(hostile))
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "iframe", "object", "embed", "link", "form", "a", "base":
			t.Errorf("the page has a %s element", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" && !strings.HasPrefix(a.Val, "data:image/png;base64,") {
				t.Errorf("the page has %s=%.40q", a.Key, a.Val)
			}
		}
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template has met a value where it cannot be")
	}
}

// Every image has a text in its place, every table says what it is of, and the
// headings go down one level at a time.
func TestAccessible(t *testing.T) {
	root, _ := render(t, whole("churn"))
	level := 1
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "img":
			if attribute(n, "alt") == "" {
				t.Error("an image has no text in its place")
			}
		case "svg":
			if attribute(n, "aria-hidden") != "true" {
				t.Error("a drawing is neither hidden nor told")
			}
		case "table":
			if c := named(n, "caption"); c.Parent != n {
				t.Errorf("a table has no caption: %.80q", content(n))
			}
		case "h1", "h2", "h3":
			if now := int(n.Data[1] - '0'); now > level+1 {
				t.Errorf("heading %q is %d levels down", content(n), now-level)
			} else {
				level = now
			}
		}
	}
	if h := named(root, "html"); attribute(h, "lang") != "en" {
		t.Error("the page does not say its language")
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func named(root *html.Node, name string) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			return n
		}
	}
	return &html.Node{}
}

// Data with very many columns, slices and long names make a page of some size.
func TestLargeData(t *testing.T) {
	p := whole("churn")
	long := strings.Repeat("long ", 10_000)
	for i := range 5000 {
		name := fmt.Sprint(i, long)
		p.Evaluation.Slices = append(p.Evaluation.Slices, evaluation.Slice{Column: name, Value: name, TooSmall: "few"})
		p.Evaluation.Drift.Columns = append(p.Evaluation.Drift.Columns, evaluation.ColumnDrift{Name: name})
		p.Evaluation.Data.Columns = append(p.Evaluation.Data.Columns, evaluation.ColumnQuality{Name: name, MissingShare: 1})
	}
	p.Evaluation.Drift.Columns[4000].Drifted = true
	root, page := render(t, p)
	if len(page) > 1<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	text := content(root)
	for _, want := range []string{"4902 more", "4901 more", "3998long"} {
		if !strings.Contains(strings.ReplaceAll(text, "3998 long", "3998long"), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestSameBytes(t *testing.T) {
	_, once := render(t, whole("churn"))
	_, again := render(t, whole("churn"))
	if once != again {
		t.Error("rendered twice it is different")
	}
}

func TestEffect(t *testing.T) {
	line := func(f func(x float64) float64) []shap.Point {
		var out []shap.Point
		for x := range 11 {
			out = append(out, shap.Point{Value: float64(x), Contribution: f(float64(x))})
		}
		return out
	}
	for want, points := range map[string][]shap.Point{
		"raises": line(func(x float64) float64 { return math.Sqrt(x) }),
		"lowers": line(func(x float64) float64 { return -x }),
		"varies": line(func(x float64) float64 { return (x - 5) * (x - 5) }),
	} {
		if got := effect(points); got != want {
			t.Errorf("the effect is %q, want %q", got, want)
		}
	}
	if got := effect([]shap.Point{{Value: 1, Contribution: 1}, {Value: 1, Contribution: 2}}); got != "varies" {
		t.Errorf("of one value the effect is %q", got)
	}
}

// Numbers so far apart that their squares are none are drawn, too.
func TestExtremePoints(t *testing.T) {
	var d shap.Document
	for _, size := range []float64{math.MaxFloat64, 5e-324, 0} {
		d.Features = append(d.Features, shap.Feature{Points: []shap.Point{
			{Value: -size, Contribution: -size}, {Value: size, Contribution: size}, {},
		}})
	}
	p := whole("churn")
	p.Contributions = &d
	if _, page := render(t, p); strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("a point is drawn nowhere")
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{signed(0.01234), "+0.0123"}, {signed(-0.01234), "−0.0123"}, {signed(-0.00001), "0.0000"}, {signed(0), "0.0000"},
		{percent(0.95), "95\u00a0%"}, {percent(0.2654), "26.5\u00a0%"},
		{count(7), "7"}, {count(1409), "1\u202f409"}, {count(1234567), "1\u202f234\u202f567"},
		{pvalue(1e-9), "p < 0.0001"}, {pvalue(0.03), "p = 0.0300"},
		{cut(strings.Repeat("é", 120)), strings.Repeat("é", 120)}, {cut(strings.Repeat("é", 121)), strings.Repeat("é", 120) + "…"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// Whatever can be read can be shown.
func FuzzRender(f *testing.F) {
	p := whole("churn")
	document, err := json.Marshal(p.Evaluation)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document, []byte(`{"version": 1, "features": [{"feature": "x", "mean_abs": 2, "points": [{"value": 1, "contribution": 2}]}], "columns": [{"column": "x"}]}`))
	soak.Fuzz(f, func(t *testing.T, document, explained []byte) {
		p := p
		var err error
		if p.Evaluation, err = evaluation.Parse(document); err != nil {
			return
		}
		if p.Contributions, err = shap.Parse(explained); err != nil {
			p.Contributions = nil
		}
		if _, err := Render(p); err != nil {
			t.Error(err)
		}
	})
}
