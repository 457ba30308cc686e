package evaluator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

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

// column returns the place of the named column among a row's values.
func column(t testing.TB, name string) int {
	t.Helper()
	return slices.IndexFunc(telcoSpec(t).Columns, func(c dataset.Column) bool { return c.Name == name })
}

// telcoRows returns the rows of the file, each in its part of the split.
func telcoRows(t testing.TB, split dataset.Split) []dataset.Row {
	t.Helper()
	rows, _ := readTelco(t, split)
	return rows
}

func readTelco(t testing.TB, split dataset.Split) ([]dataset.Row, *dataset.Reader) {
	t.Helper()
	if telco() == nil {
		t.Fatal("data/telco_churn.csv is missing: make it with `go run ./cmd/generate -o telco_churn.csv` in data/")
	}
	in, err := dataset.NewReader(bytes.NewReader(telco()), telcoSpec(t), split)
	if err != nil {
		t.Fatal(err)
	}
	var rows []dataset.Row
	for {
		var row dataset.Row
		if err := in.Next(&row); errors.Is(err, io.EOF) {
			return rows, in
		} else if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// features are what the featurizer would have written.
type features struct {
	split        dataset.Split
	table        []byte
	preprocessor *feature.Preprocessor
	profile      *profile.Document
	rows         [dataset.Parts]int64
}

// prepare makes the features of the Telco file by the split; edit may change a
// row, or drop it by returning false.
func prepare(t testing.TB, split dataset.Split, edit func(*dataset.Row) bool) *features {
	t.Helper()
	spec, out := telcoSpec(t), &features{split: split}
	var table bytes.Buffer
	fitter, writer, profiler := feature.NewFitter(spec, split), feature.NewWriter(&table, spec), profile.New(spec)
	rows, reader := readTelco(t, split)
	counts := map[string]profile.Count{"train": {}, "validation": {}, "holdout": {}, "all": {}}
	for _, row := range rows {
		if !edit(&row) {
			continue
		}
		profiler.Add(&row)
		if err := errors.Join(fitter.Add(&row), writer.Write(&row)); err != nil {
			t.Fatal(err)
		}
		out.rows[row.Part]++
		for _, name := range []string{map[dataset.Part]string{dataset.Train: "train", dataset.Validation: "validation", dataset.Holdout: "holdout"}[row.Part], "all"} {
			c := counts[name]
			if c.Rows++; row.Positive {
				c.Positives++
			}
			counts[name] = c
		}
	}
	out.profile = profiler.Document(reader)
	out.profile.Rows = counts // of the rows that are left
	var err error
	out.preprocessor, err = fitter.Preprocessor()
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Fatal(err)
	}
	out.table = table.Bytes()
	return out
}

func all(*dataset.Row) bool { return true }

// whole are the features of the whole file by the spec's split. Tests do not
// change them.
func whole(t testing.TB) *features {
	t.Helper()
	wholeOnce.Do(func() { wholeFeatures = prepare(t, telcoSpec(t).Split, all) })
	return wholeFeatures
}

var (
	wholeOnce     sync.Once
	wholeFeatures *features
)

var library = sync.OnceValues(func() (*lightgbm.Library, error) {
	return lightgbm.Load(filepath.Join("../..", lightgbm.DefaultPath))
})

// params are quick to train with. Without early stopping the model is the same
// whatever rows LightGBM validates on.
func params(leaves int32) lightgbm.Params {
	return lightgbm.Params{
		NumLeaves: leaves, LearningRate: 0.1, NumIterations: 30, MinDataInLeaf: 20,
		FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
	}
}

// trained is a model, with LightGBM's own scores of one part of the rows.
type trained struct {
	model  []byte
	scores []feature.Score
}

// train trains on the features, and scores the part.
func train(t testing.TB, f *features, p lightgbm.Params, part dataset.Part) trained {
	t.Helper()
	l, err := library()
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	table, err := feature.OpenTable(bytes.NewReader(f.table), int64(len(f.table)))
	if err != nil {
		t.Fatal(err)
	}
	var rows []int64
	chunks := func() iter.Seq2[lightgbm.Chunk, error] {
		return func(yield func(lightgbm.Chunk, error) bool) {
			rows = nil
			for set, part := range [2]dataset.Part{dataset.Train, part} {
				for c, err := range table.Chunks(f.preprocessor, part) {
					y := make([]float32, len(c.Labels))
					for i, label := range c.Labels {
						y[i] = float32(label)
					}
					if set == int(lightgbm.Validation) {
						rows = append(rows, c.Rows...)
					}
					if !yield(lightgbm.Chunk{Set: lightgbm.Set(set), X: c.X, Y: y}, err) {
						return
					}
				}
			}
		}
	}
	result, err := l.Train(t.Context(), p, lightgbm.Options{Threads: 1, ScoreRows: 4096}, lightgbm.Data{
		Features: f.preprocessor.Features, Chunks: chunks,
		Rows: [2]int{int(f.rows[dataset.Train]), int(f.rows[part])},
	})
	if err != nil {
		t.Fatal(err)
	}
	out := trained{model: result.Model}
	for i, score := range result.Scores {
		out.scores = append(out.scores, feature.Score{Row: rows[i], Score: score})
	}
	return out
}

// setting is an evaluator with a store and a registry of its own.
type setting struct {
	*Evaluator
	store    *memory.Store
	registry *objectstore.Registry
}

func newSetting() *setting {
	store := memory.New("churn")
	reg := objectstore.New(store)
	return &setting{New(store, reg, objectstore.NewTracker(store), Default()), store, reg}
}

func (s *setting) put(t testing.TB, key string, body []byte) *blob.Artifact {
	t.Helper()
	a, err := s.store.Put(t.Context(), key, "", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// event returns a model-trained event of the request with the given id, whose
// artifacts are in the store.
func (s *setting) event(t testing.TB, id string, f *features, m trained) (event.Event, *eventv1.ModelTrained) {
	t.Helper()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	request := event.Event{ID: id, Type: churn.RetrainRequested.Type(), Source: "/test", Time: at}
	plan, err := telcoSpec(t).Plan(&eventv1.RetrainRequested{
		Split: &eventv1.SplitOverrides{Test: &f.split.Test, Validation: &f.split.Validation, Salt: &f.split.Salt},
	}, s.put(t, "datasets/d.csv", telco()), s.put(t, "specs/s.yaml", data.TelcoSpec), at)
	if err != nil {
		t.Fatal(err)
	}
	preprocessor, err := f.preprocessor.JSON()
	if err != nil {
		t.Fatal(err)
	}
	profiled, err := f.profile.JSON()
	if err != nil {
		t.Fatal(err)
	}
	reference, err := feature.EncodeScores(m.scores)
	if err != nil {
		t.Fatal(err)
	}
	trees, err := lightgbm.TreesSHA256(m.model)
	if err != nil {
		t.Fatal(err)
	}
	put := func(service churn.Service, name string, body []byte) *blob.Artifact {
		return s.put(t, churn.ArtifactKey(request.Run(), service, name), body)
	}
	message := &eventv1.ModelTrained{
		Plan: plan, Trials: 1,
		Features: &eventv1.FeatureSet{
			Table:        put(churn.Featurizer, churn.FeaturesTable, f.table),
			Preprocessor: put(churn.Featurizer, churn.PreprocessorJSON, preprocessor),
			Profile:      put(churn.Featurizer, churn.ProfileJSON, profiled),
			TrainRows:    f.rows[dataset.Train], ValidationRows: f.rows[dataset.Validation], HoldoutRows: f.rows[dataset.Holdout],
		},
		Candidate: &eventv1.TrainedModel{
			Model:           put(churn.Trainer, churn.ModelText, m.model),
			Training:        put(churn.Trainer, churn.TrainingJSON, nil),
			Importances:     put(churn.Trainer, churn.ImportancesJSON, nil),
			ImportancesPlot: put(churn.Trainer, churn.ImportancesPNG, []byte("\x89PNG")),
			ReferenceScores: put(churn.Trainer, churn.ReferenceScores, reference),
			TreesSha256:     trees, Iterations: 30, ValidationAuc: 0.84,
		},
	}
	return request.Reply(churn.Trainer, churn.ModelTrained, 0, request.Run(), message), message
}

// promote makes the model of an event the champion.
func (s *setting) promote(t testing.TB, e event.Event, generation int64) {
	t.Helper()
	m := e.Data.(*eventv1.ModelTrained)
	version, err := s.registry.Register(t.Context(), registry.Version{
		Model: m.GetPlan().GetModel(), Run: e.Run(), Artifact: m.GetCandidate().GetModel(), Preprocessor: m.GetFeatures().GetPreprocessor(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.registry.Promote(t.Context(), registry.Champion{
		Model: version.Model, Stage: m.GetPlan().GetGate().GetBaselineStage(), Version: version.Version, Run: e.Run(), Cause: "of " + e.ID,
	}, generation-1)
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what an evaluation came to.
type answer struct {
	event.Event
	*eventv1.ModelEvaluated
	document *evaluation.Document
	scores   []scoreRow
	report   []byte
}

// handle returns the answer, which must be one valid model-evaluated event.
func (s *setting) handle(t testing.TB, e event.Event) *answer {
	t.Helper()
	out, err := s.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 1 || out[0].Topic != churn.ModelEvaluated {
		t.Fatalf("the answer is %v", out)
	}
	if err := event.Validate(out[0]); err != nil {
		t.Fatal(err)
	}
	a := &answer{Event: out[0], ModelEvaluated: out[0].Data.(*eventv1.ModelEvaluated), document: &evaluation.Document{}}
	decoder := json.NewDecoder(bytes.NewReader(s.get(t, a.GetEvaluation().GetEvaluation())))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(a.document); err != nil {
		t.Fatal(err)
	}
	a.scores = readScores(t, s.get(t, a.GetEvaluation().GetScores()))
	a.report = s.get(t, a.GetEvaluation().GetReport())
	return a
}

func (s *setting) get(t testing.TB, a *blob.Artifact) []byte {
	t.Helper()
	body, err := s.store.Get(t.Context(), a, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// refuse expects an Invalid error that says each of the words.
func (s *setting) refuse(t testing.TB, e event.Event, words ...string) {
	t.Helper()
	out, err := s.Handle(t.Context(), e)
	if !churn.IsKind(err, churn.Invalid) || out != nil {
		t.Fatalf("answer %v, error %v", out, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

// The hold-out's scores are LightGBM's own, which is let score it for this test
// alone, and the metrics are what counting says.
func TestScoresAreLightGBMs(t *testing.T) {
	s, f := newSetting(), whole(t)
	m := train(t, f, params(31), dataset.Validation)
	own := train(t, f, params(31), dataset.Holdout)
	if !bytes.Equal(own.model, m.model) {
		t.Fatal("the model depends on the rows it was not trained on")
	}
	e, message := s.event(t, "a", f, m)
	a := s.handle(t, e)
	var labels []bool
	var keys []string
	for _, row := range telcoRows(t, f.split) {
		if row.Part == dataset.Holdout {
			keys, labels = append(keys, row.Key), append(labels, row.Positive)
		}
	}
	if len(a.scores) != len(own.scores) || len(a.scores) != len(keys) {
		t.Fatalf("%d scores of %d hold-out rows", len(a.scores), len(keys))
	}
	for i, row := range a.scores {
		if row.Key != keys[i] || (row.Label == 1) != labels[i] || math.Abs(row.Candidate-own.scores[i].Score) > 1e-15 || row.Champion != nil {
			t.Fatalf("row %d is %+v, want key %s, label %v, score %v", i, row, keys[i], labels[i], own.scores[i].Score)
		}
	}
	checkMetrics(t, a)
	d := a.document
	if d.Parity.Rows != int64(len(m.scores)) || d.Parity.LargestDifference > 1e-15 || d.Parity.Tolerance != 1e-12 {
		t.Errorf("parity is %+v of %d validation rows", d.Parity, len(m.scores))
	}
	if d.Champion != nil || d.Comparison != nil || a.GetChampion() != nil || a.GetChampionMetrics() != nil {
		t.Error("a champion out of nothing")
	}
	if d.Candidate.ModelSHA256 != message.GetCandidate().GetModel().GetSha256() || d.Run != e.Run() || a.Key != d.Model {
		t.Errorf("the document is of run %s, model %s", d.Run, d.Candidate.ModelSHA256)
	}
	if d.Candidate.Unseen == nil || len(d.Candidate.Unseen) != 0 || d.Warnings == nil || len(d.Warnings) != 0 {
		t.Errorf("unseen %v, warnings %v", d.Candidate.Unseen, d.Warnings)
	}
	checkHTML(t, a.report)
}

// checkMetrics counts again.
func checkMetrics(t *testing.T, a *answer) {
	t.Helper()
	var wins, pairs, right, loss, square float64
	var c stat.Confusion
	for _, p := range a.scores {
		if (p.Candidate >= 0.5) == (p.Label == 1) {
			right++
		}
		loss -= math.Log(math.Abs(1 - float64(p.Label) - p.Candidate))
		square += (p.Candidate - float64(p.Label)) * (p.Candidate - float64(p.Label))
		switch {
		case p.Label == 1 && p.Candidate >= 0.5:
			c.TruePositives++
		case p.Label == 1:
			c.FalseNegatives++
		case p.Candidate >= 0.5:
			c.FalsePositives++
		default:
			c.TrueNegatives++
		}
		for _, n := range a.scores {
			if p.Label == 1 && n.Label == 0 {
				pairs++
				switch {
				case p.Candidate > n.Candidate:
					wins++
				case p.Candidate == n.Candidate:
					wins += 0.5
				}
			}
		}
	}
	rows := float64(len(a.scores))
	f1 := 2 * float64(c.TruePositives) / float64(2*c.TruePositives+c.FalsePositives+c.FalseNegatives)
	m := a.GetMetrics()
	for name, pair := range map[string][2]float64{
		"auc": {m.GetAuc(), wins / pairs}, "accuracy": {m.GetAccuracy(), right / rows}, "f1": {m.GetF1(), f1},
		"log loss": {m.GetLogLoss(), loss / rows}, "brier": {m.GetBrier(), square / rows},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("%s is %v, counted %v", name, pair[0], pair[1])
		}
	}
	if a.document.Candidate.Confusion != c {
		t.Errorf("confusion %+v, counted %+v", a.document.Candidate.Confusion, c)
	}
	for name, metric := range a.document.Candidate.Metrics {
		if !(metric.Low <= metric.Value && metric.Value <= metric.High) {
			t.Errorf("%s: %+v", name, metric)
		}
	}
}

// otherSplit leaves other rows in the hold-out than the spec's split.
var otherSplit = dataset.Split{Test: 0.3, Validation: 0.2, Salt: "another"}

// The champion is scored on the same rows by its own model and preprocessing,
// although that has other means, deviations and categories.
func TestChampionIsScoredByItsOwn(t *testing.T) {
	s, f := newSetting(), whole(t)
	method := column(t, "PaymentMethod")
	theirs := prepare(t, otherSplit, func(row *dataset.Row) bool { // without a customer who pays so
		return row.Values[method].Text != "Electronic check"
	})
	champion, _ := s.event(t, "champion", theirs, train(t, theirs, params(7), dataset.Validation))
	s.promote(t, champion, 1)
	e, _ := s.event(t, "candidate", f, train(t, f, params(31), dataset.Validation))
	a := s.handle(t, e)

	want := s.byHand(t, champion.Data.(*eventv1.ModelTrained), theirs.preprocessor, f.split)
	overlapping := 0
	for _, row := range a.scores {
		if row.Champion == nil || *row.Champion != want.scores[row.Key] {
			t.Fatalf("row %s: the champion's score is %v, want %v", row.Key, row.Champion, want.scores[row.Key])
		}
		if otherSplit.Of(row.Key) != dataset.Holdout {
			overlapping++
		}
	}
	d := a.document
	if got := d.Champion.Unseen; !maps.Equal(got, map[string]int64{"PaymentMethod": want.electronic}) {
		t.Errorf("unseen %v, want %d of PaymentMethod", got, want.electronic)
	}
	if len(d.Candidate.Unseen) != 0 {
		t.Errorf("the candidate has unseen %v", d.Candidate.Unseen)
	}
	if len(d.Warnings) == 0 || !strings.Contains(d.Warnings[0], fmt.Sprintf(" %d of these %d rows", overlapping, len(a.scores))) {
		t.Errorf("warnings %q, want the first of %d rows", d.Warnings, overlapping)
	}
	if a.GetChampion().GetVersion() != 1 || a.GetChampion().GetRun() != champion.Run() || d.Champion.Generation != 1 {
		t.Errorf("the champion is %v", a.GetChampion())
	}
	if got, want := d.Comparison.Differences["auc"].Value, a.GetMetrics().GetAuc()-a.GetChampionMetrics().GetAuc(); math.Abs(got-want) > 1e-15 {
		t.Errorf("the AUCs differ by %v, want %v", got, want)
	}
	checkHTML(t, a.report)
}

// byHand are a model's scores of the hold-out, straight from the CSV.
type byHand struct {
	scores     map[string]float64
	electronic int64 // rows paid by electronic check
}

func (s *setting) byHand(t *testing.T, m *eventv1.ModelTrained, p *feature.Preprocessor, split dataset.Split) byHand {
	t.Helper()
	model, err := leaves.Load(s.get(t, m.GetCandidate().GetModel()))
	if err != nil {
		t.Fatal(err)
	}
	out := byHand{scores: map[string]float64{}}
	x := make([]float64, len(p.Features))
	for _, row := range telcoRows(t, split) {
		if row.Part != dataset.Holdout {
			continue
		}
		if _, err := p.Apply(row.Values, x); err != nil {
			t.Fatal(err)
		}
		score, err := model.Score(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		out.scores[row.Key] = score[0]
		for _, v := range row.Values {
			if v.Text == "Electronic check" {
				out.electronic++
			}
		}
	}
	return out
}

func TestAModelBesideItself(t *testing.T) {
	s, f := newSetting(), whole(t)
	m := train(t, f, params(31), dataset.Validation)
	champion, _ := s.event(t, "champion", f, m)
	s.promote(t, champion, 1)
	e, _ := s.event(t, "candidate", f, m)
	a := s.handle(t, e)
	c := a.document.Comparison
	for name, d := range c.Differences {
		if d.Value != 0 || d.Low != 0 || d.High != 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if c.AUCP != 1 || c.McNemar != (evaluation.McNemar{P: 1}) {
		t.Errorf("p of the AUCs is %v, McNemar %+v", c.AUCP, c.McNemar)
	}
	if !proto.Equal(a.GetMetrics(), a.GetChampionMetrics()) || len(a.document.Warnings) != 0 {
		t.Errorf("champion's metrics %v, warnings %q", a.GetChampionMetrics(), a.document.Warnings)
	}
}

// Two stores, any number of CPUs, once more: the event, which holds every
// digest, is the same.
func TestSameBytes(t *testing.T) {
	f := whole(t)
	candidate, former := train(t, f, params(31), dataset.Validation), train(t, f, params(7), dataset.Validation)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, beside := range []bool{false, true} {
		var want *answer
		for _, cpus := range []int{1, 2} {
			runtime.GOMAXPROCS(cpus)
			s := newSetting()
			if beside {
				champion, _ := s.event(t, "champion", f, former)
				s.promote(t, champion, 1)
			}
			e, _ := s.event(t, "candidate", f, candidate)
			for range 2 {
				got := s.handle(t, e)
				if want == nil {
					want = got
				}
				if got.ID != want.ID || !proto.Equal(got.ModelEvaluated, want.ModelEvaluated) {
					t.Errorf("champion %v, %d CPUs: the event is\n%v\nwant\n%v", beside, cpus, got.ModelEvaluated, want.ModelEvaluated)
				}
			}
		}
	}
}

// Whoever is promoted after the first attempt, the evaluation compares with the
// champion that it has pinned; a later round with the new one.
func TestChampionIsPinned(t *testing.T) {
	s, f := newSetting(), whole(t)
	m := train(t, f, params(31), dataset.Validation)
	first, _ := s.event(t, "first", f, train(t, f, params(7), dataset.Validation))
	second, _ := s.event(t, "second", f, train(t, f, params(15), dataset.Validation))
	s.promote(t, first, 1)
	e, message := s.event(t, "candidate", f, m)
	want := s.handle(t, e)
	s.promote(t, second, 2)
	if got := s.handle(t, e); !proto.Equal(got.ModelEvaluated, want.ModelEvaluated) || got.GetChampion().GetVersion() != 1 {
		t.Errorf("after a promotion the event is\n%v\nwant\n%v", got.ModelEvaluated, want.ModelEvaluated)
	}
	message.Round = 1
	got := s.handle(t, e)
	if got.GetChampion().GetVersion() != 2 || got.GetChampion().GetGeneration() != 2 || got.GetRound() != 1 || got.document.Round != 1 {
		t.Errorf("in the second round the champion is %v", got.GetChampion())
	}
	if !strings.Contains(got.GetEvaluation().GetReport().GetUri(), "/round-1/") || !proto.Equal(got.GetMetrics(), want.GetMetrics()) {
		t.Errorf("the second round's report is at %s", got.GetEvaluation().GetReport().GetUri())
	}
}

// That nobody was champion is pinned as well.
func TestNoChampionIsPinned(t *testing.T) {
	s, f := newSetting(), whole(t)
	e, _ := s.event(t, "candidate", f, train(t, f, params(7), dataset.Validation))
	want := s.handle(t, e)
	s.promote(t, e, 1)
	if got := s.handle(t, e); !proto.Equal(got.ModelEvaluated, want.ModelEvaluated) {
		t.Errorf("after a promotion the event is\n%v", got.ModelEvaluated)
	}
}

// A damaged artifact is refused, whichever it is.
func TestTampered(t *testing.T) {
	f := whole(t)
	m, former := train(t, f, params(31), dataset.Validation), train(t, f, params(7), dataset.Validation)
	for name, pick := range map[string]func(candidate, champion *eventv1.ModelTrained) *blob.Artifact{
		"features":                func(c, _ *eventv1.ModelTrained) *blob.Artifact { return c.GetFeatures().GetTable() },
		"preprocessor":            func(c, _ *eventv1.ModelTrained) *blob.Artifact { return c.GetFeatures().GetPreprocessor() },
		"model":                   func(c, _ *eventv1.ModelTrained) *blob.Artifact { return c.GetCandidate().GetModel() },
		"reference scores":        func(c, _ *eventv1.ModelTrained) *blob.Artifact { return c.GetCandidate().GetReferenceScores() },
		"importances":             func(c, _ *eventv1.ModelTrained) *blob.Artifact { return c.GetCandidate().GetImportancesPlot() },
		"spec":                    func(c, _ *eventv1.ModelTrained) *blob.Artifact { return c.GetPlan().GetSpec() },
		"profile":                 func(c, _ *eventv1.ModelTrained) *blob.Artifact { return c.GetFeatures().GetProfile() },
		"champion's profile":      func(_, c *eventv1.ModelTrained) *blob.Artifact { return c.GetFeatures().GetProfile() },
		"champion's model":        func(_, c *eventv1.ModelTrained) *blob.Artifact { return c.GetCandidate().GetModel() },
		"champion's preprocessor": func(_, c *eventv1.ModelTrained) *blob.Artifact { return c.GetFeatures().GetPreprocessor() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting()
			champion, theirs := s.event(t, "champion", f, former)
			s.promote(t, champion, 1)
			e, ours := s.event(t, "candidate", f, m)
			a := pick(ours, theirs)
			body := bytes.Clone(s.get(t, a))
			body[len(body)/2] ^= 1
			key, err := s.store.Key(a.GetUri())
			if err != nil {
				t.Fatal(err)
			}
			s.store.Corrupt(key, body)
			s.refuse(t, e, a.GetUri(), "SHA-256")
		})
	}
}

// Artifacts that are sound and do not belong together fail closed.
func TestWithoutParityNothingIsJudged(t *testing.T) {
	f := whole(t)
	m, other := train(t, f, params(31), dataset.Validation), train(t, f, params(7), dataset.Validation)
	edit := func(change func([]feature.Score) []feature.Score) trained {
		return trained{m.model, change(slices.Clone(m.scores))}
	}
	for name, c := range map[string]struct {
		trained
		say string
	}{
		"another model's scores": {trained{m.model, other.scores}, "independent scorer"},
		"a score that is off": {edit(func(s []feature.Score) []feature.Score {
			s[len(s)-1].Score += 2e-12
			return s
		}), "independent scorer"},
		"a score that is none": {edit(func(s []feature.Score) []feature.Score {
			s[3].Score = math.NaN()
			return s
		}), "independent scorer"},
		"scores of other rows": {edit(func(s []feature.Score) []feature.Score {
			s[5].Row++
			return s
		}), "reference score"},
		"scores out of order": {edit(func(s []feature.Score) []feature.Score {
			s[5], s[6] = s[6], s[5]
			return s
		}), "reference score"},
		"a score twice": {edit(func(s []feature.Score) []feature.Score { return append(s, s[len(s)-1]) }), "reference score"},
		"scores beyond the table": {edit(func(s []feature.Score) []feature.Score {
			return append(s, feature.Score{Row: math.MaxInt64})
		}), "reference score"},
		"scores of the hold-out": {train(t, f, params(31), dataset.Holdout), "reference score"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting()
			e, _ := s.event(t, "a", f, c.trained)
			s.refuse(t, e, c.say)
		})
	}
}

func TestModelOfOtherFeaturesIsRefused(t *testing.T) {
	f := whole(t)
	fewer := *f
	p := *f.preprocessor
	p.Columns = p.Columns[:len(p.Columns)-1]
	p.Features = p.Features[:len(p.Features)-1]
	fewer.preprocessor = &p
	s := newSetting()
	e, _ := s.event(t, "a", &fewer, train(t, f, params(7), dataset.Validation))
	s.refuse(t, e, "takes 46 features", "makes 45")
}

// A champion that cannot be applied to the data is an error that says so.
func TestChampionOfOtherData(t *testing.T) {
	f := whole(t)
	m := train(t, f, params(7), dataset.Validation)
	for name, c := range map[string]struct {
		edit func(*feature.Preprocessor)
		say  []string
	}{
		"a column that is gone": {func(p *feature.Preprocessor) {
			p.Columns = slices.Clone(p.Columns)
			p.Columns[4].Name = "months"
			p.Features = slices.Clone(p.Features)
			p.Features[slices.Index(p.Features, "tenure")] = "months"
		}, []string{"no column months"}},
		"another target": {func(p *feature.Preprocessor) { p.Target.Positive, p.Target.Negative = "No", "Yes" }, []string{"predicts", `"No"`}},
	} {
		t.Run(name, func(t *testing.T) {
			s, other := newSetting(), *f
			p := *f.preprocessor
			c.edit(&p)
			other.preprocessor = &p
			champion, _ := s.event(t, "champion", &other, m)
			s.promote(t, champion, 1)
			e, _ := s.event(t, "candidate", f, m)
			s.refuse(t, e, append(c.say, "champion, version 1", "baseline_stage")...)
		})
	}
}

func TestOverlap(t *testing.T) {
	base := dataset.Split{Test: 0.2, Validation: 0.15}
	keys := []string{}
	for i := range 20_000 {
		if key := fmt.Sprintf("%d-KEY", i); base.Of(key) == dataset.Holdout {
			keys = append(keys, key)
		}
	}
	of := func(split dataset.Split, key string) *feature.Preprocessor {
		return &feature.Preprocessor{Key: key, Split: split}
	}
	for name, c := range map[string]struct {
		champion *feature.Preprocessor
		say      string // "" if there is no overlap
	}{
		"the same split":      {of(base, "id"), ""},
		"a larger hold-out":   {of(dataset.Split{Test: 0.3, Validation: 0.15}, "id"), ""},
		"another validation":  {of(dataset.Split{Test: 0.2, Validation: 0.5}, "id"), ""},
		"a smaller hold-out":  {of(dataset.Split{Test: 0.1, Validation: 0.15}, "id"), "of these"},
		"another salt":        {of(dataset.Split{Test: 0.2, Validation: 0.15, Salt: "x"}, "id"), "of these"},
		"another key":         {of(base, "number"), "split by number and not by id"},
		"hardly any hold-out": {of(dataset.Split{Test: 1e-12, Validation: 0.15}, "id"), fmt.Sprintf("%d of these %d rows", len(keys), len(keys))},
	} {
		got, err := overlap(of(base, "id"), c.champion, keySeq(keys))
		if err != nil || (got == "") != (c.say == "") || !strings.Contains(got, c.say) {
			t.Errorf("%s: warning %q, want one of %q", name, got, c.say)
		}
	}
}

func TestHoldoutThatNothingCanBeSaidOn(t *testing.T) {
	for name, keep := range map[string]func(row *dataset.Row) bool{
		"one class": func(row *dataset.Row) bool { return row.Part != dataset.Holdout || !row.Positive },
		"the other": func(row *dataset.Row) bool { return row.Part != dataset.Holdout || row.Positive },
		"no rows":   func(row *dataset.Row) bool { return row.Part != dataset.Holdout },
		"one positive": func() func(*dataset.Row) bool {
			seen := 0
			return func(row *dataset.Row) bool {
				if row.Part == dataset.Holdout && row.Positive {
					seen++
				}
				return row.Part != dataset.Holdout || !row.Positive || seen == 1
			}
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			s, f := newSetting(), prepare(t, telcoSpec(t).Split, keep)
			e, message := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
			if message.GetFeatures().GetHoldoutRows() == 0 {
				message.Features.HoldoutRows = 1 // an event that says 0 is refused before it is handled
				s.refuse(t, e, "hold-out rows")
				return
			}
			s.refuse(t, e, "positive", "negative", "split.salt")
		})
	}
}

func TestHoldoutOfAnotherSizeIsRefused(t *testing.T) {
	s, f := newSetting(), whole(t)
	e, message := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
	message.Features.HoldoutRows++
	s.refuse(t, e, "hold-out rows", "announces")
}

func TestUnseenCategories(t *testing.T) {
	s := newSetting()
	contract := column(t, "Contract")
	want := int64(0)
	f := prepare(t, telcoSpec(t).Split, func(row *dataset.Row) bool {
		if row.Part == dataset.Holdout && row.Values[contract].Text == "Two year" {
			row.Values[contract].Text = "Ten years"
			want++
		}
		return true
	})
	e, _ := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
	a := s.handle(t, e)
	if got := a.document.Candidate.Unseen; !maps.Equal(got, map[string]int64{"Contract": want}) {
		t.Errorf("unseen %v, want %d of Contract", got, want)
	}
	if !bytes.Contains(a.report, []byte("<code>Contract</code>")) {
		t.Error("the report does not say it")
	}
}

func TestOtherEventsAreRefused(t *testing.T) {
	s, f := newSetting(), whole(t)
	e, _ := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
	other := e
	other.Data = &eventv1.FeaturesReady{}
	s.refuse(t, other, "FeaturesReady")
	e.Data.(*eventv1.ModelTrained).Candidate.Model.Sha256 = ""
	s.refuse(t, e, "sha256")
}

// A part that is away is no fault of the run.
func TestCancelled(t *testing.T) {
	s, f := newSetting(), whole(t)
	e, _ := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Handle(ctx, e); !churn.IsKind(err, churn.Transient) {
		t.Errorf("error %v", err)
	}
}

func TestProgressAndTracking(t *testing.T) {
	s, f := newSetting(), whole(t)
	e, m := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
	var reports []stage.Progress
	out, err := s.Handle(stage.WithProgress(t.Context(), func(p stage.Progress) { reports = append(reports, p) }), e)
	if err != nil {
		t.Fatal(err)
	}
	last := reports[len(reports)-1]
	if last.Done != last.Total || last.Metric != "auc" || last.Value != out[0].Data.(*eventv1.ModelEvaluated).GetMetrics().GetAuc() || last.Tracking == "" {
		t.Errorf("the last report is %+v", last)
	}
	for i, r := range reports[1:] {
		want := last.Total
		if r.Activity == scoring {
			want = m.GetFeatures().GetHoldoutRows()
		}
		if r.Activity == reports[i].Activity && r.Done <= reports[i].Done || r.Total != want {
			t.Errorf("report %+v after %+v", r, reports[i])
		}
	}
	keys := []string{}
	for key, err := range s.store.List(t.Context(), "tracking/") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if len(keys) != 1 || !strings.HasSuffix(keys[0], "evaluator.json") {
		t.Errorf("tracked %q", keys)
	}
}

func TestBuild(t *testing.T) {
	s, f := newSetting(), whole(t)
	e, _ := s.event(t, "a", f, train(t, f, params(7), dataset.Validation))
	got, err := Build(t.Context(), service.Parts{Store: s.store, Registry: s.registry, Tracker: objectstore.NewTracker(s.store)})
	if err != nil {
		t.Fatal(err)
	}
	if got.Service != churn.Evaluator || !slices.Equal(got.Topics, []churn.Topic{churn.ModelTrained}) || got.Ordered || got.Tables != nil {
		t.Errorf("the stage is %+v", got)
	}
	out, err := got.Handler.Handle(t.Context(), e)
	if err != nil || !proto.Equal(out[0].Data, s.handle(t, e).ModelEvaluated) {
		t.Errorf("the stage answers %v, error %v", out, err)
	}
}

// BenchmarkHandle evaluates beside a champion, with models of the spec's size,
// from a store that has nothing of it yet.
func BenchmarkHandle(b *testing.B) {
	f, p := whole(b), params(64)
	p.LearningRate, p.NumIterations, p.EarlyStoppingRound = 0.05, 500, 30
	candidate := train(b, f, p, dataset.Validation)
	p.NumLeaves = 31
	former := train(b, f, p, dataset.Validation)
	for b.Loop() {
		b.StopTimer()
		s := newSetting()
		champion, _ := s.event(b, "champion", f, former)
		s.promote(b, champion, 1)
		e, _ := s.event(b, "candidate", f, candidate)
		b.StartTimer()
		if _, err := s.Handle(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}
