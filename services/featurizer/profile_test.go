package featurizer

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/dataset"
)

// profileOf profiles a file by the small spec.
func profileOf(t *testing.T, spec, text string) Document {
	t.Helper()
	f := newFeaturize()
	r := f.small(t, []byte(text))
	if spec != "" {
		r.Spec = f.put(t, "specs/other.yaml", []byte(spec))
	}
	return f.profile(t, f.mustHandle(t, r))
}

func TestProfile(t *testing.T) {
	text := "\ufeffz,id,c,n,y,a\r\n"
	for i := range 40 {
		text += fmt.Sprintf("1,k%d,%s,%s,%s,2\r\n", i, []string{"b", "a", "a", "ü"}[i%4], []string{"1", "3", " "}[i%3], []string{"no", "yes"}[i/2%2])
	}
	got := profileOf(t, "", text)
	mean, deviation := 53.0/27, 2*math.Sqrt(14*13)/27
	if got.Columns[1].Numbers == nil || got.Columns[1].Numbers.Mean == nil {
		t.Fatalf("%+v", got.Columns[1])
	}
	if m, d := *got.Columns[1].Numbers.Mean, *got.Columns[1].Numbers.Deviation; m-mean > 1e-15 || mean-m > 1e-15 || d-deviation > 1e-15 || deviation-d > 1e-15 {
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
	want := Document{
		Version: 1, Dataset: "small", Duplicates: Duplicates{Keys: 40, Repeats: []Repeat{}},
		Columns: []Column{
			{Name: "c", Kind: dataset.Categorical, Categories: []Category{{"a", 20}, {"b", 10}, {"ü", 10}}},
			{Name: "n", Kind: dataset.Numeric, Blanks: 13, Numbers: &Numbers{Min: 1, Max: 3}},
		},
		Extra: []string{"a", "z"}, LineEnds: dataset.CRLF, BOM: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// A key that repeats is no error: a file may have a row a month of each
// customer, and all of them fall into one split. It is counted, and the first
// are named.
func TestDuplicateKeys(t *testing.T) {
	lines := []string{"k7,a,1,no", "new,a,1,no", "k7,b,2,yes", "new,a,1,no"}
	got := profileOf(t, "", string(smallFile(lines...))).Duplicates
	want := Duplicates{Rows: 3, Keys: 41, Repeats: []Repeat{{42, 9}, {44, 9}, {45, 43}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for range 20 {
		lines = append(lines, "k7,a,1,no")
	}
	if got := profileOf(t, "", string(smallFile(lines...))).Duplicates; got.Rows != 23 || len(got.Repeats) != 10 {
		t.Errorf("%+v", got)
	}
}

// Keys beyond those that are remembered are not compared with, and the profile
// says with how many rows were.
func TestKeysAreForgottenRatherThanMemory(t *testing.T) {
	p := newProfiler(&dataset.Spec{})
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
	p := newProfiler(&dataset.Spec{Columns: []dataset.Column{{Name: "c", Kind: dataset.Categorical}}})
	for i := range maxCategories + 5 {
		p.add(&dataset.Row{Key: "k", Values: []dataset.Value{{Text: fmt.Sprint(i)}}})
	}
	p.add(&dataset.Row{Key: "k", Values: []dataset.Value{{Text: "0"}}})
	c := p.columns[0].document(p.spec.Columns[0])
	if len(c.Categories) != maxCategories || c.Other != 5 || c.Categories[0] != (Category{"0", 2}) {
		t.Errorf("%d categories, %d others, %v", len(c.Categories), c.Other, c.Categories[0])
	}
	p = newProfiler(p.spec)
	for i := range 100 {
		p.add(&dataset.Row{Key: "k", Values: []dataset.Value{{Text: fmt.Sprint(i) + strings.Repeat("x", 1<<20)}}})
	}
	if n := len(p.columns[0].categories); n != 15 || p.columns[0].other != 85 {
		t.Errorf("%d categories of 1 MB, %d others", n, p.columns[0].other)
	}
}

// JSON has no infinity: what overflows is null, and the rest of the profile
// stands.
func TestNumbersThatOverflow(t *testing.T) {
	p := newProfiler(&dataset.Spec{Columns: []dataset.Column{{Name: "n", Kind: dataset.Numeric}}})
	for _, v := range []float64{1e308, -1e308} {
		p.add(&dataset.Row{Key: "k", Values: []dataset.Value{{Number: v}}})
	}
	text, err := encode(p.columns[0].document(p.spec.Columns[0]))
	if err != nil {
		t.Fatal(err)
	}
	var got Column
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if want := (Column{Name: "n", Kind: dataset.Numeric, Numbers: &Numbers{Min: -1e308, Max: 1e308}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
