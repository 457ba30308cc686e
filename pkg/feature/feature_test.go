package feature_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/soak"
)

// telco opens the real file where it is there, and the generated one otherwise.
func telco(t testing.TB) *os.File {
	t.Helper()
	for _, path := range []string{"../../../shared/data/telco_churn.csv", "../../data/telco_churn.csv"} {
		if file, err := os.Open(filepath.FromSlash(path)); err == nil {
			t.Cleanup(func() { _ = file.Close() })
			return file
		}
	}
	t.Fatal("data/telco_churn.csv is missing: make it with `go run ./cmd/generate -o telco_churn.csv` in data/")
	return nil
}

func telcoSpec(t testing.TB) *dataset.Spec {
	t.Helper()
	spec, err := dataset.ParseSpec(data.TelcoSpec)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// prepare fits and writes a table of the rows in r.
func prepare(t testing.TB, r io.Reader, spec *dataset.Spec) (*feature.Preprocessor, []byte, []dataset.Row) {
	t.Helper()
	in, err := dataset.NewReader(r, spec, spec.Split)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fitter, writer := feature.NewFitter(spec, spec.Split), feature.NewWriter(&out, spec)
	var rows []dataset.Row
	for {
		var row dataset.Row
		err := in.Next(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, fitter.Add(&row), writer.Write(&row)); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	p, err := fitter.Preprocessor()
	if err := errors.Join(err, writer.Close(), in.Close()); err != nil {
		t.Fatal(err)
	}
	return p, out.Bytes(), rows
}

func TestTableGivesBackWhatWasWritten(t *testing.T) {
	spec := telcoSpec(t)
	p, file, rows := prepare(t, telco(t), spec)
	table, err := feature.OpenTable(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	x := make([]float64, len(p.Features))
	for c, err := range table.Chunks(p, dataset.Train, dataset.Validation, dataset.Holdout) {
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range c.Rows {
			want := rows[row]
			if _, err := p.Apply(want.Values, x); err != nil {
				t.Fatal(err)
			}
			got := c.X[i*len(x) : (i+1)*len(x)]
			if c.Keys[i] != want.Key || (c.Labels[i] == 1) != want.Positive || !slices.Equal(got, x) {
				t.Fatalf("row %d: key %s, label %v, features %v; want %s, %v, %v", row, c.Keys[i], c.Labels[i], got, want.Key, want.Positive, x)
			}
			n++
		}
	}
	if n != len(rows) || n < 7000 {
		t.Errorf("%d rows came back of %d", n, len(rows))
	}
}

func TestChunksOfOnePart(t *testing.T) {
	p, file, rows := prepare(t, telco(t), telcoSpec(t))
	table, err := feature.OpenTable(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []dataset.Part{dataset.Train, dataset.Validation, dataset.Holdout} {
		want, got := 0, 0
		for _, r := range rows {
			if r.Part == part {
				want++
			}
		}
		for c, err := range table.Chunks(p, part) {
			if err != nil {
				t.Fatal(err)
			}
			got += len(c.Rows)
		}
		if got != want || got == 0 {
			t.Errorf("%s: %d rows, want %d", part, got, want)
		}
	}
}

func TestStandardizationIsThatOfTheTrainingRows(t *testing.T) {
	p, _, rows := prepare(t, telco(t), telcoSpec(t))
	for i, c := range p.Columns {
		if c.Kind != dataset.Numeric {
			continue
		}
		var values []float64
		for _, r := range rows {
			if r.Part == dataset.Train {
				values = append(values, r.Values[i].Number) // a blank is 0 here, as the spec says
			}
		}
		mean, deviation := twoPass(values)
		if math.Abs(c.Mean-mean) > 1e-12*math.Abs(mean) || math.Abs(c.Deviation-deviation) > 1e-12*deviation {
			t.Errorf("%s: mean %v, deviation %v; two passes give %v, %v", c.Name, c.Mean, c.Deviation, mean, deviation)
		}
	}
}

// twoPass is the textbook mean and population deviation.
func twoPass(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	for _, v := range values {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(values)))
}

func TestEqualRowsMakeEqualBytes(t *testing.T) {
	p, a, _ := prepare(t, telco(t), telcoSpec(t))
	q, b, _ := prepare(t, telco(t), telcoSpec(t))
	pj, err1 := p.JSON()
	qj, err2 := q.JSON()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) || !bytes.Equal(pj, qj) {
		t.Error("the same rows gave other bytes")
	}
	again, err := feature.Parse(pj)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := again.JSON(); !bytes.Equal(text, pj) {
		t.Error("reading and writing the preprocessor changes it")
	}
}

func TestMissingMeanAndUnseenCategory(t *testing.T) {
	mean := 20.0
	p := &feature.Preprocessor{
		Version: 1, Dataset: "d", Key: "id", Target: dataset.Target{Column: "y", Positive: "1", Negative: "0"},
		Columns: []feature.Column{
			{Name: "a", Kind: dataset.Numeric, Missing: dataset.MissingMean, Fill: &mean, Mean: 20, Deviation: 10},
			{Name: "b", Kind: dataset.Categorical, Missing: dataset.MissingError, Categories: []string{"x", "y"}},
		},
		Features: []string{"a", "b=x", "b=y"},
	}
	x := []float64{9, 9, 9}
	unseen, err := p.Apply([]dataset.Value{{Missing: true}, {Text: "new"}}, x)
	if err != nil || unseen != 1 || !slices.Equal(x, []float64{0, 0, 0}) {
		t.Errorf("features %v, unseen %d, error %v", x, unseen, err)
	}
}

func TestScoresRoundTrip(t *testing.T) {
	want := []feature.Score{{Row: 3, Score: 0.25}, {Row: 70000, Score: 1 / 3.0}}
	file, err := feature.EncodeScores(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := feature.DecodeScores(file)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"dataset":"d","key":"id","target":{"column":"y","positive":"1","negative":"0"},"split":{"test":0.2,"validation":0.1,"salt":""},"columns":[{"name":"b","kind":"categorical","missing":"error","categories":["x"]}],"features":["b=x"]}`))
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		p, err := feature.Parse(text)
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) {
				t.Fatalf("kind %v", churn.KindOf(err))
			}
			return
		}
		once, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := feature.Parse(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.JSON(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("reading and writing changes it: %v\n%s\n%s", err, once, twice)
		}
		values := make([]dataset.Value, len(p.Columns))
		if _, err := p.Apply(values, make([]float64, len(p.Features))); err != nil && !churn.IsKind(err, churn.Invalid) {
			t.Fatalf("kind %v: %v", churn.KindOf(err), err)
		}
	})
}

func FuzzTable(f *testing.F) {
	var rows []dataset.Row
	for i := range 9 {
		rows = append(rows, dataset.Row{
			Key: string(rune('a' + i)), Positive: i%2 == 0, Part: dataset.Part(i % dataset.Parts),
			Values: []dataset.Value{{Number: float64(i)}, {Missing: i == 3}, {Missing: true}, {Text: string(rune('x' + i%2))}},
		})
	}
	p, err := fit(rows, tiny)
	if err != nil {
		f.Fatal(err)
	}
	file := writeTable(f, tiny, rows)
	f.Add(file)
	f.Add(file[:len(file)-8])
	soak.Fuzz(f, func(t *testing.T, file []byte) {
		table, err := feature.OpenTable(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) {
				t.Fatalf("kind %v: %v", churn.KindOf(err), err)
			}
			return
		}
		for _, err := range table.Chunks(p, dataset.Train, dataset.Holdout) {
			if err != nil && !churn.IsKind(err, churn.Invalid) {
				t.Fatalf("kind %v: %v", churn.KindOf(err), err)
			}
		}
	})
}

func BenchmarkPrepare(b *testing.B) {
	spec := telcoSpec(b)
	file := telco(b)
	for b.Loop() {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		prepare(b, file, spec)
	}
}
