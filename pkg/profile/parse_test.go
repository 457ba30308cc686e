package profile

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/soak"
)

var update = flag.Bool("update", false, "write testdata/profile.json")

// golden is the profile of a small file: a change of one byte is made on purpose.
func golden(t testing.TB) string {
	t.Helper()
	_, text := profileOf(t, specOf(t, []byte(smallSpec)), strings.NewReader(smallFile("k1,c, ,no", "x,c,-0.3,no", "y,c,1234.5,yes")))
	path := filepath.Join("testdata", "profile.json")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("%s has changed; if that is meant, run `go test . -update`\n%s", path, text)
	}
	return string(text)
}

func TestParse(t *testing.T) {
	text := golden(t)
	for name, c := range map[string]struct{ old, new, say string }{
		"newer":                 {`"version": 2`, `"version": 3`, "version is 3, want 2: is a newer release needed?"},
		"no version":            {`"version": 2`, `"version": 0`, "version is 0"},
		"not JSON":              {`{`, ``, "not of the expected form"},
		"unknown field":         {`"dataset"`, `"data"`, "unknown field"},
		"unknown column field":  {`"blanks"`, `"blank"`, "columns[0]"},
		"more behind":           {"\n}\n", "\n}\n{}", "not of the expected form"},
		"rows do not add up":    {`"rows": 43`, `"rows": 44`, "rows: they are those of train"},
		"a part is missing":     {`"train"`, `"test"`, "those of train are missing"},
		"too many positives":    {`"positives": 21`, `"positives": 44`, "rows: they are"},
		"more keys than rows":   {`"keys": 42`, `"keys": 44`, "duplicates"},
		"a name twice":          {`"name": "n"`, `"name": "c"`, `column "c": the name is empty, or there twice`},
		"a kind":                {`"kind": "numeric"`, `"kind": "number"`, `kind is "number"`},
		"category twice":        {`"name": "b"`, `"name": "a"`, `column "c": categories must be sorted and distinct`},
		"category without rows": {`"rows": 3`, `"rows": 0`, `category "c" has 0 rows`},
		"blanks missing":        {`"blanks": 1`, `"blanks": 0`, "42 counted, 0 other and 0 blank rows are not the file's 43"},
		"negative blanks":       {`"blanks": 1`, `"blanks": -1`, "-1 blank"},
		"too many bits":         {`"bits": 6`, `"bits": 7`, "by 7 bits"},
		"bits of another sign":  {`"bits": 6`, `"bits": -12`, "by -12 bits"},
		"bin between":           {`"at": 39`, `"at": 39.1`, "no bin by 6 bits is at 39.1"},
		"bins out of order":     {`"at": 39`, `"at": 37`, "bins must be sorted and distinct"},
		"min above the first":   {`"min": -0.3`, `"min": 0`, "min 0 and max 1234.5 are not in"},
		"max in another bin":    {`"max": 1234.5`, `"max": 1300`, "max 1300"},
		"not a finite number":   {`"max": 1234.5`, `"max": 1e999`, "columns[1]"},
		"negative deviation":    {`"deviation": `, `"deviation": -`, "deviation is -"},
		"as numbers":            {`"kind": "categorical"`, `"kind": "numeric"`, "it is numeric and has categories"},
		"too large":             {"\n}\n", "\n}\n" + strings.Repeat(" ", MaxDocument), "at most 33554432 are allowed"},
	} {
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s: %s is not in the golden profile", name, c.old)
		}
		_, err := Parse([]byte(strings.Replace(text, c.old, c.new, 1)))
		if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), c.say) || errors.Is(err, ErrTooOld) {
			t.Errorf("%s: %v, want an Invalid error with %q", name, err, c.say)
		}
	}
}

// A profile of a version before histograms is told from a broken one.
func TestTooOld(t *testing.T) {
	_, err := Parse([]byte(strings.Replace(golden(t), `"version": 2`, `"version": 1`, 1)))
	if !errors.Is(err, ErrTooOld) || !churn.IsKind(err, churn.Invalid) {
		t.Errorf("error %v", err)
	}
}

func TestNumberOfColumns(t *testing.T) {
	for say, columns := range map[string]string{
		"there are 0 columns":    "",
		"there are 2001 columns": "{}" + strings.Repeat(",{}", maxColumns),
	} {
		if _, err := Parse([]byte(`{"version":2,"columns":[` + columns + `]}`)); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), say) {
			t.Errorf("error %v, want an Invalid one with %q", err, say)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(golden(f)))
	f.Add([]byte(`{"version":2,"rows":{"train":{"rows":1},"validation":{},"holdout":{},"all":{"rows":1}},"columns":[{"name":"n","kind":"numeric","numbers":{"min":-1,"max":-1,"histogram":{"bits":6,"bins":[{"at":-1,"rows":1}]}}}]}`))
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) {
				t.Fatalf("kind %v", churn.KindOf(err))
			}
			return
		}
		once, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.JSON(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("reading and writing changes it: %v\n%s\n%s", err, once, twice)
		}
		for _, c := range d.Columns {
			x, y := Bins(c.Numbers, c.Numbers)
			Deciles(x, y)
			x, _ = Categories(&c, &c)
			if sum(x) != d.Rows["all"].Rows && c.Numbers == nil {
				t.Fatalf("column %q has %d rows of %d", c.Name, sum(x), d.Rows["all"].Rows)
			}
		}
	})
}
