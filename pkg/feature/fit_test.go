package feature_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

// tiny has a column of every kind and meaning of a blank.
var tiny = &dataset.Spec{
	Version: 1, Name: "tiny", Model: "m", Experiment: "e", Key: "id",
	Target: dataset.Target{Column: "y", Positive: "1", Negative: "0"},
	Columns: []dataset.Column{
		{Name: "a", Kind: dataset.Numeric, Missing: dataset.MissingZero},
		{Name: "b", Kind: dataset.Numeric, Missing: dataset.MissingMean},
		{Name: "c", Kind: dataset.Categorical, Missing: dataset.MissingCategory},
		{Name: "d", Kind: dataset.Categorical, Missing: dataset.MissingError},
	},
	Split: dataset.Split{Test: 0.3, Validation: 0.3},
}

// drawRow draws a row of tiny.
func drawRow(t *rapid.T, line int) dataset.Row {
	number := func(name string) dataset.Value {
		if rapid.IntRange(0, 4).Draw(t, name+" blank") == 0 {
			return dataset.Value{Missing: true}
		}
		return dataset.Value{Number: rapid.Float64Range(-1e12, 1e12).Draw(t, name)}
	}
	c := rapid.SampledFrom([]string{"", "x", "y", "ü", "a=b"}).Draw(t, "c")
	return dataset.Row{
		Line: line, Key: rapid.StringN(1, 8, -1).Draw(t, "key"), Positive: rapid.Bool().Draw(t, "positive"),
		Part: dataset.Part(rapid.IntRange(0, dataset.Parts-1).Draw(t, "part")),
		Values: []dataset.Value{
			number("a"), number("b"), {Text: c, Missing: c == ""},
			{Text: rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "d")},
		},
	}
}

// drawRows draws rows of which the first is for training, with a number in b.
func drawRows(t *rapid.T) []dataset.Row {
	rows := make([]dataset.Row, rapid.IntRange(1, 60).Draw(t, "rows"))
	for i := range rows {
		rows[i] = drawRow(t, i+2)
	}
	rows[0].Part, rows[0].Values[1] = dataset.Train, dataset.Value{Number: 3}
	return rows
}

func fit(rows []dataset.Row, spec *dataset.Spec) (*feature.Preprocessor, error) {
	f := feature.NewFitter(spec, spec.Split)
	for i := range rows {
		if err := f.Add(&rows[i]); err != nil {
			return nil, err
		}
	}
	return f.Preprocessor()
}

// What the hold-out and the validation rows are changes no byte of the
// preprocessor.
func TestFitLooksAtTrainingRowsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		changed := slices.Clone(rows)
		for i, r := range rows {
			if r.Part != dataset.Train {
				changed[i] = drawRow(t, r.Line)
				changed[i].Part = r.Part
			}
		}
		if a, b := fitJSON(t, rows), fitJSON(t, changed); !bytes.Equal(a, b) {
			t.Fatalf("%s\n%s", a, b)
		}
	})
}

func TestFitLooksAtTrainingRowsOfTheFileAlone(t *testing.T) {
	spec := telcoSpec(t)
	text, err := io.ReadAll(telco(t))
	if err != nil {
		t.Fatal(err)
	}
	p, _, rows := prepare(t, bytes.NewReader(text), spec)
	lines := strings.SplitAfter(string(text), "\n")
	for _, r := range rows {
		if r.Part != dataset.Train {
			lines[r.Line-1] = r.Key + ",new,new,new,new,1e6,new,new,new,new,new,new,new,new,new,new,new,new,1e6,1e6," + map[bool]string{true: "Yes", false: "No"}[r.Positive] + "\n"
		}
	}
	q, _, _ := prepare(t, strings.NewReader(strings.Join(lines, "")), spec)
	a, err1 := p.JSON()
	b, err2 := q.JSON()
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) {
		t.Errorf("other hold-out rows made another preprocessor: %v", err)
	}
}

func fitJSON(t *rapid.T, rows []dataset.Row) []byte {
	p, err := fit(rows, tiny)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// One pass comes to what two passes do, blanks included.
func TestFitAgreesWithTwoPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		p, err := fit(rows, tiny)
		if err != nil {
			t.Fatal(err)
		}
		var zero, known []float64
		for _, r := range rows {
			if r.Part == dataset.Train {
				zero = append(zero, r.Values[0].Number) // a blank is 0
				if !r.Values[1].Missing {
					known = append(known, r.Values[1].Number)
				}
			}
		}
		mean, _ := twoPass(known)
		filled := slices.Clone(known)
		for _, r := range rows {
			if r.Part == dataset.Train && r.Values[1].Missing {
				filled = append(filled, mean)
			}
		}
		near(t, "a", p.Columns[0], zero)
		near(t, "b", p.Columns[1], filled)
		if fill := *p.Columns[1].Fill; math.Abs(fill-mean) > 1e-12*largest(known) {
			t.Fatalf("b is filled with %v, want %v", fill, mean)
		}
	})
}

func near(t *rapid.T, name string, c feature.Column, values []float64) {
	mean, deviation := twoPass(values)
	scale := largest(values)
	if deviation <= 1e-12*scale {
		return // constant but for rounding
	}
	if math.Abs(c.Mean-mean) > 1e-12*scale || math.Abs(c.Deviation-deviation) > 1e-12*scale {
		t.Fatalf("%s: mean %v, deviation %v; two passes give %v, %v", name, c.Mean, c.Deviation, mean, deviation)
	}
}

func largest(values []float64) float64 {
	scale := 0.0
	for _, v := range values {
		scale = max(scale, math.Abs(v))
	}
	return scale
}

// Numbers that differ in their last digits only, as timestamps do, keep their
// deviation: a sum of squares would have lost it.
func TestDeviationOfLargeOffsets(t *testing.T) {
	for _, offset := range []float64{0, 1e6, 1e9, -1e12, 1.7e15} {
		var rows []dataset.Row
		var values []float64
		for i := range 10_000 {
			v := offset + float64(i%7)
			values = append(values, v)
			rows = append(rows, dataset.Row{Part: dataset.Train, Values: []dataset.Value{{Number: v}, {Number: 1}, {Text: "x"}, {Text: "x"}}})
		}
		p, err := fit(rows, tiny)
		if err != nil {
			t.Fatal(err)
		}
		mean, deviation := exact(values)
		c := p.Columns[0]
		if math.Abs(c.Mean-mean) > 1e-15*math.Abs(mean)+1e-14 || math.Abs(c.Deviation-deviation) > 1e-14*deviation {
			t.Errorf("offset %v: mean %v, deviation %v; want %v, %v", offset, c.Mean, c.Deviation, mean, deviation)
		}
	}
}

// exact is the mean and population deviation, computed with 200 bits.
func exact(values []float64) (mean, deviation float64) {
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(v) }
	n, sum, squares := number(float64(len(values))), number(0), number(0)
	for _, v := range values {
		sum.Add(sum, number(v))
	}
	m := number(0).Quo(sum, n)
	for _, v := range values {
		d := number(0).Sub(number(v), m)
		squares.Add(squares, d.Mul(d, d))
	}
	mean, _ = m.Float64()
	variance, _ := squares.Quo(squares, n).Float64()
	return mean, math.Sqrt(variance)
}

// Blank TotalCharges of customers in their first month are 0, as the spec says,
// before they are standardized.
func TestBlankTotalChargesAreZero(t *testing.T) {
	spec := telcoSpec(t)
	p, file, rows := prepare(t, telco(t), spec)
	i := slices.IndexFunc(spec.Columns, func(c dataset.Column) bool { return c.Name == "TotalCharges" })
	at := slices.Index(p.Features, "TotalCharges")
	want := (0 - p.Columns[i].Mean) / p.Columns[i].Deviation
	if p.Columns[i].Fill == nil || *p.Columns[i].Fill != 0 {
		t.Fatalf("column %+v", p.Columns[i])
	}
	table, err := feature.OpenTable(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	blanks := 0
	for c, err := range table.Chunks(p, dataset.Train, dataset.Validation, dataset.Holdout) {
		if err != nil {
			t.Fatal(err)
		}
		for place, row := range c.Rows {
			if !rows[row].Values[i].Missing {
				continue
			}
			blanks++
			if got := c.X[place*len(p.Features)+at]; got != want {
				t.Errorf("row %d: TotalCharges is %v, want %v", row, got, want)
			}
		}
	}
	if blanks != 11 {
		t.Errorf("%d blanks, want 11", blanks)
	}
}

func TestFitRefuses(t *testing.T) {
	row := func(number dataset.Value, text string) dataset.Row {
		return dataset.Row{Line: 7, Part: dataset.Train, Values: []dataset.Value{{Number: 1}, number, {Text: "x"}, {Text: text}}}
	}
	var many []dataset.Row
	for i := range feature.MaxCategories + 1 {
		many = append(many, row(dataset.Value{}, fmt.Sprint(i)))
	}
	for want, rows := range map[string][]dataset.Row{
		"line 7, column d: more than 1000 categories: it looks like an identifier":                           many,
		"column b: every training row is blank, so there is no mean to put in":                               {row(dataset.Value{Missing: true}, "x")},
		"column b: its numbers are too large to standardize":                                                 {row(dataset.Value{Number: 1e308}, "x"), row(dataset.Value{Number: -1e308}, "x")},
		"line 7, column d: the categories of all columns together are more than fit in a preprocessor of 16": {row(dataset.Value{}, strings.Repeat("x", 17<<20))},
	} {
		if _, err := fit(rows, tiny); err == nil || !strings.Contains(err.Error(), want) || !churn.IsKind(err, churn.Invalid) {
			t.Errorf("kind %v: %v\nwant %s", churn.KindOf(err), err, want)
		}
	}
}

// What is fitted can be read back: one that is too large is refused when it is
// written, with the data at hand, and not by a later stage.
func TestLargePreprocessorIsRefusedWhenWritten(t *testing.T) {
	p, err := fit([]dataset.Row{{Part: dataset.Train, Values: []dataset.Value{{}, {}, {Text: strings.Repeat("x", 9<<20)}, {Text: "x"}}}}, tiny)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.JSON(); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("kind %v: %v", churn.KindOf(err), err)
	}
}

func TestConstantColumnIsZero(t *testing.T) {
	row := dataset.Row{Part: dataset.Train, Values: []dataset.Value{{Number: 0.1}, {Number: 0.1}, {Text: "x"}, {Text: "x"}}}
	p, err := fit([]dataset.Row{row, row, row}, tiny)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, len(p.Features))
	if _, err := p.Apply(row.Values, x); err != nil || x[0] != 0 || x[1] != 0 {
		t.Errorf("features %v, %v", x, err)
	}
}
