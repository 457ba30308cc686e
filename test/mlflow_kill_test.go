package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/realstack"
)

// A kill -9 between any two calls that change something in MLflow, whichever
// stage makes them, leaves one run, one version, and that in production, once the
// pipeline has been started again.
func TestKilledBetweenAnyTwoCallsOfMLflow(t *testing.T) {
	t.Parallel()
	m := realstack.MLflow(t, realstack.MLflowConfig{})
	header, rows := telcoLines(t)
	data := writeCSV(t, strings.Join(append([]string{header}, rows[:800]...), "\n")+"\n")
	named := func(name string) []string {
		return request("same", "--register-name", name, "--experiment-name", name,
			"--data", data, "--num-iterations", "10", "--min-auc", "0.5", "--min-accuracy", "0.5") // what is small is quick
	}
	undisturbed := newStack(t, "MLFLOW_TRACKING_URI="+m.URI, "CHURN_FAULT_TRACE="+filepath.Join(t.TempDir(), "points"))
	var want runDetail
	undisturbed.want(0, &want, named("undisturbed")...)
	oneInProduction(t, m, "undisturbed")
	points := callsOf(t, strings.TrimPrefix(undisturbed.env[1], "CHURN_FAULT_TRACE="))
	t.Logf("%d points", len(points))
	if once := slices.Compact(slices.Sorted(slices.Values(points))); len(points) < 30 || len(once) != len(points) {
		t.Fatalf("%d points of %d names: %v", len(points), len(once), points)
	}
	for i, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			model := fmt.Sprintf("killed-%d", i)
			s := newStack(t, "MLFLOW_TRACKING_URI="+m.URI)
			s.killedAt(point, named(model)...)
			var got runDetail
			s.want(0, &got, named(model)...)
			if got.Status != "promoted" || got.Version != 1 || got.digests()["trainer/model.txt"] != want.digests()["trainer/model.txt"] {
				t.Errorf("status %s, version %d", got.Status, got.Version)
			}
			oneInProduction(t, m, model)
		})
	}
}

// callsOf returns the points before each call of MLflow, that after the last, and
// those after the calls of the registry that decides: after one call is before the
// next.
func callsOf(t *testing.T, trace string) (points []string) {
	t.Helper()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for point := range strings.Lines(string(text)) {
		point = strings.TrimSpace(point)
		ofMLflow := strings.HasPrefix(point, "mlflow.")
		if ofMLflow && strings.HasSuffix(point, ".before") || point == "gate.registered" || point == "gate.promoted" {
			points = append(points, point)
		}
		if ofMLflow {
			last = point
		}
	}
	return append(points, last)
}

// oneInProduction checks that MLflow has one run and one version of the name, and
// that it is the champion.
func oneInProduction(t *testing.T, m *realstack.Tracking, name string) {
	t.Helper()
	type tagged struct {
		Tags []struct{ Key, Value string }
	}
	var experiment struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		}
	}
	var runs struct {
		Runs []struct {
			Info struct{ Status string }
			Data tagged
		}
	}
	var versions struct {
		Versions []struct {
			Version string
			Stage   string `json:"current_stage"`
		} `json:"model_versions"`
	}
	var champion struct {
		Version struct{ Version string } `json:"model_version"`
	}
	askMLflow(t, m, &experiment, "experiments/get-by-name?"+url.Values{"experiment_name": {name}}.Encode(), "")
	askMLflow(t, m, &runs, "runs/search", fmt.Sprintf(`{"experiment_ids": [%q]}`, experiment.Experiment.ID))
	askMLflow(t, m, &versions, "model-versions/search?"+url.Values{"filter": {"name='" + name + "'"}}.Encode(), "")
	askMLflow(t, m, &champion, "registered-models/alias?"+url.Values{"name": {name}, "alias": {"champion"}}.Encode(), "")
	if len(runs.Runs) != 1 || len(versions.Versions) != 1 {
		t.Fatalf("%d runs and %d versions", len(runs.Runs), len(versions.Versions))
	}
	run, v := runs.Runs[0], versions.Versions[0]
	if v.Stage != "Production" || v.Version != "1" || champion.Version.Version != "1" || run.Info.Status != "FINISHED" {
		t.Errorf("version %+v, champion %+v, run %s", v, champion, run.Info.Status)
	}
	done := map[string]string{}
	for _, tag := range run.Data.Tags {
		if stage, is := strings.CutPrefix(tag.Key, "churn.stage."); is {
			done[stage] = tag.Value
		}
	}
	if got := slices.Sorted(maps.Keys(done)); !slices.Equal(got, []string{"evaluator", "featurizer", "gate", "trainer"}) {
		t.Errorf("recorded are %v", got)
	}
}

// askMLflow asks by GET, or by POST if there is a body.
func askMLflow(t *testing.T, m *realstack.Tracking, out any, path, body string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, m.URI+"/api/2.0/mlflow/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
}
