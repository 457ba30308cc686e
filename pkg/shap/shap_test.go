package shap

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

// preprocessor has a number between two categorical columns, one of which has no
// category.
var preprocessor = &feature.Preprocessor{
	Columns: []feature.Column{
		{Name: "plan", Kind: dataset.Categorical, Categories: []string{"a", "b", "c"}},
		{Name: "nothing", Kind: dataset.Categorical},
		{Name: "age", Kind: dataset.Numeric, Mean: 40, Deviation: 10},
	},
	Features: []string{"plan=a", "plan=b", "plan=c", "age"},
}

func TestSummarize(t *testing.T) {
	x := []float64{
		1, 0, 0, -0.5,
		0, 1, 0, 2,
		0, 0, 1, 9, // not explained
	}
	d, err := Summarize(preprocessor, x, []float64{
		0.5, -0.25, 0, 2, -1.5,
		0.25, -1, 0.25, -1, -1.5,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &Document{
		Version: 1, Rows: 2, Expected: -1.5,
		Features: []Feature{
			{"age", "age", 1.5, 0.5, []Point{{35, 2}, {60, -1}}},
			{"plan=b", "plan", 0.625, -0.625, []Point{{0, -0.25}, {1, -1}}},
			{"plan=a", "plan", 0.375, 0.375, []Point{{1, 0.5}, {0, 0.25}}},
			{"plan=c", "plan", 0.125, 0.125, []Point{{0, 0}, {0, 0.25}}},
		},
		Columns: []Column{{"age", 1.5, 0.5}, {"plan", 0.375, -0.125}, {"nothing", 0, 0}},
	}
	if got, wanted := text(t, d), text(t, want); got != wanted {
		t.Errorf("the summary is\n%s\nwant\n%s", got, wanted)
	}
	if parsed, err := Parse([]byte(text(t, d))); err != nil || text(t, parsed) != text(t, d) {
		t.Errorf("read back it is another, or %v", err)
	}
}

func text(t testing.TB, d *Document) string {
	t.Helper()
	out, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestNothingToSummarize(t *testing.T) {
	for name, c := range map[string]struct{ x, contributions int }{
		"no rows": {4, 0}, "part of a row": {8, 9}, "fewer values": {4, 10},
	} {
		if _, err := Summarize(preprocessor, make([]float64, c.x), make([]float64, c.contributions)); !churn.IsKind(err, churn.Internal) {
			t.Errorf("%s: %v, want an internal error", name, err)
		}
	}
}

// Of many rows and features, points are given of some, from the whole table.
func TestPoints(t *testing.T) {
	const rows, width = 1000, 30
	p := &feature.Preprocessor{}
	for i := range width {
		name := "n" + string(rune('A'+i))
		p.Columns = append(p.Columns, feature.Column{Name: name, Kind: dataset.Numeric, Deviation: 1})
		p.Features = append(p.Features, name)
	}
	x, contributions := make([]float64, rows*width), make([]float64, rows*(width+1))
	r := rand.New(rand.NewPCG(1, 2))
	for row := range rows {
		for i := range width {
			x[row*width+i] = float64(row)
			contributions[row*(width+1)+i] = r.NormFloat64() * float64(i+1)
		}
	}
	d, err := Summarize(p, x, contributions)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range d.Features {
		want := 200
		if i >= 20 {
			want = 0
		}
		if len(f.Points) != want {
			t.Fatalf("feature %d has %d points, want %d", i, len(f.Points), want)
		}
		for j, point := range f.Points {
			if point.Value != float64(5*j) {
				t.Fatalf("point %d of %s is of row %v, want %d", j, f.Feature, point.Value, 5*j)
			}
		}
	}
	if !slices.IsSortedFunc(d.Columns, func(a, b Column) int { return int(math.Copysign(1, b.MeanAbs-a.MeanAbs)) }) {
		t.Error("the columns are in no order")
	}
}

func TestDrawn(t *testing.T) {
	for in, want := range map[float64]float64{0: 0, 1: 1, 1.0 / 3: 0.33333, -123456: -123460, math.MaxFloat64: math.MaxFloat64, 5e-324: 5e-324} {
		if got := drawn(in); got != want {
			t.Errorf("%v is drawn at %v, want %v", in, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	points := strings.TrimSuffix(strings.Repeat(`{},`, 201), ",")
	for name, c := range map[string]struct{ text, want string }{
		"nothing":         {"", "form"},
		"another version": {`{"version": 2}`, "version 2"},
		"no number":       {`{"version": 1, "expected": "a"}`, "form"},
		"many points":     {`{"version": 1, "features": [{"feature": "x", "points": [` + points + `]}]}`, "201 points"},
		"points of all":   {`{"version": 1, "features": [` + strings.Repeat(`{"points": [{}]},`, 20) + `{"feature": "y", "points": [{}]}]}`, "y"},
		"mean of nothing": {`{"version": 1, "features": [{"feature": "x", "mean": -2, "mean_abs": 1}]}`, "mean of -2"},
		"long":            {strings.Repeat(" ", MaxDocument+1), "bytes"},
	} {
		if _, err := Parse([]byte(c.text)); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an invalid error with %q", name, err, c.want)
		}
	}
}
