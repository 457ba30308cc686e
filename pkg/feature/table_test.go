package feature_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/soak"
)

func writeTable(t testing.TB, spec *dataset.Spec, rows []dataset.Row) []byte {
	t.Helper()
	file, err := encodeTable(spec, rows)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func encodeTable(spec *dataset.Spec, rows []dataset.Row) ([]byte, error) {
	var out bytes.Buffer
	w := feature.NewWriter(&out, spec)
	for i := range rows {
		if err := w.Write(&rows[i]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// collect returns all rows of the parts as one chunk.
func collect(file []byte, p *feature.Preprocessor, parts ...dataset.Part) (all feature.Chunk, chunks int, err error) {
	table, err := feature.OpenTable(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return all, 0, err
	}
	all.Unseen = map[string]int64{}
	for c, err := range table.Chunks(p, parts...) {
		if err != nil {
			return all, chunks, err
		}
		chunks++
		all.X, all.Labels = append(all.X, c.X...), append(all.Labels, c.Labels...)
		all.Keys, all.Rows = append(all.Keys, c.Keys...), append(all.Rows, c.Rows...)
		for column, n := range c.Unseen {
			all.Unseen[column] += n
		}
	}
	return all, chunks, nil
}

// Through the table, rows get the features that Apply gives them.
func TestTableAndApplyAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		p, err := fit(rows, tiny)
		if err != nil {
			t.Fatal(err)
		}
		file, err := encodeTable(tiny, rows)
		if err != nil {
			t.Fatal(err)
		}
		parts := rapid.SampledFrom([][]dataset.Part{{dataset.Train}, {dataset.Holdout}, {dataset.Train, dataset.Validation}}).Draw(t, "parts")
		got, _, err := collect(file, p, parts...)
		if err != nil {
			t.Fatal(err)
		}
		x, place, unseen := make([]float64, len(p.Features)), 0, int64(0)
		for i, r := range rows {
			if !slices.Contains(parts, r.Part) {
				continue
			}
			n, err := p.Apply(r.Values, x)
			if err != nil {
				t.Fatal(err)
			}
			unseen += int64(n)
			if got.Rows[place] != int64(i) || got.Keys[place] != r.Key || (got.Labels[place] == 1) != r.Positive || !slices.Equal(got.X[place*len(x):][:len(x)], x) {
				t.Fatalf("row %d came back as %d, %q, %v, %v", i, got.Rows[place], got.Keys[place], got.Labels[place], got.X[place*len(x):][:len(x)])
			}
			place++
		}
		if place != len(got.Rows) || unseen != got.Unseen["c"]+got.Unseen["d"] {
			t.Fatalf("%d rows for %d, unseen %v for %d", len(got.Rows), place, got.Unseen, unseen)
		}
	})
}

// Row groups end after so many bytes, too, and so does what one chunk holds: a
// wide table is read in pieces.
func TestWideTablesAreReadInPieces(t *testing.T) {
	spec := *tiny
	spec.Columns = []dataset.Column{{Name: "c", Kind: dataset.Categorical, Missing: dataset.MissingError}}
	p := &feature.Preprocessor{
		Version: 1, Key: "id", Target: spec.Target,
		Columns: []feature.Column{{Name: "c", Kind: dataset.Categorical, Missing: dataset.MissingError}},
	}
	for i := range 1000 {
		p.Columns[0].Categories = append(p.Columns[0].Categories, fmt.Sprintf("%04d", i))
		p.Features = append(p.Features, "c="+p.Columns[0].Categories[i])
	}
	var rows []dataset.Row
	for i := range 40_000 {
		rows = append(rows, dataset.Row{Key: fmt.Sprint(i), Part: dataset.Part(i % 2), Values: []dataset.Value{{Text: fmt.Sprintf("%04d", i%1000)}}})
	}
	got, chunks, err := collect(writeTable(t, &spec, rows), p, dataset.Train)
	if err != nil {
		t.Fatal(err)
	}
	if chunks != 2 || len(got.Rows) != 20_000 {
		t.Fatalf("%d rows in %d chunks", len(got.Rows), chunks)
	}
	for place, row := range got.Rows {
		if row != int64(2*place) || got.Keys[place] != fmt.Sprint(row) || got.X[place*1000+int(row)%1000] != 1 {
			t.Fatalf("row %d is %d, %q", place, row, got.Keys[place])
		}
	}
}

func TestRowGroupsAreBounded(t *testing.T) {
	for name, text := range map[string]string{"rows": "x", "bytes": strings.Repeat("x", 2000)} {
		t.Run(name, func(t *testing.T) {
			row := dataset.Row{Values: []dataset.Value{{Number: 1}, {Number: 2}, {Text: text}, {Text: text}}}
			file := writeTable(t, tiny, slices.Repeat([]dataset.Row{row}, 70_000))
			f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			total := int64(0)
			for _, g := range f.RowGroups() {
				total += g.NumRows()
				if held := g.NumRows() * int64(2*len(text)+16); g.NumRows() > 64<<10 || held > 65<<20 {
					t.Errorf("a row group of %d rows, %d bytes", g.NumRows(), held)
				}
			}
			if len(f.RowGroups()) < 2 || total != 70_000 {
				t.Errorf("%d rows in %d groups", total, len(f.RowGroups()))
			}
		})
	}
}

// What is no table, or one that was made to mislead, is refused with a message.
func TestTablesThatAreRefused(t *testing.T) {
	type row struct {
		Part  int32   `parquet:"__split"`
		Label int32   `parquet:"__label"`
		Key   string  `parquet:"__key"`
		A     float64 `parquet:"a,optional"`
	}
	p := &feature.Preprocessor{
		Version: 1, Key: "id", Target: tiny.Target, Features: []string{"a"},
		Columns: []feature.Column{{Name: "a", Kind: dataset.Numeric, Missing: dataset.MissingError, Deviation: 1}},
	}
	good := parquetOf(t, row{Key: "k", A: 1})
	if got, _, err := collect(good, p, dataset.Train); err != nil || !slices.Equal(got.X, []float64{1}) {
		t.Fatalf("%v, %v", got, err)
	}
	damaged := bytes.Clone(good)
	for i := 4; i < 60; i++ {
		damaged[i] ^= 0xff
	}
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"empty":   {nil, "cannot be read"},
		"text":    {[]byte(strings.Repeat("text ", 100)), "cannot be read"},
		"cut off": {good[:len(good)-9], "cannot be read"},
		"damaged": {damaged, ""},
		"no key":  {parquetOf(t, struct{ A int32 }{}), "has no column __split"},
		"another kind": {parquetOf(t, struct { //nolint:govet // columns
			Part  int32  `parquet:"__split"`
			Label string `parquet:"__label"`
		}{}), "column __label of the features table is BYTE_ARRAY, want INT32"},
		"a null label": {parquetOf(t, struct {
			Part  int32  `parquet:"__split"`
			Label *int32 `parquet:"__label"`
		}{}), "column __label of the features table may be null"},
		"a list": {parquetOf(t, struct {
			Part []int32 `parquet:"__split"`
		}{}), "column __split"},
		"no such column": {parquetOf(t, struct {
			Part  int32  `parquet:"__split"`
			Label int32  `parquet:"__label"`
			Key   string `parquet:"__key"`
		}{}), "has no column a"},
		"a long key":         {parquetOf(t, row{A: 1, Key: strings.Repeat("k", 1025)}), "a key has 1025 bytes"},
		"a label of 2":       {parquetOf(t, row{Label: 2, A: 1}), "a label is 2, want 0 or 1"},
		"not a number":       {parquetOf(t, row{A: math.NaN()}), "column a is NaN"},
		"an infinite number": {parquetOf(t, row{A: math.Inf(-1)}), "column a is -Inf"},
		"a blank":            {parquetOf(t, row{}), "column a is blank, which its preprocessor does not allow"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := collect(test.file, p, dataset.Train)
			if err == nil || !strings.Contains(err.Error(), test.want) || !churn.IsKind(err, churn.Invalid) {
				t.Errorf("kind %v: %v\nwant %s", churn.KindOf(err), err, test.want)
			}
		})
	}
}

func parquetOf[T any](t testing.TB, rows ...T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := parquet.Write(&out, rows); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestScoresThatAreRefused(t *testing.T) {
	for name, file := range map[string][]byte{
		"empty": nil, "text": []byte(strings.Repeat("text ", 100)), "no rows": parquetOf[feature.Score](t),
		"cut off": parquetOf(t, feature.Score{})[1:],
	} {
		if got, err := feature.DecodeScores(file); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("%s: %v, kind %v: %v", name, got, churn.KindOf(err), err)
		}
	}
}

func TestPreprocessorsThatAreRefused(t *testing.T) {
	good := `{"version":1,"dataset":"d","key":"id","target":{"column":"y","positive":"1","negative":"0"},"split":{"test":0.2,"validation":0.1,"salt":""},` +
		`"columns":[{"name":"a","kind":"numeric","missing":"zero","fill":0,"min":null,"max":null,"mean":1,"deviation":2},` +
		`{"name":"b","kind":"categorical","missing":"error","categories":["x","y"]}],"features":["a","b=x","b=y"]}`
	if _, err := feature.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, edit := range [][2]string{
		{`"version":1`, `"version":2`}, {`"key":"id"`, `"key":""`}, {`"positive":"1"`, `"positive":"0"`}, {`"deviation":2`, `"deviation":0`},
		{`"deviation":2`, `"deviation":-1`}, {`"mean":1`, `"mean":1e999`}, {`"mean":1`, `"mean":"1"`}, {`"fill":0`, `"fill":null`},
		{`"missing":"zero"`, `"missing":"error"`}, {`"missing":"error"`, `"missing":"zero"`}, {`["x","y"]`, `["y","x"]`}, {`["x","y"]`, `["x","x"]`},
		{`"name":"b"`, `"name":"a"`}, {`"name":"b"`, `"name":"__b"`}, {`"name":"b"`, `"name":"b=x"`}, {`"kind":"numeric"`, `"kind":"text"`},
		{`"b=x"`, `"b=z"`}, {`,"b=y"]`, `]`}, {`"dataset"`, `"colour"`}, {`"categories":`, `"colours":`}, {`]}`, `]} {}`}, {`{"version"`, `[{"version"`},
	} {
		text := strings.Replace(good, edit[0], edit[1], 1)
		if _, err := feature.Parse([]byte(text)); text == good || !churn.IsKind(err, churn.Invalid) {
			t.Errorf("%s: kind %v: %v", edit[1], churn.KindOf(err), err)
		}
	}
}

// Whatever the bytes are, decoding ends, and what is decoded can be encoded.
func FuzzScores(f *testing.F) {
	file, err := feature.EncodeScores([]feature.Score{{Row: 3, Score: 0.25}, {Row: 70000, Score: 1 / 3.0}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(file[:len(file)-8])
	soak.Fuzz(f, func(t *testing.T, file []byte) {
		scores, err := feature.DecodeScores(file)
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) {
				t.Fatalf("kind %v: %v", churn.KindOf(err), err)
			}
			return
		}
		if _, err := feature.EncodeScores(scores); err != nil {
			t.Fatal(err)
		}
	})
}
