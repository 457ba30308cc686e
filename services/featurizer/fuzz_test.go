package featurizer

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/soak"
)

const fuzzSpec = `version: 1
name: fuzz
model: fuzz
experiment: fuzz
key: id
target: {column: y, positive: "yes", negative: "no"}
columns:
  - {name: c, kind: categorical, missing: category}
  - {name: n, kind: numeric, missing: mean}
`

// What is prepared can be trained from: the table has the rows that were counted,
// and every feature is a number.
func FuzzPass(f *testing.F) {
	spec, err := dataset.ParseSpec([]byte(fuzzSpec))
	if err != nil {
		f.Fatal(err)
	}
	file := func(value func(i int) string) []byte {
		text := "id,c,n,y\n"
		for i := range 40 {
			text += fmt.Sprintf("k%d,%s,%s\n", i, value(i), []string{"no", "yes"}[i%2])
		}
		return []byte(text)
	}
	f.Add(file(func(i int) string { return fmt.Sprintf("%c,%d", 'a'+i%3, i) }))
	f.Add(file(func(i int) string { return fmt.Sprintf(",%s", []string{"", "1e308", "-1e308"}[i%3]) }))
	f.Add(file(func(int) string { return "\"a, \"\"b\"\"\"," }))
	f.Add([]byte("id,c,n,y\n"))
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		table, err := blob.NewTemporary()
		if err != nil {
			t.Fatal(err)
		}
		defer table.Close()
		var out *prepared
		p, err := newPass(spec, spec.Split, bytes.NewReader(text), table)
		if err == nil {
			err = p.read(t.Context(), func(int64) {})
		}
		if err == nil {
			out, err = p.result(table)
		}
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) {
				t.Fatalf("kind %v: %v", churn.KindOf(err), err)
			}
			return
		}
		if _, err := profile.Parse(out.profile); err != nil {
			t.Fatal(err)
		}
		check(t, out)
	})
}

// check reads the table back by its preprocessor.
func check(t *testing.T, p *prepared) {
	t.Helper()
	preprocessor, err := feature.Parse(p.preprocessor)
	if err != nil {
		t.Fatal(err)
	}
	size, err := p.table.Seek(0, 2)
	if err != nil {
		t.Fatal(err)
	}
	table, err := feature.OpenTable(p.table, size)
	if err != nil {
		t.Fatal(err)
	}
	for part := range dataset.Part(dataset.Parts) {
		rows := 0
		for c, err := range table.Chunks(preprocessor, part) {
			if err != nil {
				t.Fatal(err)
			}
			rows += len(c.Rows)
			for _, x := range c.X {
				if math.IsNaN(x) {
					t.Fatalf("a feature of part %d is no number", part)
				}
			}
		}
		if int64(rows) != p.counts[part] {
			t.Fatalf("part %d has %d rows of %d", part, rows, p.counts[part])
		}
	}
}
