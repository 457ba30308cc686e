package flavor

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostile holds names that YAML, JSON, Python or a shell could take for
// something else.
var hostile = []feature.Column{
	{Name: "a: b\n- !!python/object/apply:os.system [id] #", Kind: dataset.Categorical, Missing: dataset.MissingCategory, Categories: []string{"", "'\"\\", "\x7f\u0085\u2028\ufeff\U0001f600", "€"}},
	{Name: "null", Kind: dataset.Categorical, Missing: dataset.MissingError, Categories: []string{"{{x}}", "~"}},
	{Name: "1e3", Kind: dataset.Numeric, Missing: dataset.MissingMean, Fill: pointer(2.345), Mean: 2.345, Deviation: 1},
	{Name: "low", Kind: dataset.Numeric, Missing: dataset.MissingError, Min: pointer(0), Max: pointer(1), Mean: -5, Deviation: 2},
	{Name: "\u202e\U000e0001", Kind: dataset.Numeric, Missing: dataset.MissingError, Max: pointer(-1), Mean: 1e300, Deviation: 1e-3},
}

func pointer(v float64) *float64 { return &v }

// modelOf returns a model of the columns whose only tree has one leaf.
func modelOf(t rapid.TB, columns []feature.Column) Model {
	t.Helper()
	p := &feature.Preprocessor{
		Version: 1, Dataset: "test", Key: "id", Columns: columns,
		Target: dataset.Target{Column: "target", Positive: "yes: 1", Negative: "no"},
		Split:  dataset.Split{Test: 0.2, Validation: 0.2},
	}
	for _, c := range columns {
		if c.Kind == dataset.Numeric {
			p.Features = append(p.Features, c.Name)
		}
		for _, category := range c.Categories {
			p.Features = append(p.Features, c.Name+"="+category)
		}
	}
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return Model{
		Run:          "0d1fd1e2-9a55-5e5a-8f3b-7f4b0c6f3a10",
		TrackingRun:  "6f1c1a6d3c9b4d0f8a5e2b7c9d0e1f2a",
		Created:      time.Date(2026, 1, 31, 13, 0, 0, 123_456_000, time.FixedZone("", 3600)),
		ModelText:    oneLeaf(lightgbm.FeatureNames(p.Features)),
		Preprocessor: text,
		Threshold:    0.25,
	}
}

func oneLeaf(features []string) []byte {
	const tree = "Tree=0\nnum_leaves=1\nnum_cat=0\nsplit_feature=\nsplit_gain=\nthreshold=\ndecision_type=\nleft_child=\nright_child=\n" +
		"leaf_value=-1\nleaf_weight=\nleaf_count=\ninternal_value=\ninternal_weight=\ninternal_count=\nis_linear=0\nshrinkage=1\n\n\n"
	return fmt.Appendf(nil, "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=%d\nobjective=binary sigmoid:1\n"+
		"feature_names=%s\nfeature_infos=%s\ntree_sizes=%d\n\n%send of trees\n", len(features)-1, strings.Join(features, " "),
		strings.TrimSpace(strings.Repeat("none ", len(features))), len(tree), tree)
}

func mustFiles(t rapid.TB, m Model) []File {
	t.Helper()
	files, err := Files(m)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestFilesAreTheGoldenOnes(t *testing.T) {
	for _, f := range mustFiles(t, modelOf(t, hostile)) {
		path := filepath.Join("testdata/hostile", f.Path)
		if f.Path != mlmodelFile && f.Path != exampleFile && f.Path != servingFile {
			continue
		}
		if *update {
			if err := os.WriteFile(path, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.Data, want) {
			t.Errorf("%s is not the golden one (write it anew with -update):\n%s", f.Path, f.Data)
		}
	}
}

func TestAFolderIsWhole(t *testing.T) {
	m := modelOf(t, hostile)
	files := mustFiles(t, m)
	if !slices.EqualFunc(files, mustFiles(t, m), func(a, b File) bool { return a.Path == b.Path && bytes.Equal(a.Data, b.Data) }) {
		t.Error("two folders of one model differ")
	}
	at := map[string][]byte{}
	for _, f := range files {
		at[f.Path] = f.Data
	}
	want := []string{
		"MLmodel", "code/" + loaderModule + ".py", "conda.yaml", "data/model.txt", "data/operating_point.json", "data/preprocessor.json",
		"input_example.json", "python_env.yaml", "requirements.txt", "serving_input_example.json",
	}
	if got := slices.Sorted(maps.Keys(at)); !slices.Equal(got, want) || len(files) != len(want) {
		t.Errorf("the files are %q", got)
	}
	if files[len(files)-1].Path != mlmodelFile {
		t.Error("MLmodel is not the last: a folder that has it must be whole")
	}
	if !bytes.Equal(at[modelFile], m.ModelText) || !bytes.Equal(at[preprocessorFile], m.Preprocessor) {
		t.Error("the artifacts have changed on the way")
	}
}

// Whatever the columns are called, MLmodel is plain ASCII and gives the names
// back.
func TestNamesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringN(1, 20, -1).Filter(allowed), 1, 5, rapid.ID[string]).Draw(t, "names")
		var columns []feature.Column
		for _, name := range names {
			columns = append(columns, feature.Column{
				Name: name, Kind: dataset.Categorical, Missing: dataset.MissingError, Categories: []string{name},
			})
		}
		files := mustFiles(t, modelOf(t, columns))
		text := files[len(files)-1].Data
		if i := bytes.IndexFunc(text, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }); i >= 0 {
			t.Fatalf("MLmodel has byte %#x", text[i])
		}
		var d mlmodel
		if err := yaml.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		var inputs []column
		if err := json.Unmarshal([]byte(d.Signature.Inputs), &inputs); err != nil {
			t.Fatal(err)
		}
		for i, c := range inputs {
			if c != (column{"any", names[i], true}) {
				t.Errorf("input %d is %+v, want %q", i, c, names[i])
			}
		}
		if len(inputs) != len(names) {
			t.Errorf("%d inputs of %d columns", len(inputs), len(names))
		}
	})
}

func allowed(name string) bool {
	return !strings.Contains(name, "=") && !strings.HasPrefix(name, "__") && !slices.Contains([]string{"id", "target"}, name)
}

func TestFilesRefusesWhatIsNotSound(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Model)
		want string
	}{
		"no preprocessor":   {func(m *Model) { m.Preprocessor = nil }, "expected form"},
		"spelled otherwise": {func(m *Model) { m.Preprocessor = append(m.Preprocessor, '\n') }, "spelled"},
		"no model":          {func(m *Model) { m.ModelText = nil }, "model text"},
		"a model out of bounds": {func(m *Model) {
			m.ModelText = bytes.Replace(m.ModelText, []byte("num_leaves=1"), []byte("num_leaves=9"), 1)
		}, "tree 0"},
		"of other features": {func(m *Model) { m.ModelText = modelOf(t, hostile[:2]).ModelText }, "takes 6 features"},
	} {
		t.Run(name, func(t *testing.T) {
			m := modelOf(t, hostile)
			c.edit(&m)
			if _, err := Files(m); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of %q", err, c.want)
			}
		})
	}
}

// The three environment files ask for the same, and for the LightGBM that
// trains.
func TestEnvironmentsAgree(t *testing.T) {
	at := map[string][]byte{}
	for _, f := range mustFiles(t, modelOf(t, hostile)) {
		at[f.Path] = f.Data
	}
	want := strings.Fields(string(at[requirementsFile]))
	if !slices.Contains(want, "lightgbm=="+lightgbm.Version) || lightGBM != lightgbm.Version {
		t.Errorf("requirements %q or MLmodel (%s) are not of LightGBM %s", want, lightGBM, lightgbm.Version)
	}
	var conda struct{ Dependencies []any }
	if err := yaml.Unmarshal(at[condaFile], &conda); err != nil {
		t.Fatal(err)
	}
	pip := map[string]any{"pip": []any{}}
	for _, r := range want {
		pip["pip"] = append(pip["pip"].([]any), r)
	}
	if got, want := fmt.Sprint(conda.Dependencies), fmt.Sprint([]any{"python=" + python, "pip", pip}); got != want {
		t.Errorf("conda's dependencies are %s, want %s", got, want)
	}
	var env struct {
		Python       string
		Dependencies []string
	}
	if err := yaml.Unmarshal(at[pythonFile], &env); err != nil || env.Python != python || !slices.Equal(env.Dependencies, []string{"-r requirements.txt"}) {
		t.Errorf("%s is %+v, %v", pythonFile, env, err)
	}
}
