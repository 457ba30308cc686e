package mlflow_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/realstack"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/mlflow"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/registry/registrytest"
)

// server is an MLflow server and the store that its clients have.
type server struct {
	tracking *realstack.Tracking
	store    blob.Store
}

func (s server) client(t *testing.T) *mlflow.Client {
	return connect(t, mlflow.Config{URI: s.tracking.URI})
}

func connect(t *testing.T, c mlflow.Config) *mlflow.Client {
	t.Helper()
	client, err := mlflow.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (s server) registry(t *testing.T) *mlflow.Registry {
	return mlflow.New(s.client(t), s.store, objectstore.New(s.store))
}

// get asks MLflow itself and fills in out.
func (s server) get(t *testing.T, path string, query url.Values, out any) {
	t.Helper()
	res, err := http.Get(s.tracking.URI + "/api/2.0/mlflow/" + path + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", path, res.Status, text, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}

// post asks MLflow itself.
func (s server) post(t *testing.T, path string, in, out any) {
	t.Helper()
	s.send(t, http.MethodPost, path, in, out)
}

func (s server) remove(t *testing.T, path string, in any) {
	t.Helper()
	s.send(t, http.MethodDelete, path, in, nil)
}

func (s server) send(t *testing.T, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.tracking.URI+"/api/2.0/mlflow/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", path, res.Status, text, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}

// pair is a tag or a parameter.
type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func table(pairs []pair) map[string]string {
	m := map[string]string{}
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}

// modelVersion is what MLflow has of a version.
type modelVersion struct {
	Version string `json:"version"`
	Stage   string `json:"current_stage"`
	Run     string `json:"run_id"`
	Source  string `json:"source"`
	Tags    []pair `json:"tags"`
}

// versions are all that MLflow has of the model, by number.
func (s server) versions(t *testing.T, model string) []modelVersion {
	t.Helper()
	var answer struct {
		Versions []modelVersion `json:"model_versions"`
	}
	s.get(t, "model-versions/search", url.Values{"filter": {"name='" + model + "'"}}, &answer)
	slices.SortFunc(answer.Versions, func(a, b modelVersion) int { return strings.Compare(a.Version, b.Version) })
	return answer.Versions
}

// champion is the number of the version with the alias.
func (s server) champion(t *testing.T, model string) string {
	t.Helper()
	var answer struct {
		Version modelVersion `json:"model_version"`
	}
	s.get(t, "registered-models/alias", url.Values{"name": {model}, "alias": {"champion"}}, &answer)
	return answer.Version.Version
}

// mlflowRun is what MLflow has of a run.
type mlflowRun struct {
	Info struct {
		ID         string `json:"run_id"`
		Name       string `json:"run_name"`
		Status     string `json:"status"`
		Experiment string `json:"experiment_id"`
		Artifacts  string `json:"artifact_uri"`
		Started    int64  `json:"start_time"`
		Ended      int64  `json:"end_time"`
	} `json:"info"`
	Data struct {
		Params  []pair `json:"params"`
		Tags    []pair `json:"tags"`
		Metrics []struct {
			Key   string  `json:"key"`
			Value float64 `json:"value"`
			Step  int64   `json:"step"`
		} `json:"metrics"`
	} `json:"data"`
}

func (s server) run(t *testing.T, id string) (m mlflowRun) {
	t.Helper()
	var answer struct{ Run mlflowRun }
	s.get(t, "runs/get", url.Values{"run_id": {id}}, &answer)
	return answer.Run
}

// runs are the active runs of the experiment.
func (s server) runs(t *testing.T, experiment string) []mlflowRun {
	t.Helper()
	var e struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		}
	}
	s.get(t, "experiments/get-by-name", url.Values{"experiment_name": {experiment}}, &e)
	var answer struct{ Runs []mlflowRun }
	s.post(t, "runs/search", map[string]any{"experiment_ids": []string{e.Experiment.ID}}, &answer)
	return answer.Runs
}

var started = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// put puts bytes into the store.
func put(t *testing.T, store blob.Store, key, text string) *blob.Artifact {
	t.Helper()
	a, err := store.Put(t.Context(), key, "text/plain", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOnAServer(t *testing.T) {
	t.Parallel()
	s := server{realstack.MLflow(t, realstack.MLflowConfig{}), memory.New("churn")}
	t.Run("registry", func(t *testing.T) {
		registrytest.Registry(t, s.store, func(t *testing.T) registry.Registry { return s.registry(t) })
	})
	t.Run("tracker", func(t *testing.T) {
		registrytest.Tracker(t, s.store, func(t *testing.T) registry.Tracker { return mlflow.NewTracker(s.client(t), s.store) })
	})
	for name, test := range map[string]func(*testing.T, server){
		"what is recorded":         recorded,
		"long and many":            longAndMany,
		"trials are nested":        nested,
		"a run that was deleted":   deletedRun,
		"what is in production":    production,
		"back in production":       backInProduction,
		"runs made twice":          twinRuns,
		"versions made twice":      twinVersions,
		"a version deleted there":  deletedVersion,
		"versions that it missed":  missedVersions,
		"someone else's versions":  foreignVersions,
		"a version that is broken": brokenVersion,
		"the server's version":     serverVersion,
		"Databricks":               databricks,
		"a token":                  token,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func recorded(t *testing.T, s server) {
	r := registry.Run{Experiment: "recorded", Run: "run-1", Name: "for people", Started: started, Tags: map[string]string{"git_sha": "abc", "requested_by": "ada"}}
	tracker := mlflow.NewTracker(s.client(t), s.store)
	for range 2 {
		id, err := tracker.Track(t.Context(), r, registry.Entry{
			Stage: "trainer", Params: map[string]string{"num_leaves": "64"}, Metrics: map[string]float64{"auc": 0.84}, Step: 3,
			Series:    map[string][]float64{"auc_by_iteration": {0.7, 0.8, 0.84}},
			Artifacts: map[string]*blob.Artifact{"model.txt": artifactOnce(t, s.store, "recorded/model.txt", "a tree")},
		})
		if err != nil {
			t.Fatal(err)
		}
		m := s.run(t, id)
		if m.Info.Name != "for people" || m.Info.Status != "RUNNING" || m.Info.Started != started.UnixMilli() {
			t.Errorf("the run is %+v", m.Info)
		}
		tags := table(m.Data.Tags)
		for tag, want := range map[string]string{
			"git_sha": "abc", "mlflow.source.git.commit": "abc", "mlflow.user": "ada", "churn.run": "run-1", "churn.stage.trainer": "done",
		} {
			if tags[tag] != want {
				t.Errorf("the tag %s is %q, want %q", tag, tags[tag], want)
			}
		}
		if got := table(m.Data.Params); !maps.Equal(got, map[string]string{"num_leaves": "64"}) {
			t.Errorf("the parameters are %v", got)
		}
		var history struct {
			Metrics []struct {
				Value float64
				Step  int64
			}
		}
		s.get(t, "metrics/get-history", url.Values{"run_id": {id}, "metric_key": {"auc_by_iteration"}}, &history)
		if fmt.Sprint(history.Metrics) != "[{0.7 1} {0.8 2} {0.84 3}]" {
			t.Errorf("the metric's history is %v", history.Metrics)
		}
		if got := s.artifact(t, m, "trainer/model.txt"); got != "a tree" {
			t.Errorf("the artifact is %q", got)
		}
	}
	id, err := tracker.Track(t.Context(), r, registry.Entry{Stage: "gate", Params: map[string]string{"num_leaves": "31", "outcome": "promoted"}, Ends: true})
	if err != nil {
		t.Fatal(err)
	}
	m := s.run(t, id)
	if m.Info.Status != "FINISHED" || m.Info.Ended == 0 {
		t.Errorf("the run has ended, and is %+v", m.Info)
	}
	r.Run = "run-2"
	if id, err = tracker.Track(t.Context(), r, registry.Entry{Stage: "trainer-failed", Ends: true, Failed: true}); err != nil {
		t.Fatal(err)
	}
	if m := s.run(t, id); m.Info.Status != "FAILED" || m.Info.Ended == 0 {
		t.Errorf("the run has failed, and is %+v", m.Info)
	}
	if got := table(m.Data.Params); got["num_leaves"] != "64" || got["gate.num_leaves"] != "31" || got["outcome"] != "promoted" {
		t.Errorf("the parameters are %v", got)
	}
}

// artifactOnce puts bytes into the store, unless they are there.
func artifactOnce(t *testing.T, store blob.Store, key, text string) *blob.Artifact {
	t.Helper()
	if a, err := store.Stat(t.Context(), key); err == nil {
		return a
	}
	return put(t, store, key, text)
}

// artifact returns an artifact of the run as MLflow hands it out.
func (s server) artifact(t *testing.T, m mlflowRun, path string) string {
	t.Helper()
	res, err := http.Get(s.tracking.URI + "/get-artifact?" + url.Values{"run_id": {m.Info.ID}, "path": {path}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", path, res.Status, text, err)
	}
	return string(text)
}

// What is more than MLflow takes at a time is sent in parts, and what is longer
// than it takes is cut off.
func longAndMany(t *testing.T, s server) {
	e := registry.Entry{Stage: "trainer", Params: map[string]string{"long": strings.Repeat("ä", 5000)}, Series: map[string][]float64{"auc": make([]float64, 2500)}}
	for i := range 120 {
		e.Params[fmt.Sprintf("p%03d", i)] = "1"
	}
	id, err := mlflow.NewTracker(s.client(t), s.store).Track(t.Context(), registry.Run{Experiment: "many", Run: "run", Started: started}, e)
	if err != nil {
		t.Fatal(err)
	}
	params := table(s.run(t, id).Data.Params)
	if long := params["long"]; len(params) != 121 || long != strings.Repeat("ä", len(long)/2) || len(long) < 4000 {
		t.Errorf("%d parameters, and the long one has %d bytes", len(params), len(long))
	}
	var history struct{ Metrics []struct{ Step int64 } }
	s.get(t, "metrics/get-history", url.Values{"run_id": {id}, "metric_key": {"auc"}, "max_results": {"5000"}}, &history)
	if len(history.Metrics) != 2500 {
		t.Errorf("%d values of the metric", len(history.Metrics))
	}
}

func nested(t *testing.T, s server) {
	tracker := mlflow.NewTracker(s.client(t), s.store)
	r := registry.Run{Experiment: "nested", Run: "run", Name: "search", Started: started, Trial: "7"}
	child, err := tracker.Track(t.Context(), r, registry.Entry{Stage: "trainer", Ends: true})
	if err != nil {
		t.Fatal(err)
	}
	r.Trial = ""
	parent, err := tracker.Track(t.Context(), r, registry.Entry{Stage: "featurizer"})
	if err != nil {
		t.Fatal(err)
	}
	m := s.run(t, child)
	if table(m.Data.Tags)["mlflow.parentRunId"] != parent || m.Info.Name != "search 7" || m.Info.Status != "FINISHED" {
		t.Errorf("the trial is %+v, and its run is %s", m, parent)
	}
	if runs := s.runs(t, "nested"); len(runs) != 2 {
		t.Errorf("%d runs", len(runs))
	}
}

// A run that people have deleted is made anew.
func deletedRun(t *testing.T, s server) {
	tracker := mlflow.NewTracker(s.client(t), s.store)
	r := registry.Run{Experiment: "deleted", Run: "run", Started: started}
	first, err := tracker.Track(t.Context(), r, registry.Entry{Stage: "featurizer"})
	if err != nil {
		t.Fatal(err)
	}
	s.post(t, "runs/delete", map[string]string{"run_id": first}, nil)
	var ids []string
	for range 2 {
		id, err := tracker.Track(t.Context(), r, registry.Entry{Stage: "trainer"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if ids[0] == first || ids[1] != ids[0] || len(s.runs(t, "deleted")) != 1 {
		t.Errorf("after %s was deleted the run is %v", first, ids)
	}
}

// Of runs that were made by attempts that were cut off before they noted theirs,
// one is gone on with, and the others are deleted.
func twinRuns(t *testing.T, s server) {
	const experiment = "twins"
	tracker := mlflow.NewTracker(s.client(t), s.store)
	track := func(run string) string {
		id, err := tracker.Track(t.Context(), registry.Run{Experiment: experiment, Run: run, Started: started}, registry.Entry{Stage: "featurizer"})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	other := track("other")
	for range 3 {
		s.post(t, "runs/create", map[string]any{"experiment_id": s.run(t, other).Info.Experiment, "tags": []pair{{"churn.run", "run"}}}, nil)
	}
	id := track("run")
	var left []string
	for _, m := range s.runs(t, experiment) {
		left = append(left, m.Info.ID)
	}
	if slices.Sort(left); !slices.Equal(left, slices.Sorted(slices.Values([]string{id, other}))) {
		t.Errorf("left are %v, and the two runs are %s and %s", left, other, id)
	}
}

func (s server) version(t *testing.T, model, run string) registry.Version {
	t.Helper()
	v := registrytest.Version(t, s.store, model, run)
	v.Tags = map[string]string{"git_sha": "abc", "timestamp": "2026-01-31T12:00:00Z", "trees_sha256": "t", "run_id": run, "event_id": "e"}
	return v
}

func register(t *testing.T, r registry.Registry, v registry.Version) registry.Version {
	t.Helper()
	v, err := r.Register(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func promote(t *testing.T, r registry.Registry, model, stage string, version, expected int64) {
	t.Helper()
	c := registry.Champion{Model: model, Stage: stage, Version: version, Run: fmt.Sprint("run-", version), Cause: fmt.Sprint(stage, expected)}
	if _, err := r.Promote(t.Context(), c, expected); err != nil {
		t.Fatal(err)
	}
}

func production(t *testing.T, s server) {
	const model = "production"
	r := s.registry(t)
	for n := int64(1); n <= 2; n++ {
		for range 2 {
			register(t, r, s.version(t, model, fmt.Sprint("run-", n)))
			promote(t, r, model, "Production", n, n-1)
		}
	}
	promote(t, r, model, "Staging", 1, 0)
	promote(t, r, model, "canary.eu", 2, 0)
	versions := s.versions(t, model)
	if len(versions) != 2 || versions[0].Stage != "Staging" || versions[1].Stage != "Production" || s.champion(t, model) != "2" {
		t.Errorf("the versions are %+v", versions)
	}
	tags := table(versions[0].Tags)
	for tag, want := range map[string]string{
		"git_sha": "abc", "timestamp": "2026-01-31T12:00:00Z", "trees_sha256": "t", "run_id": "run-1", "event_id": "e", "churn.run": "run-1", "churn.version": "1",
	} {
		if tags[tag] != want {
			t.Errorf("the tag %s is %q, want %q", tag, tags[tag], want)
		}
	}
	m := s.run(t, versions[0].Run)
	if versions[0].Source != m.Info.Artifacts+"/model" || !strings.Contains(s.artifact(t, m, "model/MLmodel"), m.Info.ID) {
		t.Errorf("version 1 is of %s", versions[0].Source)
	}
	var answer struct {
		Model struct {
			Aliases []struct{ Alias, Version string }
		} `json:"registered_model"`
	}
	s.get(t, "registered-models/get", url.Values{"name": {model}}, &answer)
	if fmt.Sprint(answer.Model.Aliases) != "[{champion 2} {champion-Staging 1} {champion-canary_eu 2}]" {
		t.Errorf("the aliases are %v", answer.Model.Aliases)
	}
}

// MLflow's stage and alias go back with the champion.
func backInProduction(t *testing.T, s server) {
	const model = "back-in-production"
	r := s.registry(t)
	for n := int64(1); n <= 2; n++ {
		register(t, r, s.version(t, model, fmt.Sprint("run-", n)))
		promote(t, r, model, "Production", n, n-1)
	}
	back := registry.Champion{Model: model, Stage: "Production", Version: 1, Run: "rollback", Cause: "rollback"}
	for range 2 {
		if _, err := r.Promote(t.Context(), back, 2); err != nil {
			t.Fatal(err)
		}
		versions := s.versions(t, model)
		if len(versions) != 2 || versions[0].Stage != "Production" || versions[1].Stage != "Archived" || s.champion(t, model) != "1" {
			t.Errorf("the versions are %+v, and the champion is %s", versions, s.champion(t, model))
		}
	}
}

// A version that was made twice, because the answer was lost, is made once in the
// end, also where the first attempt got no further.
func twinVersions(t *testing.T, s server) {
	const model = "twin-versions"
	r, v := s.registry(t), s.version(t, model, "run-1")
	register(t, r, v)
	first := s.versions(t, model)[0]
	s.post(t, "model-versions/create", map[string]any{"name": model, "source": first.Source, "run_id": first.Run, "tags": first.Tags}, nil)
	register(t, r, v)
	if versions := s.versions(t, model); len(versions) != 1 || versions[0].Version != first.Version {
		t.Errorf("the versions are %+v", versions)
	}
}

// A version that people have deleted stays deleted, until it is promoted.
func deletedVersion(t *testing.T, s server) {
	const model = "deleted-version"
	r := s.registry(t)
	for n := range 3 {
		register(t, r, s.version(t, model, fmt.Sprint("run-", n+1)))
	}
	for _, n := range []string{"1", "2"} {
		s.remove(t, "model-versions/delete", map[string]string{"name": model, "version": n})
	}
	promote(t, r, model, "Production", 3, 0)
	if versions := s.versions(t, model); len(versions) != 1 {
		t.Errorf("the versions are %+v", versions)
	}
	promote(t, r, model, "Production", 2, 1)
	versions := s.versions(t, model)
	if len(versions) != 2 || versions[0].Stage != "Archived" || versions[1].Stage != "Production" || table(versions[1].Tags)["churn.version"] != "2" {
		t.Errorf("the versions are %+v", versions)
	}
}

// Versions that were registered while MLflow was not there are there once it is,
// under the same numbers.
func missedVersions(t *testing.T, s server) {
	const model = "missed"
	authority := objectstore.New(s.store)
	for n := range 3 {
		register(t, authority, s.version(t, model, fmt.Sprint("run-", n+1)))
	}
	promote(t, authority, model, "Production", 2, 0)
	register(t, s.registry(t), s.version(t, model, "run-4"))
	promote(t, s.registry(t), model, "Production", 4, 1)
	for i, v := range s.versions(t, model) {
		if n := fmt.Sprint(i + 1); v.Version != n || table(v.Tags)["churn.version"] != n || table(v.Tags)["churn.run"] != "run-"+n {
			t.Errorf("version %s is %+v", n, v)
		}
	}
	if n := s.champion(t, model); n != "4" {
		t.Errorf("the champion is %s", n)
	}
}

// Whoever else makes versions of the model does not get theirs promoted, and
// does not stop the pipeline's.
func foreignVersions(t *testing.T, s server) {
	const model = "foreign"
	r := s.registry(t)
	register(t, r, s.version(t, model, "run-1"))
	first := s.versions(t, model)[0]
	for _, tags := range [][]pair{nil, {{"churn.version", "2"}, {"churn.run", "another"}}, {{"churn.version", "x"}}} {
		s.post(t, "model-versions/create", map[string]any{"name": model, "source": first.Source, "run_id": first.Run, "tags": tags}, nil)
	}
	register(t, r, s.version(t, model, "run-2"))
	promote(t, r, model, "Production", 2, 0)
	versions := s.versions(t, model)
	if len(versions) != 5 || versions[4].Stage != "Production" || table(versions[4].Tags)["churn.run"] != "run-2" || s.champion(t, model) != "5" {
		t.Errorf("the versions are %+v", versions)
	}
}

// An earlier version that cannot be made any more is not in the way.
func brokenVersion(t *testing.T, s server) {
	const model = "broken"
	authority := objectstore.New(s.store)
	v := s.version(t, model, "run-1")
	v.Artifact = put(t, s.store, model+"/other.txt", "no model")
	register(t, authority, v)
	r := s.registry(t)
	if _, err := r.Register(t.Context(), v); !churn.IsKind(err, churn.Invalid) && !churn.IsKind(err, churn.Internal) {
		t.Errorf("registered, with an artifact that is no model: %v", err)
	}
	register(t, r, s.version(t, model, "run-2"))
	promote(t, r, model, "Production", 2, 0)
	if versions := s.versions(t, model); len(versions) != 1 || versions[0].Stage != "Production" {
		t.Errorf("the versions are %+v", versions)
	}
}

func serverVersion(t *testing.T, s server) {
	if v, err := s.registry(t).ServerVersion(t.Context()); err != nil || !strings.HasPrefix(v, "3.") {
		t.Errorf("version %q, %v", v, err)
	}
}

// In a Databricks workspace an experiment's name is a path.
func databricks(t *testing.T, s server) {
	client := connect(t, mlflow.Config{URI: s.tracking.URI, Token: "t", Databricks: true})
	if _, err := mlflow.NewTracker(client, s.store).Track(t.Context(), registry.Run{Experiment: "churn", Run: "r", Started: started}, registry.Entry{Stage: "s"}); err != nil {
		t.Fatal(err)
	}
	if runs := s.runs(t, "/Shared/churn"); len(runs) != 1 {
		t.Errorf("%d runs", len(runs))
	}
}

// A server behind TLS and a password, whose artifacts clients put into the object
// store themselves.
func TestDirectAndGuarded(t *testing.T) {
	t.Parallel()
	minio := realstack.MinIO(t, realstack.MinIOConfig{})
	objects, err := s3.New(s3.Config{Endpoint: minio.Endpoint, AccessKey: minio.AccessKey, SecretKey: minio.SecretKey, Bucket: "mlflow"})
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	tracking := realstack.MLflow(t, realstack.MLflowConfig{
		ArtifactRoot: "s3://mlflow/at", Username: "admin", Password: "a-long-password", TLS: true,
		Env: []string{"MLFLOW_S3_ENDPOINT_URL=" + minio.Endpoint, "AWS_ACCESS_KEY_ID=" + minio.AccessKey, "AWS_SECRET_ACCESS_KEY=" + minio.SecretKey},
	})
	trusting := mlflow.Transport()
	trusting.TLSClientConfig = tlsConfig(t, tracking.CAFile)
	config := mlflow.Config{URI: tracking.URI, Username: "admin", Password: "a-long-password", Transport: trusting, Objects: objects.Client()}

	s := server{tracking, memory.New("churn")}
	r := mlflow.New(connect(t, config), s.store, objectstore.New(s.store))
	register(t, r, s.version(t, "direct", "run-1"))
	promote(t, r, "direct", "Production", 1, 0)
	found := map[string]bool{}
	for key, err := range objects.List(t.Context(), "at/") {
		if err != nil {
			t.Fatal(err)
		}
		found[key[strings.LastIndex(key, "/")+1:]] = true
	}
	if !found["MLmodel"] || !found["model.txt"] {
		t.Errorf("the bucket has %v", found)
	}

	for name, c := range map[string]struct {
		change func(*mlflow.Config)
		kind   churn.Kind
		say    string
	}{
		"wrong password": {func(c *mlflow.Config) { c.Password = "another" }, churn.Denied, "MLFLOW_TRACKING_PASSWORD"},
		"no credentials": {func(c *mlflow.Config) { c.Username, c.Password = "", "" }, churn.Denied, "MLFLOW_TRACKING_USERNAME"},
		"wrong token":    {func(c *mlflow.Config) { c.Username, c.Password, c.Token = "", "", "t" }, churn.Denied, "MLFLOW_TRACKING_TOKEN"},
		"no trust":       {func(c *mlflow.Config) { c.Transport = mlflow.Transport() }, churn.Denied, "MLFLOW_TRACKING_SERVER_CERT_PATH"},
		"no TLS":         {func(c *mlflow.Config) { c.URI = strings.Replace(c.URI, "https", "http", 1) }, churn.Transient, "MLFLOW_TRACKING_URI"},
	} {
		wrong := config
		c.change(&wrong)
		err := connect(t, wrong).Ping(t.Context())
		if !churn.IsKind(err, c.kind) || !strings.Contains(err.Error(), c.say) || strings.Contains(err.Error(), "another") {
			t.Errorf("%s: %v, want an error of kind %s that says %s", name, err, c.kind, c.say)
		}
	}
	config.Objects = nil
	_, err = mlflow.NewTracker(connect(t, config), s.store).Track(t.Context(), registry.Run{Experiment: "e", Run: "r"},
		registry.Entry{Stage: "s", Artifacts: map[string]*blob.Artifact{"a": artifactOnce(t, s.store, "a", "a")}})
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "MLFLOW_S3_ENDPOINT_URL") {
		t.Errorf("without a store to put artifacts into: %v", err)
	}
}

// With every call, uploads among them, a token is sent as a bearer token.
func token(t *testing.T, s server) {
	to, err := url.Parse(s.tracking.URI)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(to)
	proxy := httptest.NewServer(http.StripPrefix("/team", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	})))
	defer proxy.Close()
	const model = "token"
	r := mlflow.New(connect(t, mlflow.Config{URI: proxy.URL + "/team/", Token: "the-token"}), s.store, objectstore.New(s.store))
	register(t, r, s.version(t, model, "run-1"))
	promote(t, r, model, "Production", 1, 0)
	if n := s.champion(t, model); n != "1" {
		t.Errorf("the champion is %s", n)
	}
	err = connect(t, mlflow.Config{URI: proxy.URL + "/team", Token: "another-token"}).Ping(t.Context())
	if !churn.IsKind(err, churn.Denied) || strings.Contains(err.Error(), "another-token") {
		t.Errorf("with another token: %v", err)
	}
}

func tlsConfig(t *testing.T, caFile string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
