package trainer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/gbdt/worker"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/shap"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestMain(m *testing.M) {
	worker.Main()
	os.Exit(m.Run())
}

var libraryPath = filepath.Join("../..", lightgbm.DefaultPath)

// telco returns the real file where it is there, and the generated one
// otherwise.
var telco = sync.OnceValue(func() []byte {
	for _, path := range []string{"../../../shared/data/telco_churn.csv", "../../data/telco_churn.csv"} {
		if text, err := os.ReadFile(filepath.FromSlash(path)); err == nil {
			return text
		}
	}
	return nil
})

func telcoSpec(t testing.TB) *dataset.Spec {
	t.Helper()
	spec, err := dataset.ParseSpec(data.TelcoSpec)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// features are what the featurizer would have written.
type features struct {
	table, preprocessor []byte
	rows                [dataset.Parts]int64
}

// prepare makes the features of the Telco file by the spec; edit may change a
// row, or drop it by returning false.
func prepare(t testing.TB, spec *dataset.Spec, edit func(*dataset.Row) bool) features {
	t.Helper()
	if telco() == nil {
		t.Fatal("data/telco_churn.csv is missing: make it with `go run ./cmd/generate -o telco_churn.csv` in data/")
	}
	in, err := dataset.NewReader(bytes.NewReader(telco()), spec, spec.Split)
	if err != nil {
		t.Fatal(err)
	}
	var f features
	var table bytes.Buffer
	var row dataset.Row
	fitter, writer := feature.NewFitter(spec, spec.Split), feature.NewWriter(&table, spec)
	for err = in.Next(&row); err == nil; err = in.Next(&row) {
		if !edit(&row) {
			continue
		}
		if err := errors.Join(fitter.Add(&row), writer.Write(&row)); err != nil {
			t.Fatal(err)
		}
		f.rows[row.Part]++
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	p, err := fitter.Preprocessor()
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Fatal(err)
	}
	if f.preprocessor, err = p.JSON(); err != nil {
		t.Fatal(err)
	}
	f.table = table.Bytes()
	return f
}

func all(*dataset.Row) bool { return true }

// whole are the features of the whole file.
func whole(t testing.TB) features {
	t.Helper()
	wholeOnce.Do(func() { wholeFeatures = prepare(t, telcoSpec(t), all) })
	return wholeFeatures
}

var (
	wholeOnce     sync.Once
	wholeFeatures features
)

// put writes the features into the store as the run's.
func (f features) put(t testing.TB, store blob.Store, run string) *eventv1.FeatureSet {
	t.Helper()
	put := func(name string, body []byte) *blob.Artifact {
		a, err := store.Put(t.Context(), churn.ArtifactKey(run, churn.Featurizer, name), "", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	return &eventv1.FeatureSet{
		Table: put(churn.FeaturesTable, f.table), Preprocessor: put(churn.PreprocessorJSON, f.preprocessor), Profile: put(churn.ProfileJSON, nil),
		TrainRows: f.rows[dataset.Train], ValidationRows: f.rows[dataset.Validation], HoldoutRows: f.rows[dataset.Holdout],
	}
}

// ready returns a features-ready event over the features.
func ready(t testing.TB, store blob.Store, f features) event.Event {
	t.Helper()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	put := func(key string, body []byte) *blob.Artifact {
		a, err := store.Put(t.Context(), key, "", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	plan, err := telcoSpec(t).Plan(&eventv1.RetrainRequested{}, put("datasets/d.csv", telco()), put("specs/s.yaml", data.TelcoSpec), at)
	if err != nil {
		t.Fatal(err)
	}
	request := event.Event{ID: "request", Type: churn.RetrainRequested.Type(), Source: "/test", Time: at}
	return request.Reply(churn.Featurizer, churn.FeaturesReady, 0, request.Run()+"/0", &eventv1.FeaturesReady{
		Plan: plan, Features: f.put(t, store, request.Run()), Trials: 1,
	})
}

// setting is a trainer with a store that holds one request for it.
type setting struct {
	*Trainer
	store *memory.Store
	event event.Event
}

func newSetting(t testing.TB, f features) *setting {
	t.Helper()
	pool, err := worker.New(t.Context(), libraryPath, worker.Limits{CPUs: 2}, nil)
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	t.Cleanup(pool.Close)
	store := memory.New("churn")
	return &setting{New(store, objectstore.NewTracker(store), pool), store, ready(t, store, f)}
}

func (s *setting) message() *eventv1.FeaturesReady { return s.event.Data.(*eventv1.FeaturesReady) }

// handle returns the answer, which must be one valid model-trained event.
func (s *setting) handle(ctx context.Context, t testing.TB) (event.Event, *eventv1.ModelTrained) {
	t.Helper()
	out, err := s.Handle(ctx, s.event)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 1 || out[0].Topic != churn.ModelTrained || out[0].Key != s.event.Run() {
		t.Fatalf("the answer is %v", out)
	}
	if err := event.Validate(out[0]); err != nil {
		t.Fatal(err)
	}
	return out[0], out[0].Data.(*eventv1.ModelTrained)
}

func (s *setting) get(t testing.TB, a *blob.Artifact) []byte {
	t.Helper()
	body, err := s.store.Get(t.Context(), a, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (s *setting) decode(t testing.TB, a *blob.Artifact, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(s.get(t, a)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
}

func TestTrainsOnTelco(t *testing.T) {
	s := newSetting(t, whole(t))
	var reports []stage.Progress
	_, trained := s.handle(stage.WithProgress(t.Context(), func(p stage.Progress) { reports = append(reports, p) }), t)
	c := trained.GetCandidate()

	var d Document
	s.decode(t, c.GetTraining(), &d)
	if got, least := d.Validation.LogLoss[d.BestIteration-1], slices.Min(d.Validation.LogLoss); got != least {
		t.Errorf("the model's validation log loss is %v, the least %v", got, least)
	}
	if c.GetValidationAuc() != d.Validation.AUC[d.BestIteration-1] {
		t.Errorf("the event says that the validation AUC is %v, the document %v", c.GetValidationAuc(), d.Validation.AUC[d.BestIteration-1])
	}
	if c.GetValidationAuc() < 0.82 {
		t.Errorf("validation AUC %v", c.GetValidationAuc())
	}
	patience := int(s.message().GetPlan().GetTraining().GetEarlyStoppingRound())
	if len(d.Validation.AUC) != d.BestIteration+patience || len(d.Validation.LogLoss) != len(d.Validation.AUC) {
		t.Errorf("%d iterations, the best was %d and the patience %d", len(d.Validation.AUC), d.BestIteration, patience)
	}
	f := s.message().GetFeatures()
	if d.Rows.Train != int(f.GetTrainRows()) || d.Rows.Validation != int(f.GetValidationRows()) || d.Features != 46 ||
		d.FeaturesSHA256 != f.GetTable().GetSha256() || d.PreprocessorSHA256 != f.GetPreprocessor().GetSha256() {
		t.Errorf("the document says %+v of the input", d)
	}
	if d.Parameters != lightgbm.ParamsOf(s.message().GetPlan().GetTraining()) || d.Engine != (Engine{"lightgbm", "4.7.0", s.pool.LibrarySHA256()}) {
		t.Errorf("the document says %+v and %+v of the training", d.Parameters, d.Engine)
	}

	model := s.get(t, c.GetModel())
	trees, err := lightgbm.TreesSHA256(model)
	if err != nil || trees != c.GetTreesSha256() || trees != d.TreesSHA256 || d.ModelSHA256 != c.GetModel().GetSha256() {
		t.Errorf("digests of the model: %s, %v", trees, err)
	}
	if n := bytes.Count(model, []byte("\nTree=")); n != int(c.GetIterations()) || n != d.BestIteration {
		t.Errorf("the model has %d trees, the event says %d and the document %d", n, c.GetIterations(), d.BestIteration)
	}
	checkReports(t, reports, d, s.event.Run())
}

// checkReports checks that every iteration was reported, and the tracking
// server's id at the end.
func checkReports(t *testing.T, reports []stage.Progress, d Document, run string) {
	t.Helper()
	var aucs []float64
	for _, p := range reports {
		if p.Activity == "training" {
			aucs = append(aucs, p.Value)
			if p.Done != int64(len(aucs)) || p.Total != int64(d.Parameters.NumIterations) || p.Metric != "auc" {
				t.Errorf("report %+v", p)
			}
		}
	}
	if !slices.Equal(aucs, d.Validation.AUC) {
		t.Errorf("%d iterations were reported of %d", len(aucs), len(d.Validation.AUC))
	}
	if last := reports[len(reports)-1]; last.Tracking != strings.ReplaceAll(run, "-", "") || last.Value != d.Validation.AUC[d.BestIteration-1] {
		t.Errorf("the last report is %+v", last)
	}
}

// A trial that waits for others to be trained is not stuck, and says so.
func TestWaitingIsProgress(t *testing.T) {
	var got []string
	ctx := stage.WithProgress(t.Context(), func(p stage.Progress) { got = append(got, p.Activity) })
	report := progress(ctx, "training", lightgbm.Params{NumIterations: 5})
	report(lightgbm.Iteration{})
	report(lightgbm.Iteration{Number: 1})
	if want := []string{"waiting for other trainings", "training"}; !slices.Equal(got, want) {
		t.Errorf("reported was %q, want %q", got, want)
	}
}

func TestImportances(t *testing.T) {
	s := newSetting(t, whole(t))
	_, trained := s.handle(t.Context(), t)
	var i Importances
	s.decode(t, trained.GetCandidate().GetImportances(), &i)
	if len(i.Features) != 46 || len(i.Columns) != 19 {
		t.Fatalf("%d features of %d columns", len(i.Features), len(i.Columns))
	}
	sums := map[string]Importance{}
	for n, f := range i.Features {
		if n > 0 && f.Gain > i.Features[n-1].Gain {
			t.Errorf("feature %s is not in order", f.Feature)
		}
		if name, _, _ := strings.Cut(f.Feature, "="); name != f.Column {
			t.Errorf("feature %s is said to be of column %s", f.Feature, f.Column)
		}
		sum := sums[f.Column]
		sums[f.Column] = Importance{Gain: sum.Gain + f.Gain, Splits: sum.Splits + f.Splits}
	}
	splits := int64(0)
	for _, c := range i.Columns {
		if sum := sums[c.Column]; math.Abs(sum.Gain-c.Gain) > 1e-9*c.Gain || sum.Splits != c.Splits {
			t.Errorf("column %s has %v, its features together %v", c.Column, c, sum)
		}
		splits += c.Splits
	}
	// Each split is a line break of the model: every tree has its leaves less one.
	leaves := 0
	for line := range strings.Lines(string(s.get(t, trained.GetCandidate().GetModel()))) {
		if n, ok := strings.CutPrefix(line, "num_leaves="); ok {
			k, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				t.Fatal(err)
			}
			leaves += k - 1
		}
	}
	if splits != int64(leaves) {
		t.Errorf("%d splits in all, the trees have %d", splits, leaves)
	}
	if i.Columns[0].Column != "Contract" {
		t.Errorf("the column of most gain is %s", i.Columns[0].Column)
	}
}

// The contributions are those of the model that is written: with those of the
// features, the expected value adds up to the scores' log odds.
func TestContributions(t *testing.T) {
	s := newSetting(t, whole(t))
	_, trained := s.handle(t.Context(), t)
	d, err := shap.Parse(s.get(t, trained.GetCandidate().GetContributions()))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Features) != 46 || len(d.Columns) != 19 || d.Columns[0].Column != "Contract" {
		t.Errorf("%d features of %d columns, the first of which is %v", len(d.Features), len(d.Columns), d.Columns[0])
	}
	scores, err := feature.DecodeScores(s.get(t, trained.GetCandidate().GetReferenceScores()))
	if err != nil {
		t.Fatal(err)
	}
	if d.Rows < 100 || int(d.Rows) > len(scores) {
		t.Fatalf("%d of %d rows are explained", d.Rows, len(scores))
	}
	odds := 0.0
	for _, score := range scores[:d.Rows] {
		odds += math.Log(score.Score/(1-score.Score)) / float64(d.Rows)
	}
	byFeature, byColumn := d.Expected, d.Expected
	for _, f := range d.Features {
		byFeature += f.Mean
	}
	for _, c := range d.Columns {
		byColumn += c.Mean
	}
	if math.Abs(byFeature-odds) > 1e-9 || math.Abs(byColumn-odds) > 1e-9 {
		t.Errorf("the means add up to %v by feature and %v by column, the log odds' mean is %v", byFeature, byColumn, odds)
	}
}

func TestReferenceScores(t *testing.T) {
	s := newSetting(t, whole(t))
	_, trained := s.handle(t.Context(), t)
	scores, err := feature.DecodeScores(s.get(t, trained.GetCandidate().GetReferenceScores()))
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.read(t.Context(), s.message().GetFeatures())
	if err != nil {
		t.Fatal(err)
	}
	var rows []int64
	var labels, values []float64
	for c, err := range in.table.Chunks(in.preprocessor, dataset.Validation) {
		if err != nil {
			t.Fatal(err)
		}
		rows, labels = append(rows, c.Rows...), append(labels, c.Labels...)
	}
	for i, score := range scores {
		if score.Row != rows[i] {
			t.Fatalf("score %d is of row %d, want %d", i, score.Row, rows[i])
		}
		values = append(values, score.Score)
	}
	if len(scores) != len(rows) {
		t.Fatalf("%d scores of %d validation rows", len(scores), len(rows))
	}
	if got := auc(labels, values); math.Abs(got-trained.GetCandidate().GetValidationAuc()) > 1e-12 {
		t.Errorf("the scores have AUC %v, the event says %v", got, trained.GetCandidate().GetValidationAuc())
	}
}

// auc compares every pair.
func auc(labels, scores []float64) float64 {
	wins, pairs := 0.0, 0.0
	for i := range labels {
		for j := range labels {
			if labels[i] == 1 && labels[j] == 0 {
				pairs++
				if scores[i] > scores[j] {
					wins++
				} else if scores[i] == scores[j] {
					wins += 0.5
				}
			}
		}
	}
	return wins / pairs
}

// Two trainers, two stores, one or two threads: every artifact and the event are
// the same bytes.
func TestSameBytes(t *testing.T) {
	first := newSetting(t, whole(t))
	want, _ := first.handle(t.Context(), t)
	for _, threads := range []int{1, 2} {
		s := newSetting(t, whole(t))
		s.threads = func(int) int { return threads }
		got, _ := s.handle(t.Context(), t)
		if got.ID != want.ID || !proto.Equal(got.Data, want.Data) { // which holds every digest
			t.Errorf("with %d threads the event is\n%v\nwant\n%v", threads, got.Data, want.Data)
		}
	}
	again, _ := first.handle(t.Context(), t) // artifacts that are there are the same
	if !proto.Equal(again.Data, want.Data) {
		t.Error("a repeated event is answered otherwise")
	}
}

// Trials of one run do not get in each other's way.
func TestTrials(t *testing.T) {
	s := newSetting(t, whole(t))
	s.message().Trials = 2
	s.message().GetPlan().GetTraining().NumIterations = 5
	_, a := s.handle(t.Context(), t)
	s.event.ID += "-1"
	s.message().Trial = 1
	s.message().GetPlan().GetTraining().Seed = 43
	s.message().GetPlan().GetTraining().NumLeaves = 7
	_, b := s.handle(t.Context(), t)
	if b.GetTrial() != 1 || b.GetTrials() != 2 || a.GetCandidate().GetModel().GetUri() == b.GetCandidate().GetModel().GetUri() {
		t.Errorf("trials %v and %v", a, b)
	}
	if want := s.store.URI("runs/" + s.event.Run() + "/trainer/trial-1/model.txt"); b.GetCandidate().GetModel().GetUri() != want {
		t.Errorf("the model is %s, want %s", b.GetCandidate().GetModel().GetUri(), want)
	}
	for _, trial := range []string{"trial-0", "trial-1"} {
		if _, err := s.store.Stat(t.Context(), "tracking/asfotec-churn/"+s.event.Run()+"/trials/"+trial+"/trainer.json"); err != nil {
			t.Errorf("%s is not tracked: %v", trial, err)
		}
	}
}

func TestTracks(t *testing.T) {
	s := newSetting(t, whole(t))
	_, trained := s.handle(t.Context(), t)
	a, err := s.store.Stat(t.Context(), "tracking/asfotec-churn/"+s.event.Run()+"/trainer.json")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Params    map[string]string
		Metrics   map[string]float64
		Series    map[string][]float64
		Artifacts map[string]any
	}
	if err := json.Unmarshal(s.get(t, a), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Params) != 12 || got.Params["num_leaves"] != "64" || got.Params["learning_rate"] != "0.05" {
		t.Errorf("params %v", got.Params)
	}
	if got.Metrics["validation_auc"] != trained.GetCandidate().GetValidationAuc() || got.Metrics["validation_log_loss"] <= 0 {
		t.Errorf("metrics %v", got.Metrics)
	}
	if n := len(got.Series["validation_auc_by_iteration"]); n <= int(trained.GetCandidate().GetIterations()) {
		t.Errorf("a series of %d iterations", n)
	}
	if len(got.Artifacts) != 6 {
		t.Errorf("artifacts %v", got.Artifacts)
	}
}

// What is wrong with the input is an invalid error that says so, and nothing is
// written.
func TestInvalid(t *testing.T) {
	only := func(keep func(*dataset.Row) bool) features { return prepare(t, telcoSpec(t), keep) }
	for name, c := range map[string]struct {
		features features
		edit     func(*setting)
		want     string
	}{
		"another digest": {whole(t), func(s *setting) {
			s.message().GetFeatures().GetTable().Sha256 = strings.Repeat("0", 64)
		}, "features.parquet"},
		"changed table": {whole(t), func(s *setting) {
			table := bytes.Clone(whole(t).table)
			table[1000] ^= 1
			s.store.Corrupt(churn.ArtifactKey(s.event.Run(), churn.Featurizer, churn.FeaturesTable), table)
		}, "features.parquet"},
		"another bucket": {whole(t), func(s *setting) {
			s.message().GetFeatures().GetTable().Uri = "s3://other/features.parquet"
		}, "bucket"},
		"other columns":           {withoutContract(t), nil, "no column Contract"},
		"no preprocessor":         {features{whole(t).table, []byte("{}"), whole(t).rows}, nil, "the preprocessor"},
		"empty validation":        {only(func(r *dataset.Row) bool { return r.Part != dataset.Validation }), nil, "the validation split has no rows"},
		"one class in training":   {only(func(r *dataset.Row) bool { return r.Part != dataset.Train || !r.Positive }), nil, "rows of the training split are of one class"},
		"one class in validation": {only(func(r *dataset.Row) bool { return r.Part != dataset.Validation || r.Positive }), nil, "rows of the validation split are of one class"},
		"numbers too large":       {largeTenures(t), nil, `in feature "tenure"`},
		"more rows announced": {whole(t), func(s *setting) {
			s.message().GetFeatures().TrainRows++
		}, "fewer than the"},
		"fewer rows announced": {whole(t), func(s *setting) {
			s.message().GetFeatures().ValidationRows--
		}, "more than the"},
		"bagging without frequency": {whole(t), func(s *setting) {
			s.message().GetPlan().GetTraining().BaggingFraction = 0.5
		}, "bagging_freq"},
		"setting out of range": {whole(t), func(s *setting) {
			s.message().GetPlan().GetTraining().NumLeaves = 1
		}, "plan.training.num_leaves"},
		"another payload": {whole(t), func(s *setting) {
			s.event.Data = &eventv1.ModelTrained{}
		}, "not FeaturesReady"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t, c.features)
			if c.edit != nil {
				c.edit(s)
			}
			_, err := s.Handle(t.Context(), s.event)
			if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an invalid error with %q", err, c.want)
			}
			for key, err := range s.store.List(t.Context(), churn.ArtifactKey(s.event.Run(), churn.Trainer)) {
				t.Errorf("%s was written (%v)", key, err)
			}
		})
	}
}

// withoutContract are features whose table lacks a column of the preprocessor.
func withoutContract(t *testing.T) features {
	t.Helper()
	spec := telcoSpec(t)
	spec.Columns = slices.DeleteFunc(spec.Columns, func(c dataset.Column) bool { return c.Name == "Contract" })
	f := whole(t)
	f.table = prepare(t, spec, all).table
	return f
}

// largeTenures are features that overflow when they are standardized.
func largeTenures(t *testing.T) features {
	t.Helper()
	spec := telcoSpec(t)
	tenure := slices.IndexFunc(spec.Columns, func(c dataset.Column) bool { return c.Name == "tenure" })
	return prepare(t, spec, func(r *dataset.Row) bool {
		r.Values[tenure].Number /= 100    // so that the deviation is below 1
		if r.Part == dataset.Validation { // which the deviation is not of
			r.Values[tenure].Number = math.MaxFloat64
		}
		return true
	})
}

// A table of any bytes, whose digest the event has, is refused and does no harm.
func TestHostileTables(t *testing.T) {
	s := newSetting(t, whole(t))
	random := rand.New(rand.NewPCG(1, 2))
	table := whole(t).table
	var tables [][]byte
	for _, n := range []int{0, 1, 4, 100, len(table) / 2, len(table) - 1} {
		tables = append(tables, table[:n])
	}
	for range 60 {
		damaged := bytes.Clone(table)
		for range 1 + random.IntN(20) {
			damaged[random.IntN(len(damaged))] = byte(random.Uint32())
		}
		tables = append(tables, damaged)
	}
	for range 20 {
		noise := make([]byte, 1000)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		tables = append(tables, noise, slices.Concat([]byte("PAR1"), noise, table[len(table)-2000:]))
	}
	s.message().GetPlan().GetTraining().NumIterations = 1
	for i, table := range tables {
		a, err := s.store.Put(t.Context(), fmt.Sprintf("hostile/%d", i), "", bytes.NewReader(table))
		if err != nil {
			t.Fatal(err)
		}
		s.message().GetFeatures().Table = a
		in, err := s.read(t.Context(), s.message().GetFeatures())
		if err == nil {
			_, err = s.train(t.Context(), s.message(), in)
		}
		if err != nil && !churn.IsKind(err, churn.Invalid) {
			t.Errorf("table %d: %v, want an invalid error or none", i, err)
		}
	}
}

// A worker that is killed in the middle of a training is a transient error, and
// the next attempt works.
func TestWorkerIsKilled(t *testing.T) {
	s := newSetting(t, whole(t))
	killed := 0
	_, err := s.Handle(stage.WithProgress(t.Context(), func(p stage.Progress) {
		if p.Activity == "training" && p.Done == 3 {
			killed += killWorkers(t)
		}
	}), s.event)
	if !churn.IsKind(err, churn.Internal) || killed == 0 {
		t.Fatalf("after the kill of %d workers: %v, want an internal error", killed, err)
	}
	s.handle(t.Context(), t)
}

// killWorkers kills this process's workers as the kernel does where memory runs
// out, and returns how many.
func killWorkers(t *testing.T) (n int) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread is gone
		}
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			if syscall.Kill(pid, syscall.SIGKILL) == nil {
				n++
			}
		}
	}
	return n
}

func TestCancelled(t *testing.T) {
	s := newSetting(t, whole(t))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Handle(stage.WithProgress(ctx, func(p stage.Progress) {
		if p.Activity == "training" && p.Done == 3 {
			cancel()
		}
	}), s.event)
	if !churn.IsKind(err, churn.Transient) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a transient error", err)
	}
	s.handle(t.Context(), t)
}

func TestPlot(t *testing.T) {
	var i Importances
	for n := range 30 {
		i.Features = append(i.Features, Importance{Feature: fmt.Sprintf("feature %d", n), Gain: 1000 / float64(n+1)})
	}
	i.Features[1].Feature = strings.Repeat("very long ", 50) + "\n\x00"
	for name, c := range map[string]Importances{
		"many": i, "one": {Features: i.Features[:1]}, "none": {Features: []Importance{{Feature: "unused"}, {Feature: ""}}},
	} {
		body, err := plotImportances(&c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := plotImportances(&c)
		if err != nil || !bytes.Equal(body, again) {
			t.Errorf("%s: drawn twice it is different", name)
		}
		img, err := png.Decode(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if w := img.Bounds().Dx(); w != 936 {
			t.Errorf("%s is %d pixels wide", name, w)
		}
	}
}

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"Contract=Two year":       "Contract=Two year",
		"a\nb\x00":                "a\uFFFDb\uFFFD",
		strings.Repeat("x", 40):   strings.Repeat("x", 40),
		strings.Repeat("é", 1000): strings.Repeat("é", 39) + "…",
	} {
		if got := shown(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestBuild(t *testing.T) {
	store := memory.New("churn")
	parts := service.Parts{Config: config.Config{LightGBM: libraryPath}, Store: store, Tracker: objectstore.NewTracker(store)}
	ctx, cancel := context.WithCancel(t.Context())
	st, err := Build(ctx, parts)
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	if st.Service != churn.Trainer || !slices.Equal(st.Topics, []churn.Topic{churn.FeaturesReady}) {
		t.Errorf("the stage is %v of %v", st.Service, st.Topics)
	}
	e := ready(t, store, whole(t))
	if _, err := st.Handler.Handle(t.Context(), e); err != nil {
		t.Error(err)
	}
	cancel()
	for {
		if _, err = st.Handler.Handle(t.Context(), e); err != nil {
			break // the workers end soon after ctx
		}
	}
	if churn.IsKind(err, churn.Invalid) {
		t.Errorf("after ctx: %v, want an error that is tried again", err)
	}
}

// Build looks for the library where it can be, and says where it was not.
func TestFindLibrary(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := findLibrary("")
	if !churn.IsKind(err, churn.Invalid) {
		t.Errorf("%v, want an invalid error", err)
	}
	for _, want := range []string{lightgbm.DefaultPath, "make lightgbm", "CHURN_LIGHTGBM"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	if err := os.MkdirAll(filepath.Dir(lightgbm.DefaultPath), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lightgbm.DefaultPath, []byte("tampered"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := findLibrary(""); err != nil || got != lightgbm.DefaultPath {
		t.Errorf("found %q, %v", got, err)
	}
	if got, err := findLibrary("elsewhere"); err != nil || got != "elsewhere" {
		t.Errorf("configured, but %q, %v", got, err)
	}
	if _, err := Build(t.Context(), service.Parts{}); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("a tampered library: %v, want an invalid error", err)
	}
}

func BenchmarkHandle(b *testing.B) {
	s := newSetting(b, whole(b))
	for b.Loop() {
		s.handle(b.Context(), b)
	}
}
