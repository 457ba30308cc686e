package evaluator

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// evaluateBeside evaluates a model of the whole file beside one of other rows.
func evaluateBeside(t *testing.T, edit func(*dataset.Row) bool) *answer {
	t.Helper()
	s, f := newSetting(), whole(t)
	theirs := prepare(t, telcoSpec(t).Split, edit)
	champion, _ := s.event(t, "champion", theirs, train(t, theirs, params(7), dataset.Validation))
	s.promote(t, champion, 1)
	e, _ := s.event(t, "candidate", f, train(t, f, params(31), dataset.Validation))
	return s.handle(t, e)
}

// Each slice's numbers are those of the hold-out's rows that have the value, and
// its rows are counted straight from the CSV.
func TestSlices(t *testing.T) {
	a := evaluateBeside(t, all)
	scores := map[string]scoreRow{}
	for _, row := range a.scores {
		scores[row.Key] = row
	}
	spec := telcoSpec(t)
	i, judged := 0, []evaluation.Slice{}
	for _, name := range spec.Slices.Columns {
		at := column(t, name)
		byValue := map[string][]scoreRow{}
		for _, row := range telcoRows(t, spec.Split) {
			if row.Part == dataset.Holdout {
				byValue[row.Values[at].Text] = append(byValue[row.Values[at].Text], scores[row.Key])
			}
		}
		var values []string
		for value := range byValue {
			values = append(values, value)
		}
		slices.Sort(values)
		for _, value := range values {
			if i == len(a.document.Slices) {
				t.Fatalf("no slice of %s=%s", name, value)
			}
			got := a.document.Slices[i]
			i++
			if got.Column != name || got.Value != value {
				t.Fatalf("slice %d is %s=%s, want %s=%s", i, got.Column, got.Value, name, value)
			}
			if got.TooSmall == "" {
				judged = append(judged, got)
				checkSlice(t, got, byValue[value])
			}
		}
	}
	if i != len(a.document.Slices) || len(a.GetSlices()) != len(judged) || len(judged) < 8 {
		t.Errorf("%d slices, %d judged, %d in the event, want %d", len(a.document.Slices), len(judged), len(a.GetSlices()), i)
	}
	for i, s := range a.GetSlices() {
		d := judged[i]
		if s.GetColumn() != d.Column || s.GetValue() != d.Value || s.GetRows() != d.Rows || s.GetMetrics().GetAuc() != d.Candidate["auc"] ||
			s.GetChampionMetrics().GetAuc() != d.Champion["auc"] || s.GetAuc().GetError() != d.AUC.Error || s.GetAccuracy().GetLow() != d.Accuracy.Low {
			t.Errorf("the event has %v of %+v", s, d)
		}
	}
}

func checkSlice(t *testing.T, got evaluation.Slice, rows []scoreRow) {
	t.Helper()
	var labels []bool
	var candidate, champion []float64
	positives := int64(0)
	for _, r := range rows {
		labels, candidate, champion = append(labels, r.Label == 1), append(candidate, r.Candidate), append(champion, *r.Champion)
		positives += int64(r.Label)
	}
	c, err := stat.New(labels, candidate)
	if err != nil {
		t.Fatal(err)
	}
	o, err := stat.New(labels, champion)
	if err != nil {
		t.Fatal(err)
	}
	want := c.Metrics(0.5).Minus(o.Metrics(0.5))
	if got.Rows != int64(len(rows)) || got.Positives != positives || got.Candidate["auc"] != c.Metrics(0.5)[stat.AUC] ||
		math.Abs(got.AUC.Value-want[stat.AUC]) > 1e-12 || math.Abs(got.Accuracy.Value-want[stat.Accuracy]) > 1e-12 ||
		!(got.AUC.Low < got.AUC.Value && got.AUC.Value < got.AUC.High) || got.AUC.Error <= 0 {
		t.Errorf("%s=%s is %+v of %d rows", got.Column, got.Value, got, len(rows))
	}
}

func TestSlicesThatAreTooSmall(t *testing.T) {
	s := scoredRows(t, 300)
	by := dataset.Slices{MinRows: 100, MinOfEachClass: 10}
	few := slice{"c", "few", []uint32{0, 1, 2}}
	var negative slice
	for i, positive := range s.labels {
		if !positive {
			negative.rows = append(negative.rows, uint32(i))
		}
	}
	for want, of := range map[string]slice{"fewer than 100 rows": few, "fewer than 10 rows of one class": negative} {
		got, err := judgeSlice(of, s, by, 0.95)
		if err != nil || got.TooSmall != want || got.Candidate != nil || got.AUC != nil || got.Rows != int64(len(of.rows)) {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
	}
	m := &eventv1.ModelEvaluated{}
	tell(m, &evaluation.Document{Slices: []evaluation.Slice{{Column: "c", Value: "few", TooSmall: "fewer"}}})
	if len(m.GetSlices()) != 0 {
		t.Error("rules may see a slice that is too small to be judged")
	}
}

// The threshold is the cheapest of the validation rows', and the hold-out has no
// part in it.
func TestOperatingPoint(t *testing.T) {
	s, f := newSetting(), whole(t)
	m := train(t, f, params(31), dataset.Validation)
	e, _ := s.event(t, "a", f, m)
	a := s.handle(t, e)
	p, cost := a.document.OperatingPoint, telcoSpec(t).Cost
	var labels []bool
	var scores []float64
	for _, row := range telcoRows(t, f.split) {
		if row.Part == dataset.Validation {
			labels = append(labels, row.Positive)
		}
	}
	for _, score := range m.scores {
		scores = append(scores, score.Score)
	}
	validation, err := stat.New(labels, scores)
	if err != nil {
		t.Fatal(err)
	}
	if got := validation.Cost(p.Threshold, cost.FalsePositive, cost.FalseNegative); math.Abs(got-p.ValidationCost) > 1e-12 {
		t.Errorf("at %v a validation row costs %v, not %v", p.Threshold, got, p.ValidationCost)
	}
	for _, score := range scores {
		if c := validation.Cost(score, cost.FalsePositive, cost.FalseNegative); c < p.ValidationCost-1e-12 {
			t.Fatalf("cut at %v a validation row costs %v, and %v at %v", score, c, p.ValidationCost, p.Threshold)
		}
	}
	if p.HoldoutCost >= p.HalfCost || p.Confusion.Rows() != a.document.Holdout.Rows {
		t.Errorf("a hold-out row costs %v, and cut at a half %v: %+v", p.HoldoutCost, p.HalfCost, p.Confusion)
	}
	if got := a.GetOperatingPoint(); got.GetThreshold() != p.Threshold || got.GetCost() != p.ValidationCost || got.GetFalseNegativeCost() != 4 {
		t.Errorf("the event has %v", got)
	}
	if got := operatingPoint(validation, validation, nil); got != nil {
		t.Errorf("without a cost the scores are cut at %v", got.Threshold)
	}
}

// Half the customers were charged less, nobody paid by electronic check, and the
// rest was as it is.
func TestDrift(t *testing.T) {
	charges, method := column(t, "MonthlyCharges"), column(t, "PaymentMethod")
	a := evaluateBeside(t, func(row *dataset.Row) bool {
		if row.Part == dataset.Train {
			row.Values[charges].Number *= 0.8
		}
		return row.Values[method].Text != "Electronic check"
	})
	d := a.document.Drift
	if d == nil || d.ChampionVersion != 1 || len(d.Columns) != len(telcoSpec(t).Columns) || d.Level != 0.05 {
		t.Fatalf("drift is %+v", d)
	}
	drifted := 0
	for _, c := range d.Columns {
		if c.Drifted {
			drifted++
		}
		if c.Drifted != (c.Q <= d.Level) {
			t.Errorf("%s: q is %v, drifted %v", c.Name, c.Q, c.Drifted)
		}
		switch c.Name {
		case "MonthlyCharges":
			if !c.Drifted || c.KS < 0.1 || c.PSI < 0.05 {
				t.Errorf("charges: %+v", c)
			}
		case "PaymentMethod":
			if !c.Drifted || !slices.Equal(c.Unseen, []string{"Electronic check"}) || c.UnseenRows < 1000 {
				t.Errorf("payment: %+v", c)
			}
		case "gender":
			if c.Drifted || len(c.Unseen) > 0 {
				t.Errorf("gender: %+v", c)
			}
		}
	}
	if d.Drifted != drifted || a.GetDrift().GetDrifted() != int32(drifted) || len(a.GetDrift().GetColumns()) != len(d.Columns) ||
		a.GetDrift().GetColumns()[0].GetQ() != d.Columns[0].Q {
		t.Errorf("%d columns of %d have drifted; the event has %v", d.Drifted, drifted, a.GetDrift())
	}
}

func TestTheSameDataHasNotDrifted(t *testing.T) {
	d := evaluateBeside(t, all).document.Drift
	if d.Drifted != 0 {
		t.Errorf("%d columns have drifted", d.Drifted)
	}
	for _, c := range d.Columns {
		if c.PSI != 0 || c.KS != 0 || c.Q != 1 {
			t.Errorf("%+v", c)
		}
	}
}

// A champion from before there were histograms is judged as ever; it is said that
// drift is not known.
func TestDriftBesideAnOlderProfile(t *testing.T) {
	s, f := newSetting(), whole(t)
	m := train(t, f, params(7), dataset.Validation)
	old := *f
	old.profile = &profile.Document{Version: 1}
	champion, _ := s.event(t, "champion", &old, m)
	s.promote(t, champion, 1)
	e, _ := s.event(t, "candidate", f, m)
	a := s.handle(t, e)
	if a.document.Drift != nil || a.GetDrift() != nil || a.document.Data == nil {
		t.Errorf("drift %+v, data %+v", a.document.Drift, a.document.Data)
	}
	if len(a.document.Warnings) != 1 || !strings.Contains(a.document.Warnings[0], "Drift is not known") {
		t.Errorf("warnings %q", a.document.Warnings)
	}
}

func TestDataQuality(t *testing.T) {
	s, f := newSetting(), whole(t)
	e, _ := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
	a := s.handle(t, e)
	d := a.document.Data
	if d.Rows != f.rows[0]+f.rows[1]+f.rows[2] || d.PositiveRate < 0.2 || d.PositiveRate > 0.3 || d.DuplicateShare != 0 || len(d.Columns) != 19 {
		t.Errorf("data %+v", d)
	}
	for i, c := range d.Columns {
		if want := c.Name == "TotalCharges"; (c.MissingShare > 0) != want || c.MissingShare > 0.01 {
			t.Errorf("%s: %v are missing", c.Name, c.MissingShare)
		}
		if got := a.GetData().GetColumns()[i]; got.GetName() != c.Name || got.GetMissingShare() != c.MissingShare {
			t.Errorf("the event has %v of %+v", got, c)
		}
	}
}

func TestTooFewRowsForTheMargin(t *testing.T) {
	gate := &eventv1.Gate{Margin: 0.01, Alpha: 0.05}
	// scipy: (norm.ppf(0.95) + norm.ppf(0.8)) * 0.01 = 0.0249
	for e, want := range map[float64]string{0.01: "a difference of AUC below 0.0249 is shown in fewer than 80 of 100 cases", 0.004: ""} {
		got := tooFew(&evaluation.Comparison{AUCError: e}, gate)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("with an error of %v: %q", e, got)
		}
	}
	if got := tooFew(nil, gate); got != "" {
		t.Errorf("without a champion: %q", got)
	}
}

// The evaluator reads no more than it may: the spec is new among it.
func TestEvaluatorMayReadTheSpec(t *testing.T) {
	if !slices.ContainsFunc(churn.Evaluator.Permissions().Objects, func(o churn.ObjectAccess) bool { return !o.Write && strings.HasPrefix(o.Keys, "specs/") }) {
		t.Error("the evaluator may not read the spec, which names slices and cost")
	}
}
