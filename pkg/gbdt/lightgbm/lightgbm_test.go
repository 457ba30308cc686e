package lightgbm_test

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// libraryPath is where `make lightgbm` puts the library.
var libraryPath = filepath.Join("../../..", lightgbm.DefaultPath)

var load = sync.OnceValues(func() (*lightgbm.Library, error) { return lightgbm.Load(libraryPath) })

func library(t testing.TB) *lightgbm.Library {
	t.Helper()
	l, err := load()
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	return l
}

func params() lightgbm.Params {
	return lightgbm.Params{
		NumLeaves: 15, LearningRate: 0.1, NumIterations: 60, EarlyStoppingRound: 10, MinDataInLeaf: 20,
		FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
	}
}

// table is rows of a logistic truth: two numbers that matter, a one-hot pair,
// and noise.
type table struct {
	x [2][]float64
	y [2][]float32
}

var features = []string{"tenure", "MonthlyCharges", "Contract=Two year", "Contract=Month-to-month", "noise"}

func makeTable(train, validation int, signal float64) *table {
	r := rand.New(rand.NewPCG(1, 2))
	var t table
	for set, n := range []int{train, validation} {
		for range n {
			a, b, c := r.NormFloat64(), r.NormFloat64(), float64(r.IntN(2))
			t.x[set] = append(t.x[set], a, b, c, 1-c, r.NormFloat64())
			y := float32(0)
			if r.Float64() < 1/(1+math.Exp(-signal*(a-b*b+c-0.5))) {
				y = 1
			}
			t.y[set] = append(t.y[set], y)
		}
	}
	return &t
}

// data gives the table in chunks of n rows, sets taking turns.
func (t *table) data(n int) lightgbm.Data {
	return lightgbm.Data{
		Features: features,
		Rows:     [2]int{len(t.y[0]), len(t.y[1])},
		Chunks: func() iter.Seq2[lightgbm.Chunk, error] {
			return func(yield func(lightgbm.Chunk, error) bool) {
				for start := 0; start < max(len(t.y[0]), len(t.y[1])); start += n {
					for set := range 2 {
						from, to := min(start, len(t.y[set])), min(start+n, len(t.y[set]))
						c := lightgbm.Chunk{Set: lightgbm.Set(set), X: t.x[set][from*len(features) : to*len(features)], Y: t.y[set][from:to]}
						if !yield(c, nil) {
							return
						}
					}
				}
			}
		},
	}
}

func train(t testing.TB, p lightgbm.Params, o lightgbm.Options, d lightgbm.Data) *lightgbm.Result {
	t.Helper()
	r, err := library(t).Train(t.Context(), p, o, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTrain(t *testing.T) {
	var seen []lightgbm.Iteration
	tab := makeTable(3000, 1000, 2)
	r := train(t, params(), lightgbm.Options{
		Threads: 1, ScoreRows: 1000,
		Progress: func(i lightgbm.Iteration) { seen = append(seen, i) },
	}, tab.data(500))

	if !slices.Equal(seen, r.History) {
		t.Errorf("progress told %d iterations, the history has %d", len(seen), len(r.History))
	}
	best := slices.MinFunc(r.History, func(a, b lightgbm.Iteration) int { return cmp.Compare(a.LogLoss, b.LogLoss) })
	if got := r.History[r.Iterations-1]; got.LogLoss != best.LogLoss || got.AUC < 0.75 {
		t.Errorf("the model has %+v, the best iteration %+v", got, best)
	}
	if len(r.History) < 60 && len(r.History) != r.Iterations+10 {
		t.Errorf("stopped after %d iterations with the best at %d and a patience of 10", len(r.History), r.Iterations)
	}
	if n := bytes.Count(r.Model, []byte("\nTree=")); n != r.Iterations {
		t.Errorf("the text has %d trees, want %d", n, r.Iterations)
	}
	if bytes.Contains(r.Model, []byte("[num_threads: 1]")) {
		t.Error("the number of threads is written into the model")
	}
	if len(r.Scores) != 1000 || slices.Min(r.Scores) <= 0 || slices.Max(r.Scores) >= 1 {
		t.Errorf("%d scores from %v to %v", len(r.Scores), slices.Min(r.Scores), slices.Max(r.Scores))
	}
	auc, loss := quality(tab.y[1], r.Scores)
	if at := r.History[r.Iterations-1]; math.Abs(at.AUC-auc) > 1e-12 || math.Abs(at.LogLoss-loss) > 1e-12 {
		t.Errorf("the saved model's scores have AUC %v and log loss %v, the history says %v", auc, loss, at)
	}
	byName := map[string]lightgbm.Importance{}
	for _, i := range r.Importances {
		byName[i.Feature] = i
	}
	if byName["tenure"].Gain <= byName["noise"].Gain || byName["tenure"].Splits == 0 {
		t.Errorf("importances %v", r.Importances)
	}
	if !bytes.Contains(r.Model, []byte("\nfeature_names=tenure MonthlyCharges Contract_Two_year Contract_Month-to-month noise\n")) {
		t.Error("feature names are not those expected")
	}
}

// quality is the AUC, by comparing every pair, and the log loss.
func quality(labels []float32, scores []float64) (auc, loss float64) {
	pairs := 0.0
	for i, y := range labels {
		if y == 0 {
			loss -= math.Log(1 - scores[i])
			continue
		}
		loss -= math.Log(scores[i])
		for j, other := range labels {
			if other != 0 {
				continue
			}
			pairs++
			switch {
			case scores[i] > scores[j]:
				auc++
			case scores[i] == scores[j]:
				auc += 0.5
			}
		}
	}
	return auc / pairs, loss / float64(len(labels))
}

// What the features contribute and what is expected add up to the log odds of the
// score, row by row, and what is expected is the same for every row.
func TestContributions(t *testing.T) {
	const rows = 300
	width := len(features) + 1
	r := train(t, params(), lightgbm.Options{Threads: 1, ScoreRows: 500, ContributionRows: rows}, makeTable(9000, 1000, 2).data(700))
	if len(r.Contributions) != rows*width {
		t.Fatalf("%d contributions, want %d of each of %d rows", len(r.Contributions), width, rows)
	}
	var sizes [6]float64
	for i := range rows {
		row := r.Contributions[i*width : (i+1)*width]
		sum := 0.0
		for j, c := range row {
			sum += c
			sizes[j] += math.Abs(c)
		}
		if odds := math.Log(r.Scores[i] / (1 - r.Scores[i])); math.Abs(sum-odds) > 1e-9 {
			t.Errorf("row %d: the contributions add up to %v, the log odds are %v", i, sum, odds)
		}
		if row[width-1] != r.Contributions[width-1] {
			t.Errorf("row %d is expected at %v, the first at %v", i, row[width-1], r.Contributions[width-1])
		}
	}
	if noise := sizes[4]; sizes[0] < 3*noise || sizes[1] < 3*noise {
		t.Errorf("the features contribute %v in all; the first two matter and the fifth is noise", sizes[:5])
	}
}

// Explaining never takes long beside the training: a model that has more leaves
// than rows to have grown from is explained by fewer rows.
func TestFewAreExplained(t *testing.T) {
	p := params()
	p.NumLeaves, p.MinDataInLeaf, p.EarlyStoppingRound = 500, 1, 0
	o := lightgbm.Options{Threads: 1, ContributionRows: 1000}
	for rows, want := range map[int]int{400: 100, 60: 60} {
		r := train(t, p, o, makeTable(1000, rows, 2).data(500))
		if got := len(r.Contributions) / (len(features) + 1); got != want || r.Scores != nil {
			t.Errorf("%d of %d rows are explained, want %d, and %d scored", got, rows, want, len(r.Scores))
		}
	}
}

// One model, whatever the run, the threads and the chunks.
func TestDeterminism(t *testing.T) {
	p := params()
	p.BaggingFraction, p.BaggingFreq, p.FeatureFraction = 0.7, 1, 0.8
	tab := makeTable(20_000, 2_000, 1)
	want := train(t, p, lightgbm.Options{Threads: 1, ScoreRows: 10, ContributionRows: 200}, tab.data(1<<20))
	for _, c := range []struct{ threads, chunk int }{{1, 1 << 20}, {2, 777}, {4, 64}} {
		got := train(t, p, lightgbm.Options{Threads: c.threads, ScoreRows: 10, ContributionRows: 200}, tab.data(c.chunk))
		if !bytes.Equal(got.Model, want.Model) || !slices.Equal(got.Scores, want.Scores) || !slices.Equal(got.History, want.History) ||
			!slices.Equal(got.Contributions, want.Contributions) {
			t.Errorf("another model with %d threads and chunks of %d rows", c.threads, c.chunk)
		}
	}
	p.Seed = 43
	if got := train(t, p, lightgbm.Options{Threads: 1}, tab.data(1<<20)); bytes.Equal(got.Model, want.Model) {
		t.Error("the same model with another seed")
	}
}

// More rows than LightGBM samples for its bins.
func TestSampling(t *testing.T) {
	p := params()
	p.NumIterations = 3
	tab := makeTable(210_000, 500, 1)
	a := train(t, p, lightgbm.Options{Threads: 2}, tab.data(1<<20))
	b := train(t, p, lightgbm.Options{Threads: 1}, tab.data(9_999))
	if !bytes.Equal(a.Model, b.Model) {
		t.Error("another model with other chunks")
	}
}

func TestNoEarlyStopping(t *testing.T) {
	p := params()
	p.EarlyStoppingRound = 0
	r := train(t, p, lightgbm.Options{Threads: 1}, makeTable(500, 200, 1).data(100))
	if r.Iterations != 60 || len(r.History) != 60 {
		t.Errorf("%d of %d iterations kept, want 60", r.Iterations, len(r.History))
	}
}

// Too few rows for any split give a model of one leaf, which is a model.
func TestConstantModel(t *testing.T) {
	r := train(t, params(), lightgbm.Options{Threads: 1, ScoreRows: 1000}, makeTable(30, 30, 1).data(100))
	if r.Iterations != 1 || len(r.History) != 1 || r.History[0].AUC != 0.5 || len(r.Scores) != 30 {
		t.Errorf("%d iterations, history %v, %d scores", r.Iterations, r.History, len(r.Scores))
	}
}

func TestRefusals(t *testing.T) {
	edit := func(f func(*table)) lightgbm.Data {
		tab := makeTable(100, 50, 1)
		f(tab)
		return tab.data(20)
	}
	announce := func(n int) lightgbm.Data {
		d := makeTable(100, 50, 1).data(20)
		d.Rows[0] = n
		return d
	}
	for name, c := range map[string]struct {
		data lightgbm.Data
		want string
	}{
		"label":     {edit(func(t *table) { t.y[0][70] = 3 }), "training row 70 has label 3"},
		"NaN":       {edit(func(t *table) { t.x[1][5*len(features)+1] = math.NaN() }), `validation row 5 has NaN in feature "MonthlyCharges"`},
		"infinite":  {edit(func(t *table) { t.x[0][0] = math.Inf(1) }), `training row 0 has +Inf in feature "tenure"`},
		"one class": {edit(func(t *table) { clear(t.y[1]) }), "all 50 rows of the validation split are of one class"},
		"no rows":   {edit(func(t *table) { t.x[1], t.y[1] = nil, nil }), "validation split has no rows"},
		"too few":   {announce(101), "has 100 rows, fewer than the 101"},
		"too many":  {announce(99), "has more than the 99 rows"},
	} {
		_, err := library(t).Train(t.Context(), params(), lightgbm.Options{Threads: 1}, c.data)
		if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an invalid error with %q", name, err, c.want)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err := library(t).Train(ctx, params(), lightgbm.Options{
		Threads: 1,
		Progress: func(lightgbm.Iteration) {
			if n++; n == 3 {
				cancel()
			}
		},
	}, makeTable(500, 200, 1).data(100))
	if !churn.IsKind(err, churn.Transient) || n != 3 {
		t.Errorf("after %d iterations: %v", n, err)
	}
}

func TestParams(t *testing.T) {
	if err := params().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*lightgbm.Params){
		"num_leaves is 1":            func(p *lightgbm.Params) { p.NumLeaves = 1 },
		"learning_rate is 0":         func(p *lightgbm.Params) { p.LearningRate = 0 },
		"learning_rate is NaN":       func(p *lightgbm.Params) { p.LearningRate = math.NaN() },
		"num_iterations is 0":        func(p *lightgbm.Params) { p.NumIterations = 0 },
		"early_stopping_round is -1": func(p *lightgbm.Params) { p.EarlyStoppingRound = -1 },
		"feature_fraction is 1.5":    func(p *lightgbm.Params) { p.FeatureFraction = 1.5 },
		"lambda_l2 is +Inf":          func(p *lightgbm.Params) { p.LambdaL2 = math.Inf(1) },
		"max_bin is 1":               func(p *lightgbm.Params) { p.MaxBin = 1 },
		"set bagging_freq":           func(p *lightgbm.Params) { p.BaggingFraction = 0.5 },
	} {
		p := params()
		change(&p)
		if err := p.Validate(); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an invalid error with %q", err, want)
		}
	}
	got := lightgbm.ParamsOf(&eventv1.Training{
		NumLeaves: 64, LearningRate: 0.05, NumIterations: 500, EarlyStoppingRound: 30, MinDataInLeaf: 20,
		FeatureFraction: 0.9, BaggingFraction: 0.8, BaggingFreq: 1, LambdaL1: 0.1, LambdaL2: 0.2, MaxBin: 255, Seed: -7,
	}).String()
	const want = "objective=binary metric=auc deterministic=true force_row_wise=true verbosity=-1" +
		" num_leaves=64 learning_rate=0.05 num_iterations=500 min_data_in_leaf=20 feature_fraction=0.9 bagging_fraction=0.8" +
		" bagging_freq=1 lambda_l1=0.1 lambda_l2=0.2 max_bin=255 seed=-7"
	if got != want {
		t.Errorf("parameters\n%s\nwant\n%s", got, want)
	}
}

// LightGBM takes no exponent in a whole number.
func TestLargeNumbers(t *testing.T) {
	p := params()
	p.Seed, p.MinDataInLeaf, p.NumIterations, p.BaggingFreq = math.MaxInt32, 1_000_000, 100_000, math.MaxInt32
	p.LambdaL1, p.LambdaL2, p.LearningRate = 1e9, math.MaxFloat64, 1e-12
	train(t, p, lightgbm.Options{Threads: 1}, makeTable(100, 100, 1).data(100))
}

func TestThreads(t *testing.T) {
	for _, c := range [][3]int{{7_000, 8, 1}, {49_999, 8, 1}, {50_000, 8, 8}, {1_000_000, 0, 1}} {
		if got := lightgbm.Threads(c[0], c[1]); got != c[2] {
			t.Errorf("Threads(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// Nothing but the pinned library is loaded.
func TestLoadRefuses(t *testing.T) {
	other := filepath.Join(t.TempDir(), "lib_lightgbm.so")
	if err := os.WriteFile(other, []byte("\x7fELF, but another"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		other:                "make lightgbm",
		other + ".not-there": "make lightgbm",
		filepath.Dir(other):  "is a directory",
	} {
		if _, err := lightgbm.Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%s): %v, want %q in it", path, err, want)
		}
	}
	if _, err := lightgbm.Load(other); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("another library: %v, want invalid", err)
	}
}

func TestFeatureNames(t *testing.T) {
	got := lightgbm.FeatureNames([]string{"tenure", "a b", "a_b", "a:b", "", "Pay=Bank transfer (automatic)", "Größe"})
	want := []string{"tenure", "a_b", "a_b_2", "a_b_3", "_2", "Pay_Bank_transfer_(automatic)", "Gr__e"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTreesSHA256(t *testing.T) {
	a, err := lightgbm.TreesSHA256([]byte("tree\nend of trees\n\nparameters: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := lightgbm.TreesSHA256([]byte("tree\nend of trees\nelse"))
	c, _ := lightgbm.TreesSHA256([]byte("tree2\nend of trees\nelse"))
	if a != b || a == c || len(a) != 64 {
		t.Errorf("%s %s %s", a, b, c)
	}
	if _, err := lightgbm.TreesSHA256([]byte("tree\n")); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("a text without trees: %v", err)
	}
}
