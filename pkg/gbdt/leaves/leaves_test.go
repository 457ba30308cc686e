package leaves_test

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/soak"
)

// model is what LightGBM 4.7.0 wrote of three trees of five leaves on 500 rows
// of makeRows's kind.
//
//go:embed testdata/model.txt
var model string

var load = sync.OnceValues(func() (*lightgbm.Library, error) {
	return lightgbm.Load(filepath.Join("../../..", lightgbm.DefaultPath))
})

var features = []string{"tenure", "MonthlyCharges", "Contract=Two year", "Contract=Month-to-month", "noise"}

// rows are encoded as a preprocessor would, with a logistic truth.
type rows struct {
	x []float64
	y []float32
}

func makeRows(n int, seed uint64) rows {
	r := rand.New(rand.NewPCG(seed, 2))
	var out rows
	for range n {
		a, b, c := r.NormFloat64(), r.NormFloat64(), float64(r.IntN(2))
		out.x = append(out.x, a, b, c, 1-c, r.NormFloat64())
		y := float32(0)
		if r.Float64() < 1/(1+math.Exp(-2*(a-b*b+c-0.5))) {
			y = 1
		}
		out.y = append(out.y, y)
	}
	return out
}

// train trains on n rows and returns the model with LightGBM's own scores of the
// validation rows.
func train(t testing.TB, p lightgbm.Params, n int, validation rows) *lightgbm.Result {
	t.Helper()
	l, err := load()
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	sets := [2]rows{makeRows(n, 1), validation}
	result, err := l.Train(t.Context(), p, lightgbm.Options{Threads: 1, ScoreRows: len(validation.y)}, lightgbm.Data{
		Features: features,
		Rows:     [2]int{n, len(validation.y)},
		Chunks: func() iter.Seq2[lightgbm.Chunk, error] {
			return func(yield func(lightgbm.Chunk, error) bool) {
				for set, r := range sets {
					if !yield(lightgbm.Chunk{Set: lightgbm.Set(set), X: r.x, Y: r.y}, nil) {
						return
					}
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func params() lightgbm.Params {
	return lightgbm.Params{
		NumLeaves: 64, LearningRate: 0.1, NumIterations: 100, MinDataInLeaf: 5,
		FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
	}
}

func mustLoad(t testing.TB, text []byte) *leaves.Model {
	t.Helper()
	m, err := leaves.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReproducesLightGBM(t *testing.T) {
	for name, c := range map[string]struct {
		rows int
		edit func(*lightgbm.Params)
	}{
		"plain":         {5000, func(*lightgbm.Params) {}},
		"early stopped": {2000, func(p *lightgbm.Params) { p.EarlyStoppingRound = 5 }},
		"sampled":       {3000, func(p *lightgbm.Params) { p.FeatureFraction, p.BaggingFraction, p.BaggingFreq = 0.5, 0.7, 1 }},
		"regularised":   {3000, func(p *lightgbm.Params) { p.LambdaL1, p.LambdaL2, p.MaxBin = 1, 5, 16 }},
		"stumps":        {1000, func(p *lightgbm.Params) { p.NumLeaves = 2 }},
		"large trees":   {5000, func(p *lightgbm.Params) { p.NumLeaves, p.MinDataInLeaf, p.NumIterations = 2000, 1, 10 }},
		"one leaf":      {12, func(p *lightgbm.Params) { p.MinDataInLeaf = 20 }},
		"diverging":     {1000, func(p *lightgbm.Params) { p.LearningRate, p.NumIterations = 10, 5 }},
	} {
		t.Run(name, func(t *testing.T) {
			p, validation := params(), makeRows(3000, 3)
			c.edit(&p)
			r := train(t, p, c.rows, validation)
			m := mustLoad(t, r.Model)
			if !slices.Equal(m.Features(), lightgbm.FeatureNames(features)) {
				t.Errorf("features are %q", m.Features())
			}
			largest, err := m.Reproduce(t.Context(), validation.x, r.Scores, 1e-12)
			if err != nil || largest > 1e-15 {
				t.Errorf("largest difference %v, error %v", largest, err)
			}
		})
	}
}

// LightGBM 3 wrote the same trees under another version.
func TestReadsVersion3(t *testing.T) {
	x := makeRows(500, 3).x
	v4, err := mustLoad(t, []byte(model)).Score(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	v3, err := mustLoad(t, []byte(strings.Replace(model, "version=v4", "version=v3", 1))).Score(t.Context(), x)
	if err != nil || !slices.Equal(v3, v4) {
		t.Errorf("scores differ, error %v", err)
	}
}

func TestScoresAreTheSameOnAnyNumberOfCPUs(t *testing.T) {
	m, x := mustLoad(t, []byte(model)), makeRows(5000, 3).x
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, err := m.Score(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(4)
	many, err := m.Score(t.Context(), x)
	if err != nil || !slices.Equal(one, many) {
		t.Errorf("scores differ, error %v", err)
	}
	for i := range one { // and of the rows around
		alone, err := m.Score(t.Context(), x[i*len(features):(i+1)*len(features)])
		if err != nil || alone[0] != one[i] {
			t.Fatalf("row %d scores %v alone and %v among others, error %v", i, alone, one[i], err)
		}
	}
}

func TestScoreRefuses(t *testing.T) {
	m, x := mustLoad(t, []byte(model)), makeRows(3, 3).x
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		x[6] = v
		if _, err := m.Score(t.Context(), x); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "row 1") || !strings.Contains(err.Error(), "MonthlyCharges") {
			t.Errorf("%v: error %v", v, err)
		}
	}
	if _, err := m.Score(t.Context(), x[:3]); !churn.IsKind(err, churn.Internal) {
		t.Errorf("a part of a row: error %v", err)
	}
	if scores, err := m.Score(t.Context(), nil); err != nil || len(scores) != 0 {
		t.Errorf("no rows: %v, error %v", scores, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Score(ctx, x[:5]); !churn.IsKind(err, churn.Transient) {
		t.Errorf("cancelled: error %v", err)
	}
}

func TestReproduceFailsClosed(t *testing.T) {
	m, x := mustLoad(t, []byte(model)), makeRows(300, 3).x
	want, err := m.Score(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []float64{2e-12, -2e-12, 1, math.NaN(), math.Inf(1)} {
		other := slices.Clone(want)
		other[299] += d
		if _, err := m.Reproduce(t.Context(), x, other, 1e-12); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("off by %v: error %v", d, err)
		}
	}
	near := slices.Clone(want)
	near[7] += 5e-13
	if largest, err := m.Reproduce(t.Context(), x, near, 1e-12); err != nil || math.Abs(largest-5e-13) > 1e-15 {
		t.Errorf("largest difference %v, error %v", largest, err)
	}
	if _, err := m.Reproduce(t.Context(), x, want[1:], 1e-12); err == nil {
		t.Error("fewer scores than rows are taken")
	}
}

// resize puts the sizes of the trees right after an edit.
func resize(text string) string {
	var sizes []string
	for i, tree := range strings.Split(text[:max(0, strings.Index(text, "end of trees"))], "\nTree=") {
		if i > 0 {
			sizes = append(sizes, strconv.Itoa(len("Tree=")+len(tree)+1))
		}
	}
	if len(sizes) > 0 {
		sizes[len(sizes)-1] = strconv.Itoa(atoi(sizes[len(sizes)-1]) - 1) // no line break before the end
	}
	before, rest, _ := strings.Cut(text, "tree_sizes=")
	_, after, _ := strings.Cut(rest, "\n")
	return before + "tree_sizes=" + strings.Join(sizes, " ") + "\n" + after
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func TestResizeKeepsASoundModel(t *testing.T) {
	if resize(model) != model {
		t.Error("it does not")
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"another file", "tree\n", "three\n", "does not begin"},
		{"version 2", "version=v4", "version=v2", `version is "v2"`},
		{"version 5", "version=v4", "version=v5", `version is "v5"`},
		{"random forest", "objective=", "average_output\nobjective=", "average_output"},
		{"no objective", "objective=binary sigmoid:1\n", "", "objective"},
		{"objective without its sigmoid", "binary sigmoid:1", "binary", "objective"},
		{"another sigmoid", "binary sigmoid:1", "binary sigmoid:2", "sigmoid:2"},
		{"regression", "binary sigmoid:1", "regression", "regression"},
		{"cross entropy", "binary sigmoid:1", "cross_entropy", "cross_entropy"},
		{"multiclass", "num_class=1", "num_class=3", "num_class"},
		{"several trees an iteration", "num_tree_per_iteration=1", "num_tree_per_iteration=2", "num_tree_per_iteration"},
		{"fewer names than features", "max_feature_idx=4", "max_feature_idx=5", "feature_names has 5 values, not 6"},
		{"negative features", "max_feature_idx=4", "max_feature_idx=-1", "max_feature_idx"},
		{"absurdly many features", "max_feature_idx=4", "max_feature_idx=2000000000", "max_feature_idx"},
		{"a number that is none", "max_feature_idx=4", "max_feature_idx=four", "not a number"},
		{"a line twice", "num_class=1\n", "num_class=1\nnum_class=1\n", "not expected"},
		{"an unknown line", "num_class=1\n", "num_class=1\nnew_thing=1\n", "new_thing"},
		{"linear leaves", "is_linear=0", "is_linear=1", "linear"},
		{"linear coefficients", "is_linear=0\n", "is_linear=0\nleaf_const=1 2\n", "leaf_const"},
		{"categorical splits", "num_cat=0", "num_cat=1", "num_cat"},
		{"a categorical split", "decision_type=2 2 2 2", "decision_type=2 1 2 2", "decision_type"},
		{"zero as missing", "decision_type=2 2 2 2", "decision_type=2 6 2 2", "decision_type"},
		{"an unknown decision", "decision_type=2 2 2 2", "decision_type=2 14 2 2", "decision_type"},
		{"no leaves", "num_leaves=5", "num_leaves=0", "num_leaves"},
		{"fewer leaves than said", "num_leaves=5", "num_leaves=6", "leaf_value has 5 values, not 6"},
		{"more leaves than allowed", "num_leaves=5", "num_leaves=131073", "num_leaves"},
		{"leaves beyond 32 bits", "num_leaves=5", "num_leaves=4294967301", "num_leaves"},
		{"a missing field", "left_child=-1 3 -3 -2\n", "", "left_child is missing"},
		{"fewer values", "left_child=-1 3 -3 -2", "left_child=-1 3 -3", "left_child has 3 values, not 4"},
		{"two spaces", "left_child=-1 3 -3 -2", "left_child=-1  3 -3", "left_child"},
		{"a feature too many", "split_feature=0 2 1 0", "split_feature=0 5 1 0", "split_feature 5"},
		{"a negative feature", "split_feature=0 2 1 0", "split_feature=0 -1 1 0", "split_feature -1"},
		{"a split too many", "left_child=-1 3 -3 -2", "left_child=-1 4 -3 -2", "child 4 of split 1"},
		{"a leaf too many", "left_child=-1 3 -3 -2", "left_child=-1 3 -6 -2", "child -6 of split 2"},
		{"the least number", "left_child=-1 3 -3 -2", "left_child=-1 3 -2147483648 -2", "child -2147483648"},
		{"a loop of one", "left_child=-1 3 -3 -2", "left_child=0 3 -3 -2", "child 0 of split 0"},
		{"a loop back", "left_child=-1 3 -3 -2", "left_child=-1 3 1 -2", "child 1 of split 2"},
		{"two parents", "right_child=1 2 -4 -5", "right_child=1 3 -4 -5", "child 3 has two parents"},
		{"a leaf twice", "right_child=1 2 -4 -5", "right_child=1 2 -3 -5", "child -3 has two parents"},
		{"a leaf that is no number", "leaf_value=-0.91859408801551912", "leaf_value=nan", "leaf_value"},
		{"an infinite leaf", "leaf_value=-0.91859408801551912", "leaf_value=-inf", "leaf_value"},
		{"a leaf beyond 64 bits", "leaf_value=-0.91859408801551912", "leaf_value=1e999", "leaf_value"},
		{"a hexadecimal leaf", "leaf_value=-0.91859408801551912", "leaf_value=0x1p4", "leaf_value"},
		{"a count too many", "leaf_count=", "leaf_count=1 ", "leaf_count has 6 values, not 5"},
		{"a gain too many", "split_gain=", "split_gain=1 ", "split_gain has 5 values, not 4"},
		{"an infinite threshold", "threshold=0.15261142263548302", "threshold=inf", "threshold"},
		{"a tree of another number", "Tree=1\n", "Tree=2\n", "Tree"},
		{"a carriage return", "num_cat=0\n", "num_cat=0\r\n", "0x0d"},
		{"a zero byte", "num_cat=0\n", "num_cat=0\x00\n", "0x00"},
		{"another alphabet", "tenure ", "t\u00e9nure ", "0xc3"},
		{"an empty line in a tree", "num_cat=0\n", "num_cat=0\n\n", "not expected"},
		{"one tree fewer", "\n\nend of trees", "\n\nTree=3\nend of trees", "tree 3"},
	} {
		if !strings.Contains(model, c.old) {
			t.Errorf("%s: the model has no %q", c.name, c.old)
		}
		checkRefused(t, c.name, resize(strings.Replace(model, c.old, c.new, 1)), c.want)
	}
	for name, text := range map[string]string{
		"nothing": "", "the version alone": "tree\nversion=v4\n", "the header alone": model[:strings.Index(model, "Tree=0")],
		"no trees":               strings.Replace(model, "tree_sizes=658 659 664", "tree_sizes=", 1),
		"a tree of no size":      strings.Replace(model, "tree_sizes=658 659", "tree_sizes=0 659", 1),
		"a tree of another size": strings.Replace(model, "tree_sizes=658 659", "tree_sizes=659 658", 1),
		"a tree without end":     strings.Replace(model, "tree_sizes=658 659", "tree_sizes=658 2147483647", 1),
		"trees that are left":    strings.Replace(model, "tree_sizes=658 659 664", "tree_sizes=658 659", 1),
		"too many trees":         strings.Replace(model, "tree_sizes=658 659 664", "tree_sizes=1"+strings.Repeat(" 1", 100_000), 1),
		"a part of a tree":       model[:strings.Index(model, "Tree=2")+100],
		"no end":                 strings.Replace(model, "end of trees", "end of  trees", 1),
	} {
		checkRefused(t, name, text, "")
	}
}

func checkRefused(t *testing.T, name, text, want string) {
	t.Helper()
	if _, err := leaves.Load([]byte(text)); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want one of %q", name, err, want)
	}
}

func TestLoadRefusesWhatIsTooLarge(t *testing.T) {
	text := append([]byte(model), bytes.Repeat([]byte{'\n'}, leaves.MaxModel-len(model))...)
	if _, err := leaves.Load(text); err != nil {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	if _, err := leaves.Load(append(text, '\n')); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("a byte more: error %v", err)
	}
}

// chain is a model of one tree, of which each split has a leaf and the next
// split.
func chain(splits int) []byte {
	fields := map[string][]string{}
	add := func(key, value string) { fields[key] = append(fields[key], value) }
	for i := range splits {
		add("split_feature", "0")
		add("threshold", strconv.Itoa(i))
		add("decision_type", "2")
		add("left_child", strconv.Itoa(^i))
		if i < splits-1 {
			add("right_child", strconv.Itoa(i+1))
		} else {
			add("right_child", strconv.Itoa(^splits))
		}
	}
	for i := range splits + 1 {
		add("leaf_value", strconv.Itoa(i))
	}
	tree := fmt.Sprintf("Tree=0\nnum_leaves=%d\nnum_cat=0\n", splits+1)
	for _, key := range []string{"split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value"} {
		tree += key + "=" + strings.Join(fields[key], " ") + "\n"
	}
	tree += "is_linear=0\nshrinkage=1\n\n\n"
	return []byte("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\nobjective=binary sigmoid:1\n" +
		"feature_names=x\nfeature_infos=none\ntree_sizes=" + strconv.Itoa(len(tree)) + "\n\n" + tree + "end of trees\n")
}

func TestDepth(t *testing.T) {
	m := mustLoad(t, chain(4097))
	scores, err := m.Score(t.Context(), []float64{-1, 1.5, 1e9})
	if want := []float64{0.5, 1 / (1 + math.Exp(-2)), 1}; err != nil || !slices.Equal(scores, want) {
		t.Errorf("scores %v, want %v, error %v", scores, want, err)
	}
	checkRefused(t, "deeper", string(chain(4098)), "deeper")
}

// Whatever loads can be scored with: no panic, no endless loop, probabilities.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(model))
	f.Add([]byte(strings.Replace(model, "version=v4", "version=v3", 1)))
	f.Add(chain(3))
	f.Add([]byte(resize(strings.Replace(model, "left_child=-1 3 -3 -2", "left_child=-1 3 1 -2", 1))))
	f.Add([]byte(resize(strings.Replace(model, "is_linear=0", "is_linear=1", 1))))
	f.Add([]byte(model[:strings.Index(model, "Tree=2")+100]))
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		tryModel(t, text)
		tryModel(t, []byte(resize(string(text)))) // so that edits come past the sizes
	})
}

func tryModel(t *testing.T, text []byte) {
	m, err := leaves.Load(text)
	if err != nil {
		if !churn.IsKind(err, churn.Invalid) {
			t.Fatalf("error %v of kind %v", err, churn.KindOf(err))
		}
		return
	}
	var x []float64
	for _, v := range []float64{0, 1, -1e300, 1e300, 1e-35} {
		x = append(x, slices.Repeat([]float64{v}, len(m.Features()))...)
	}
	scores, err := m.Score(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scores {
		if !(s >= 0 && s <= 1) {
			t.Fatalf("score %v", s)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	text := train(b, params(), 5000, makeRows(500, 3)).Model
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		mustLoad(b, text)
	}
}

func BenchmarkScore(b *testing.B) {
	m, x := mustLoad(b, train(b, params(), 5000, makeRows(500, 3)).Model), makeRows(1400, 4).x
	for b.Loop() {
		if _, err := m.Score(b.Context(), x); err != nil {
			b.Fatal(err)
		}
	}
}
