package test

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/realstack"
	"github.com/asfotec/churn/pkg/registry/mlflow/flavor"
)

// agreement is how far the scores of two scorers may be apart.
const agreement = 1e-12

// edits are what is made of rows of the Telco file; all of them can be scored.
var edits = []map[string]string{
	{"TotalCharges": ""}, {"TotalCharges": " "}, {"TotalCharges": "\u3000"}, {"TotalCharges": "\t\u2003 "},
	{"tenure": "+1"}, {"tenure": "1."}, {"tenure": ".5e1"}, {"tenure": " 7\u00a0"}, {"tenure": "00012"},
	{"tenure": "0"}, {"tenure": "1e-300"}, {"tenure": "72.0000000000000001"}, {"tenure": "-0"},
	{"MonthlyCharges": "1e300"}, {"TotalCharges": "999999999999", "MonthlyCharges": "0"}, {"TotalCharges": "4.9406564584124654e-324"},
	{"Contract": "Weekly"}, {"Contract": "one year"}, {"Contract": "Été"}, {"Contract": "\x1fOne year"}, {"Contract": "\u00a0Two year "},
	{"SeniorCitizen": "1.0"}, {"SeniorCitizen": " 1"}, {"gender": "N/A", "Partner": "None", "Dependents": "nan"},
	{"PaymentMethod": strings.Repeat("x", 1000)}, {"Contract": "Weekly", "InternetService": "?", "PaymentMethod": "Barter", "tenure": "1000"},
}

// wrongs are what no scorer may take, by the column that is told.
var wrongs = []struct{ column, value string }{
	{"tenure", ""}, {"tenure", " "}, {"tenure", "-1"}, {"tenure", "ten"}, {"tenure", "1,5"}, {"tenure", "0x10"}, {"tenure", "1_0"},
	{"tenure", "inf"}, {"tenure", "nan"}, {"tenure", "1e999"}, {"tenure", "\uff11"}, {"MonthlyCharges", ""}, {"TotalCharges", "-0.01"},
	{"Contract", ""}, {"gender", "\u00a0"},
}

// The registered version scores raw rows in MLflow as ModelService does, and as
// Go does by itself.
// threshold is where the model's scores are cut.
const threshold = 0.25

func TestTheMLflowModelAgreesWithModelServiceAndGo(t *testing.T) {
	t.Parallel()
	python := realstack.Python(t)
	m := newMLflowModel(t)
	url := m.serve(t, python)

	var service, mlflow scored
	runScorer(t, &service, filepath.Join(root, "services/modelservice/.venv/bin/python"), "modelservice", m.folder, m.asked)
	runScorer(t, &mlflow, python, "mlflow", m.folder, m.asked, telco(), m.matrix, hostileModel(t))

	real := m.scores[:len(m.scores)-len(edits)] // rows of the file as it is
	for name, c := range map[string]struct{ got, want []float64 }{
		"ModelService":                         {service.Scores, m.scores},
		"pyfunc":                               {mlflow.Scores, m.scores},
		"pyfunc, one row":                      {mlflow.One, m.scores[:1]},
		"pyfunc, as pandas reads the file":     {mlflow.Guessed, real},
		"pyfunc, with whole numbers as floats": {mlflow.Floats, real},
		"pyfunc, no rows":                      {mlflow.None, nil},
		"the booster":                          {mlflow.Booster, m.scores},
		"served, as records":                   {invoke(t, url, "dataframe_records", m.rows), m.scores},
		"served, one row":                      {invoke(t, url, "dataframe_records", m.rows[:1]), m.scores[:1]},
		"served, split":                        {invoke(t, url, "dataframe_split", m.split()), m.scores},
		"served, its own example":              {servedScores(t, url, mlflow.Serving), service.Example},
		"pyfunc, its own example":              {mlflow.Example, service.Example},
	} {
		sameScores(t, name, c.got, c.want)
	}
	for i, p := range real {
		if want := map[bool]string{true: "Yes", false: "No"}[p >= threshold]; mlflow.Labels[i] != want {
			t.Fatalf("row %d: label %q of probability %v", i, mlflow.Labels[i], p)
		}
	}
	wrong, err := json.Marshal(map[string]any{"dataframe_records": m.wrong})
	must(t, err)
	if status, text := postRows(t, url, string(wrong)); status != http.StatusBadRequest || !bytes.Contains(text, []byte("row 0, column tenure: a blank")) {
		t.Errorf("served, wrong rows: %d %s", status, text)
	}
	for i, w := range wrongs {
		for name, message := range map[string]string{"Go": m.refused[i], "ModelService": service.Refused[i], "pyfunc": mlflow.Refused[i]} {
			if !strings.Contains(message, w.column) {
				t.Errorf("%s on %s = %q: %q", name, w.column, w.value, message)
			}
		}
	}
	if !slices.Equal(mlflow.Outputs, []string{"probability", "label"}) || len(mlflow.ID) != 32 {
		t.Errorf("outputs %q, id %q", mlflow.Outputs, mlflow.ID)
	}
	if got, want := fmt.Sprintf("%q", mlflow.Hostile), fmt.Sprintf("%q", [][]string{hostileNames, {"no: 0", "no: 0"}}); got != want {
		t.Errorf("the hostile model gives %s, want %s", got, want)
	}
}

// scored is what mlflow_model.py answers.
type scored struct {
	Scores, Guessed, One, Floats, None, Booster, Example []float64
	Refused, Labels, Outputs                             []string
	Serving, ID                                          string
	Hostile                                              [][]string
}

// mlflowModel is a model folder, the rows to try it with, and what Go makes of
// them.
type mlflowModel struct {
	folder  string
	rows    []map[string]string
	columns []string
	scores  []float64
	wrong   []map[string]string // rows, one for each of wrongs
	refused []string            // messages, likewise
	asked   string              // file of the rows
	matrix  string              // file of their features
}

// newMLflowModel trains on the Telco file.
func newMLflowModel(t *testing.T) *mlflowModel {
	t.Helper()
	spec, err := dataset.ParseSpec(data.TelcoSpec)
	if err != nil {
		t.Fatal(err)
	}
	records := telcoRecords(t)
	fitter := feature.NewFitter(spec, spec.Split)
	must(t, eachRow(spec, records, fitter.Add))
	p, err := fitter.Preprocessor()
	if err != nil {
		t.Fatal(err)
	}
	x, y := encodeRecords(t, spec, p, records)
	text := trainModel(t, p.Features, x, y)
	model, err := leaves.Load(text)
	if err != nil {
		t.Fatal(err)
	}

	m := &mlflowModel{folder: writeModel(t, p, text), columns: records[0]}
	for i, edit := range edits {
		records = append(records, edited(records[0], records[1+i*7], edit))
	}
	x, _ = encodeRecords(t, spec, p, records)
	if m.scores, err = model.Score(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		m.rows = append(m.rows, byName(records[0], record))
	}
	for _, w := range wrongs {
		record := edited(records[0], records[1], map[string]string{w.column: w.value})
		m.wrong = append(m.wrong, byName(records[0], record))
		m.refused = append(m.refused, fmt.Sprint(eachRow(spec, [][]string{records[0], record}, func(*dataset.Row) error { return nil })))
	}
	text, err = json.Marshal(map[string]any{"rows": m.rows, "wrong": m.wrong})
	must(t, err)
	m.asked = filepath.Join(t.TempDir(), "rows.json")
	must(t, os.WriteFile(m.asked, text, 0o600))
	text, err = binary.Append(nil, binary.LittleEndian, x)
	must(t, err)
	m.matrix = filepath.Join(t.TempDir(), "matrix.f64")
	must(t, os.WriteFile(m.matrix, text, 0o600))
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// telcoRecords returns the Telco file's header and rows.
func telcoRecords(t *testing.T) [][]string {
	t.Helper()
	file, err := os.Open(telco())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// edited returns a changed copy of a record.
func edited(header, record []string, edit map[string]string) []string {
	record = slices.Clone(record)
	for i, name := range header {
		if value, ok := edit[name]; ok {
			record[i] = value
		}
	}
	return record
}

func byName(header, record []string) map[string]string {
	row := map[string]string{}
	for i, name := range header {
		row[name] = record[i]
	}
	return row
}

// eachRow reads records, the first of them the header, as the featurizer does.
func eachRow(spec *dataset.Spec, records [][]string, f func(*dataset.Row) error) error {
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(records); err != nil {
		return err
	}
	reader, err := dataset.NewReader(&text, spec, spec.Split)
	if err != nil {
		return err
	}
	var row dataset.Row
	for {
		err := reader.Next(&row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(&row)
		}
		if err != nil {
			return err
		}
	}
}

// encodeRecords returns the features and the labels of records.
func encodeRecords(t *testing.T, spec *dataset.Spec, p *feature.Preprocessor, records [][]string) (x []float64, y []float32) {
	t.Helper()
	row := make([]float64, len(p.Features))
	must(t, eachRow(spec, records, func(r *dataset.Row) error {
		_, err := p.Apply(r.Values, row)
		label := map[bool]float32{true: 1}[r.Positive]
		x, y = append(x, row...), append(y, label)
		return err
	}))
	return x, y
}

// trainModel returns the text of a model of the rows.
func trainModel(t *testing.T, features []string, x []float64, y []float32) []byte {
	t.Helper()
	library, err := lightgbm.Load(filepath.Join(root, lightgbm.DefaultPath))
	if err != nil {
		t.Fatal(err)
	}
	params := lightgbm.Params{
		NumLeaves: 31, LearningRate: 0.1, NumIterations: 50, MinDataInLeaf: 5, FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
	}
	result, err := library.Train(t.Context(), params, lightgbm.Options{Threads: 1}, lightgbm.Data{
		Features: features,
		Rows:     [2]int{len(y), len(y)},
		Chunks: func() iter.Seq2[lightgbm.Chunk, error] {
			return func(yield func(lightgbm.Chunk, error) bool) {
				_ = yield(lightgbm.Chunk{Set: lightgbm.Train, X: x, Y: y}, nil) && yield(lightgbm.Chunk{Set: lightgbm.Validation, X: x, Y: y}, nil)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result.Model
}

// writeModel writes a model folder as it is registered, and returns its path.
func writeModel(t *testing.T, p *feature.Preprocessor, text []byte) string {
	t.Helper()
	fitted, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	files, err := flavor.Files(flavor.Model{
		Run: "run", TrackingRun: strings.Repeat("0", 32), Created: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), ModelText: text, Preprocessor: fitted,
		Threshold: threshold,
	})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, f := range files {
		path := filepath.Join(folder, f.Path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, f.Data, 0o600))
	}
	return folder
}

// hostileNames are columns that YAML, JSON or a shell could take for something
// else.
var hostileNames = []string{"a: b\n- !!python/object/apply:os.system [id] #", "null", "\u202e\x7f\u0085\U0001f600'\"\\"}

// hostileModel returns a model folder of such columns. Their labels are as odd.
func hostileModel(t *testing.T) string {
	t.Helper()
	p := &feature.Preprocessor{
		Version: 1, Dataset: "hostile", Key: "id", Target: dataset.Target{Column: "target", Positive: "{{yes}}", Negative: "no: 0"},
		Split: dataset.Split{Test: 0.2, Validation: 0.2},
	}
	for _, name := range hostileNames {
		p.Columns = append(p.Columns, feature.Column{Name: name, Kind: dataset.Categorical, Missing: dataset.MissingError, Categories: []string{name}})
		p.Features = append(p.Features, name+"="+name)
	}
	x, y := make([]float64, 200*len(hostileNames)), make([]float32, 200)
	for i := range x {
		x[i] = float64(i / 2 % 2)
	}
	y[0] = 1
	return writeModel(t, p, trainModel(t, p.Features, x, y))
}

// runScorer runs mlflow_model.py and decodes its answer.
func runScorer(t *testing.T, v any, python string, args ...string) {
	t.Helper()
	cmd := exec.Command(python, append([]string{filepath.Join(root, "test/mlflow_model.py")}, args...)...)
	var errs bytes.Buffer
	cmd.Env, cmd.Stderr = mlflowEnv(python), &errs
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, v)
	}
	if err != nil {
		t.Fatalf("mlflow_model.py %s: %v\n%s", args[0], err, errs.Bytes())
	}
}

func mlflowEnv(python string) []string {
	return append(cleanEnv(), "PATH="+filepath.Dir(python)+":"+os.Getenv("PATH"), "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true",
		"PYTHONDONTWRITEBYTECODE=1")
}

// serve starts `mlflow models serve` and returns its address when it answers.
func (m *mlflowModel) serve(t *testing.T, python string) string {
	t.Helper()
	host, port, _ := strings.Cut(freeAddr(t), ":")
	cmd := exec.Command(python, "-m", "mlflow", "models", "serve", "--model-uri", m.folder, "--env-manager", "local", "--host", host, "--port", port)
	var log bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = mlflowEnv(python), &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the server is a child of the command
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("mlflow models serve:\n%s", log.Bytes()[max(0, log.Len()-8000):])
		}
	})
	url := fmt.Sprintf("http://%s:%s", host, port)
	eventually(t, "mlflow models serve to answer", func() error {
		status, body, err := fetch(url + "/ping")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
	return url
}

// split returns the rows as pandas spells a data frame by orient="split".
func (m *mlflowModel) split() any {
	var rows [][]string
	for _, row := range m.rows {
		var values []string
		for _, name := range m.columns {
			values = append(values, row[name])
		}
		rows = append(rows, values)
	}
	return map[string]any{"columns": m.columns, "data": rows}
}

// invoke has the served model score rows in one of its formats.
func invoke(t *testing.T, url, format string, rows any) []float64 {
	t.Helper()
	body, err := json.Marshal(map[string]any{format: rows})
	if err != nil {
		t.Fatal(err)
	}
	return servedScores(t, url, string(body))
}

// servedScores returns the probabilities that the served model answers.
func servedScores(t *testing.T, url, body string) (scores []float64) {
	t.Helper()
	status, text := postRows(t, url, body)
	if status != http.StatusOK {
		t.Fatalf("%d %.2000s", status, text)
	}
	var answer struct {
		Predictions []struct {
			Probability float64
			Label       string
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	for _, p := range answer.Predictions {
		scores = append(scores, p.Probability)
	}
	return scores
}

func postRows(t *testing.T, url, body string) (status int, text []byte) {
	t.Helper()
	res, err := http.Post(url+"/invocations", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, text
}

func sameScores(t *testing.T, name string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d scores, want %d", name, len(got), len(want))
		return
	}
	largest := 0.0
	for i := range got {
		largest = max(largest, math.Abs(got[i]-want[i]))
	}
	if !(largest <= agreement) {
		t.Errorf("%s: scores are up to %v apart", name, largest)
	}
	t.Logf("%s: %d scores, up to %v apart", name, len(got), largest)
}
