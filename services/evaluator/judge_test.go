package evaluator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/net/html"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/jsonfile"
	"github.com/asfotec/churn/pkg/stat"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// scoredRows makes a hold-out on which the candidate ranks a little better
// than the champion.
func scoredRows(t testing.TB, rows int) *scored {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var keys []string
	s := &scored{spec: &dataset.Spec{}, parity: evaluation.Parity{Rows: 10, LargestDifference: 1e-16, Tolerance: 1e-12}}
	for i := range rows {
		label := rng.Float64() < 0.27
		signal := rng.NormFloat64() - 1.6
		if label {
			signal += 1.4
		}
		keys = append(keys, fmt.Sprintf("%04d", i))
		s.labels = append(s.labels, label)
		s.scores = append(s.scores, 1/(1+math.Exp(-signal)))
		s.championScores = append(s.championScores, 1/(1+math.Exp(-signal-0.6*rng.NormFloat64())))
	}
	s.keys = keySeq(keys)
	var err error
	if s.candidate, err = stat.New(s.labels, s.scores); err != nil {
		t.Fatal(err)
	}
	if s.champion, err = stat.New(s.labels, s.championScores); err != nil {
		t.Fatal(err)
	}
	return s
}

// keySeq yields the keys as a table does.
func keySeq(keys []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func trainedEvent() *eventv1.ModelTrained {
	digest := func(c string) *artifactv1.Artifact { return &artifactv1.Artifact{Sha256: strings.Repeat(c, 64)} }
	return &eventv1.ModelTrained{
		Plan: &eventv1.Plan{
			Model: "churn-classifier", Dataset: digest("a"), Spec: digest("b"),
			Split:    &eventv1.Split{Test: 0.2, Validation: 0.15},
			Training: &eventv1.Training{NumLeaves: 64, LearningRate: 0.05, Seed: 42},
			Gate:     &eventv1.Gate{MinAuc: 0.82, BaselineStage: "Production"},
		},
		Features:  &eventv1.FeatureSet{Table: digest("c"), Preprocessor: digest("d"), TrainRows: 4789},
		Candidate: &eventv1.TrainedModel{Model: digest("e"), TreesSha256: strings.Repeat("f", 64)},
	}
}

var aChampion = &eventv1.Champion{Version: 3, Generation: 4, Run: "earlier", Model: &artifactv1.Artifact{}, Preprocessor: &artifactv1.Artifact{}}

func judgeRows(t *testing.T, s *scored, trained *eventv1.ModelTrained, champion *eventv1.Champion) (*evaluation.Document, *files) {
	t.Helper()
	d, f, err := New(nil, nil, nil, Default()).judge(context.Background(), "the-run", trained, champion, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return d, f
}

func TestEveryIntervalHoldsItsValue(t *testing.T) {
	d, _ := judgeRows(t, scoredRows(t, 800), trainedEvent(), aChampion)
	for of, table := range map[string]map[string]evaluation.Measure{
		"candidate": d.Candidate.Metrics, "champion": d.Champion.Metrics, "difference": d.Comparison.Differences,
	} {
		if len(table) != int(stat.KS)+1 {
			t.Errorf("%s has %d metrics", of, len(table))
		}
		for name, m := range table {
			if !(m.Low <= m.Value && m.Value <= m.High && m.Low < m.High) {
				t.Errorf("%s %s: %+v", of, name, m)
			}
		}
	}
	if d.Candidate.Metrics["auc"].Method != byDeLong || d.Candidate.Metrics["accuracy"].Method != byWilson || d.Comparison.Differences["auc"].Method != byDeLong {
		t.Error("intervals by another method than documented")
	}
	if got, want := d.Comparison.Differences["f1"].Value, d.Candidate.Metrics["f1"].Value-d.Champion.Metrics["f1"].Value; got != want {
		t.Errorf("difference of F1 is %v, want %v", got, want)
	}
}

func TestFilesAreTheSameOnAnyNumberOfCPUs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	_, one := judgeRows(t, scoredRows(t, 500), trainedEvent(), aChampion)
	runtime.GOMAXPROCS(4)
	for range 3 {
		_, many := judgeRows(t, scoredRows(t, 500), trainedEvent(), aChampion)
		for name, pair := range map[string][2][]byte{
			"evaluation": {one.evaluation, many.evaluation}, "scores": {bytesOf(t, one.scores), bytesOf(t, many.scores)}, "roc": {one.roc, many.roc},
			"pr": {one.pr, many.pr}, "calibration": {one.calibration, many.calibration}, "report": {one.report, many.report},
		} {
			if !bytes.Equal(pair[0], pair[1]) {
				t.Errorf("%s differs", name)
			}
		}
	}
}

func TestDocumentReadsBack(t *testing.T) {
	d, f := judgeRows(t, scoredRows(t, 300), trainedEvent(), aChampion)
	var back evaluation.Document
	decoder := json.NewDecoder(bytes.NewReader(f.evaluation))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&back); err != nil {
		t.Fatal(err)
	}
	if back.Candidate.Metrics["auc"] != d.Candidate.Metrics["auc"] || back.Champion.Version != 3 {
		t.Errorf("read back %+v", back)
	}
	again, err := jsonfile.Encode(back)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, f.evaluation) {
		t.Error("evaluation.json changes when it is read and written")
	}
}

func TestWithoutChampion(t *testing.T) {
	s := scoredRows(t, 300)
	s.champion, s.championScores = nil, nil
	d, f := judgeRows(t, s, trainedEvent(), nil)
	if d.Champion != nil || d.Comparison != nil || !bytes.Contains(f.evaluation, []byte(`"champion": null`)) {
		t.Error("a champion out of nothing")
	}
	for _, row := range readScores(t, bytesOf(t, f.scores)) {
		if row.Champion != nil {
			t.Fatal("champion's score of a row without a champion")
		}
	}
	checkHTML(t, f.report)
}

func TestScoresTable(t *testing.T) {
	s := scoredRows(t, 300)
	_, f := judgeRows(t, s, trainedEvent(), aChampion)
	rows := readScores(t, bytesOf(t, f.scores))
	if len(rows) != 300 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		if row.Key != fmt.Sprintf("%04d", i) || (row.Label == 1) != s.labels[i] || row.Candidate != s.scores[i] || *row.Champion != s.championScores[i] {
			t.Fatalf("row %d is %+v", i, row)
		}
	}
}

func bytesOf(t testing.TB, file *blob.Temporary) []byte {
	t.Helper()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readScores(t testing.TB, table []byte) []scoreRow {
	t.Helper()
	rows, err := parquet.Read[scoreRow](bytes.NewReader(table), int64(len(table)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestPlotsAreImages(t *testing.T) {
	_, f := judgeRows(t, scoredRows(t, 300), trainedEvent(), aChampion)
	for name, body := range map[string][]byte{"roc": f.roc, "pr": f.pr, "calibration": f.calibration} {
		img, err := png.Decode(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if size := img.Bounds().Size(); size.X != 648 || size.Y != 648 {
			t.Errorf("%s is %v", name, size)
		}
	}
}

// A curve of a million points is drawn with no more than its pixels need.
func TestThin(t *testing.T) {
	var points []stat.Point
	for i := range 1_000_001 {
		x := float64(i) / 1e6
		points = append(points, stat.Point{X: x, Y: math.Sqrt(x)})
	}
	got := thin(slices.Values(points))
	if len(got) > 2*648 || got[0] != points[0] || got[len(got)-1] != points[len(points)-1] {
		t.Errorf("%d points from %v to %v", len(got), got[0], got[len(got)-1])
	}
}

// Whatever the data and the request call things, the report shows it as text.
func TestReportEscapes(t *testing.T) {
	const hostile = `</code><script>alert(1)</script><img src=x onerror="alert(2)">`
	s, trained := scoredRows(t, 200), trainedEvent()
	s.unseen, s.championUnseen = map[string]int64{hostile: 2}, map[string]int64{hostile: 3}
	s.warnings = []string{hostile}
	trained.Plan.Model, trained.Plan.Split.Salt, trained.Plan.Gate.BaselineStage = hostile, hostile, hostile
	trained.Candidate.TreesSha256 = hostile
	s.importances = []byte(hostile)
	_, f := judgeRows(t, s, trained, aChampion)
	checkHTML(t, f.report)
}

// checkHTML checks that the page runs nothing and fetches nothing.
func checkHTML(t *testing.T, page []byte) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		switch node.Data {
		case "script", "iframe", "object", "embed", "link", "form", "a", "base":
			t.Errorf("the report has a %s element", node.Data)
		}
		for _, a := range node.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" && !strings.HasPrefix(a.Val, "data:image/png;base64,") {
				t.Errorf("the report has %s=%.40q", a.Key, a.Val)
			}
		}
	}
	if bytes.Contains(page, []byte("ZgotmplZ")) {
		t.Error("the template has met a value where it cannot be")
	}
}

func TestReplicatesShrinkWithTheHoldout(t *testing.T) {
	c := Default()
	for _, w := range []struct{ rows, replicates int }{{4, 2000}, {100_000, 2000}, {400_000, 500}, {10_000_000, 200}} {
		if got := c.replicates(w.rows); got != w.replicates {
			t.Errorf("%d rows: %d replicates, want %d", w.rows, got, w.replicates)
		}
	}
}

func TestConfigNamesTheField(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"Level":      func(c *Config) { c.Level = 1 },
		"Replicates": func(c *Config) { c.Replicates = 10 },
		"Bins":       func(c *Config) { c.Bins = 0 },
		"Tolerance":  func(c *Config) { c.Tolerance = math.NaN() },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: error %v", field, err)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}
