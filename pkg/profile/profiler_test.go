package profile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/dataset"
)

// smallSpec has a column of each kind.
const smallSpec = `
version: 1
name: small
model: small-model
experiment: small-experiment
key: id
target: {column: y, positive: "yes", negative: "no"}
columns:
  - {name: c, kind: categorical}
  - {name: n, kind: numeric, min: -1.0e+300, max: 1.0e+300, missing: zero}
split: {test: 0.3, validation: 0.3}
`

// profileOf profiles a file by the spec, and reads it back from its JSON.
func profileOf(t testing.TB, spec *dataset.Spec, file io.Reader) (*Document, []byte) {
	t.Helper()
	r, err := dataset.NewReader(file, spec, spec.Split)
	if err != nil {
		t.Fatal(err)
	}
	p := New(spec)
	var row dataset.Row
	for {
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Add(&row)
	}
	text, err := p.Document(r).JSON()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d, text
}

func specOf(t testing.TB, text []byte) *dataset.Spec {
	t.Helper()
	spec, err := dataset.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// smallProfile profiles the lines by the small spec.
func smallProfile(t testing.TB, text string) *Document {
	t.Helper()
	d, _ := profileOf(t, specOf(t, []byte(smallSpec)), strings.NewReader(text))
	return d
}

// smallFile has both classes in each split, and the lines behind that.
func smallFile(lines ...string) string {
	var b strings.Builder
	b.WriteString("id,c,n,y\n")
	for i := range 40 {
		fmt.Fprintf(&b, "k%d,%s,%d,%s\n", i, []string{"a", "b"}[i%2], i, []string{"no", "yes"}[i/2%2])
	}
	return b.String() + strings.Join(lines, "\n")
}

func TestProfile(t *testing.T) {
	text := "\ufeffz,id,c,n,y,a\r\n"
	for i := range 40 {
		text += fmt.Sprintf("1,k%d,%s,%s,%s,2\r\n", i, []string{"b", "a", "a", "ü"}[i%4], []string{"1", "3", " "}[i%3], []string{"no", "yes"}[i/2%2])
	}
	got := smallProfile(t, text)
	mean, deviation := 53.0/27, 2*math.Sqrt(14*13)/27
	if got.Columns[1].Numbers == nil || got.Columns[1].Numbers.Mean == nil {
		t.Fatalf("%+v", got.Columns[1])
	}
	if m, d := *got.Columns[1].Numbers.Mean, *got.Columns[1].Numbers.Deviation; math.Abs(m-mean) > 1e-15 || math.Abs(d-deviation) > 1e-15 {
		t.Errorf("mean %v, deviation %v, want %v, %v", m, d, mean, deviation)
	}
	got.Columns[1].Numbers.Mean, got.Columns[1].Numbers.Deviation = nil, nil
	all := Count{}
	for name, c := range got.Rows {
		if name != "all" {
			all.Rows, all.Positives = all.Rows+c.Rows, all.Positives+c.Positives
		}
	}
	if all != (Count{40, 20}) || got.Rows["all"] != all || len(got.Rows) != 4 {
		t.Errorf("rows %+v", got.Rows)
	}
	got.Rows = nil
	want := &Document{
		Version: 2, Dataset: "small", Duplicates: Duplicates{Keys: 40, Repeats: []Repeat{}},
		Columns: []Column{
			{Name: "c", Kind: dataset.Categorical, Categories: []Category{{"a", 20}, {"b", 10}, {"ü", 10}}},
			{Name: "n", Kind: dataset.Numeric, Blanks: 13, Numbers: &Numbers{Min: 1, Max: 3, Histogram: Histogram{Bits: 6, Bins: []Bin{{1, 14}, {3, 13}}}}},
		},
		Extra: []string{"a", "z"}, LineEnds: dataset.CRLF, BOM: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got.Column("n") != &got.Columns[1] || got.Column("N") != nil {
		t.Error("columns are not found by their names")
	}
}

// A key that repeats is no error: a file may have a row a month of each
// customer, and all of them fall into one split. It is counted, and the first
// are named.
func TestDuplicateKeys(t *testing.T) {
	lines := []string{"k7,a,1,no", "new,a,1,no", "k7,b,2,yes", "new,a,1,no"}
	got := smallProfile(t, smallFile(lines...)).Duplicates
	want := Duplicates{Rows: 3, Keys: 41, Repeats: []Repeat{{42, 9}, {44, 9}, {45, 43}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for range 20 {
		lines = append(lines, "k7,a,1,no")
	}
	if got := smallProfile(t, smallFile(lines...)).Duplicates; got.Rows != 23 || len(got.Repeats) != 10 {
		t.Errorf("%+v", got)
	}
}

// Keys beyond those that are remembered are not compared with, and the profile
// says with how many rows were.
func TestKeysAreForgottenRatherThanMemory(t *testing.T) {
	p := New(&dataset.Spec{})
	for i := range maxKeys + 10 {
		p.key(fmt.Sprint(i), i)
	}
	p.key("0", maxKeys+10)
	p.key(fmt.Sprint(maxKeys+5), maxKeys+11)
	if p.duplicates.Rows != 1 || len(p.keys) != maxKeys {
		t.Errorf("%d duplicates among %d keys", p.duplicates.Rows, len(p.keys))
	}
}

// Categories beyond those that are counted one by one are counted together.
func TestManyCategories(t *testing.T) {
	p := New(&dataset.Spec{Columns: []dataset.Column{{Name: "c", Kind: dataset.Categorical}}})
	for i := range maxCategories + 5 {
		p.Add(&dataset.Row{Key: "k", Values: []dataset.Value{{Text: fmt.Sprint(i)}}})
	}
	p.Add(&dataset.Row{Key: "k", Values: []dataset.Value{{Text: "0"}}})
	c := p.columns[0].document(p.spec.Columns[0])
	if len(c.Categories) != maxCategories || c.Other != 5 || c.Categories[0] != (Category{"0", 2}) {
		t.Errorf("%d categories, %d others, %v", len(c.Categories), c.Other, c.Categories[0])
	}
	p = New(p.spec)
	for i := range 100 {
		p.Add(&dataset.Row{Key: "k", Values: []dataset.Value{{Text: fmt.Sprint(i) + strings.Repeat("x", 1<<20)}}})
	}
	if n := len(p.columns[0].categories); n != 15 || p.columns[0].other != 85 {
		t.Errorf("%d categories of 1 MB, %d others", n, p.columns[0].other)
	}
}

// JSON has no infinity: what overflows is null, and the rest of the profile
// stands.
func TestNumbersThatOverflow(t *testing.T) {
	got := smallProfile(t, smallFile("x,a,1e300,no", "y,a,-1e300,no")).Columns[1].Numbers
	if got.Mean == nil || got.Deviation != nil || got.Max != 1e300 || got.Min != -1e300 {
		t.Errorf("%+v", got)
	}
}

// A wide file has fewer bins a column, so that all together stay well within what
// a profile may have.
func TestBinsOfAllColumns(t *testing.T) {
	spec := &dataset.Spec{Columns: make([]dataset.Column, maxColumns)}
	values := make([]dataset.Value, maxColumns)
	for i := range values {
		spec.Columns[i].Kind = dataset.Numeric
	}
	p := New(spec)
	for i := range 200 {
		for j := range values {
			values[j].Number = -math.Ldexp(1.3, i-500) // as long as numbers get
		}
		p.Add(&dataset.Row{Key: "k", Values: values})
	}
	bins := 0
	d := &Document{}
	for i := range p.columns {
		bins += len(p.columns[i].histogram.rows)
		d.Columns = append(d.Columns, p.columns[i].document(spec.Columns[i]))
	}
	text, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if bins > allBins || bins < allBins/4 || len(text) > MaxDocument/2 {
		t.Errorf("%d bins, want at most %d; %d bytes, want at most %d", bins, allBins, len(text), MaxDocument/2)
	}
}
