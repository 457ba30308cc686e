package test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// On Apache Kafka, MinIO and MLflow a run ends as on the embedded default, byte
// for byte, and MLflow has all that the Python pipeline used to leave there.
func TestOnRealParts(t *testing.T) {
	t.Parallel()
	embedded := newStack(t)
	var want, got runDetail
	embedded.want(0, &want, request("same")...)

	parts := startParts(t)
	s := parts.stack(t, "")
	url := s.serve()
	s.want(0, &got, request("same")...)
	if got.Status != "promoted" || got.Version != 1 || len(got.digests()) < 15 || !maps.Equal(got.digests(), want.digests()) {
		t.Errorf("status %s, version %d; digests differ:\n%v\n%v", got.Status, got.Version, want.digests(), got.digests())
	}
	compareStreams(t, unique(embedded.stream()), unique(s.stream()))
	awaitVersion(t, url, 1)

	t.Run("MLflow", func(t *testing.T) { parts.inProduction(t, got, url) })
	t.Run("structured", func(t *testing.T) { structured(t, parts, want) })
}

// serve starts ModelService and returns its address.
func (s realStack) serve() string {
	addr := freeAddr(s.t)
	port := addr[strings.LastIndex(addr, ":")+1:]
	s.start(s.modelService("--port", port))
	return "http://" + addr
}

// production is what mlflow_production.py says.
type production struct {
	Versions []struct {
		Version int64             `json:"version"`
		Stage   string            `json:"stage"`
		Tags    map[string]string `json:"tags"`
	} `json:"versions"`
	Champion   int64              `json:"champion"`
	Experiment string             `json:"experiment"`
	Runs       []string           `json:"runs"`
	Run        string             `json:"run"`
	Params     map[string]string  `json:"params"`
	Metrics    map[string]float64 `json:"metrics"`
	Tags       map[string]string  `json:"tags"`
	Iterations int                `json:"iterations"`
	Artifacts  []string           `json:"artifacts"`
	ByStage    []float64          `json:"by_stage"`
	ByAlias    []float64          `json:"by_alias"`
}

// production asks MLflow, in Python, what it has in production.
func (p realParts) production(t *testing.T, model string, rows int) (answer production) {
	t.Helper()
	cmd := exec.Command(p.mlflow.Python, filepath.Join(root, "test/mlflow_production.py"), model, telco(), fmt.Sprint(rows)) //nolint:gosec // the test's own
	cmd.Env = append(cleanEnv(), "MLFLOW_TRACKING_URI="+p.mlflow.URI)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return answer
}

// inProduction checks what MLflow has of the first promoted run.
func (p realParts) inProduction(t *testing.T, d runDetail, modelService string) {
	const rows = 50
	m := p.production(t, "churn-classifier", rows)
	if len(m.Versions) != 1 || m.Versions[0].Stage != "Production" || m.Champion != 1 || !slices.Equal(m.Runs, []string{m.Run}) {
		t.Errorf("versions %+v, champion %d, runs %v of which %s is in production", m.Versions, m.Champion, m.Runs, m.Run)
	}
	if m.Run != d.Tracking || m.Experiment != "asfotec-churn" {
		t.Errorf("the run is %s of experiment %s, and churnctl printed %s", m.Run, m.Experiment, d.Tracking)
	}
	for where, tags := range map[string]map[string]string{"the version": m.Versions[0].Tags, "the run": m.Tags} {
		if tags["git_sha"] != "abc" || tags["timestamp"] != "2026-01-31T12:00:00Z" || tags["churn.run"] != d.Run {
			t.Errorf("tags of %s: %v", where, tags)
		}
	}
	for _, tag := range []string{"trees_sha256", "event_id", "run_id"} {
		if m.Versions[0].Tags[tag] == "" {
			t.Errorf("the version has no tag %s: %v", tag, m.Versions[0].Tags)
		}
	}
	for _, suffix := range []string{"/preprocessor.json", "/model.txt", "/importances.png", "/evaluation.json", "/decision.json", "/training.json", "model/MLmodel"} {
		if !slices.ContainsFunc(m.Artifacts, func(a string) bool { return strings.HasSuffix(a, suffix) }) {
			t.Errorf("no artifact %s among %v", suffix, m.Artifacts)
		}
	}
	if m.Params["num_leaves"] != "64" || m.Params["learning_rate"] != "0.05" || m.Iterations < 10 {
		t.Errorf("parameters %v, and the AUC of %d iterations", m.Params, m.Iterations)
	}
	for _, metric := range []string{"auc", "accuracy", "f1"} {
		if m.Metrics[metric] == 0 {
			t.Errorf("no metric %s: %v", metric, m.Metrics)
		}
	}
	sameScores(t, "by alias", m.ByAlias, m.ByStage)
	for i, score := range m.ByStage {
		a, err := ask(modelService, jsonRow(t, i))
		if err != nil || math.Abs(a.Predictions[0].Probability-score) > agreement {
			t.Fatalf("row %d: ModelService says %+v, %v; MLflow %v", i, a, err, score)
		}
	}
	if len(m.ByStage) != rows {
		t.Errorf("%d scores, not %d", len(m.ByStage), rows)
	}
}

// structured checks that someone else's event is taken up: sent in structured
// JSON by the official CloudEvents SDK and librdkafka, it is the run that the
// binary one is, whichever comes first.
func structured(t *testing.T, p realParts, want runDetail) {
	s := p.stack(t, "structured")
	s.want(0, nil, request("data", "--dry-run", "--register-name", "dry")...) // uploads it
	digest, size := sum(t, telco())
	data := fmt.Sprintf(`{"dataset": {"uri": "s3://structured/datasets/%[1]s.csv", "sha256": "%[1]s", "size": "%[2]d", "media_type": "text/csv"},
		"model": "structured", "experiment": "structured", "split": {}, "training": {}, "gate": {}, "git_sha": "abc", "requested_by": "test"}`, digest, size)
	publish := exec.Command(p.mlflow.Python, filepath.Join(root, "test/publish_structured.py"), p.kafka.Addr, "structured.retrain-requested", //nolint:gosec // the test's own
		`{"id": "same", "source": "/someone/else", "type": "com.asfotec.churn.retrain-requested.v1",
		  "datacontenttype": "application/json", "partitionkey": "structured", "time": "2026-01-31T12:00:00Z"}`, data)
	output(t, publish)
	s.ended(t, "same")
	var d runDetail
	s.want(0, &d, "show", want.Run)
	for _, name := range []string{"featurizer/preprocessor.json", "trainer/model.txt"} {
		if d.Status != "promoted" || d.digests()[name] == "" || d.digests()[name] != want.digests()[name] {
			t.Errorf("status %s; %s is %q, and %q of the binary event", d.Status, name, d.digests()[name], want.digests()[name])
		}
	}
	output(t, exec.Command(publish.Path, publish.Args[1:]...)) //nolint:gosec // the test's own
	s.want(0, &d, request("same")...)
	var runs []runDetail
	s.want(0, &runs, "runs")
	if d.Run != want.Run || d.Version != 1 || len(runs) != 2 {
		t.Errorf("sent again, in both modes: run %s version %d of %d runs", d.Run, d.Version, len(runs))
	}
}

// outage is how long a part stays away.
const outage = 30 * time.Second

// A part that is stopped in the middle of a run, and started again, costs time
// and nothing else.
func TestOutages(t *testing.T) {
	t.Parallel()
	parts := startParts(t)
	for name, part := range map[string]interface {
		Stop()
		Start() error
	}{"mlflow": parts.mlflow, "minio": parts.store, "kafka": parts.kafka} {
		t.Run(name, func(t *testing.T) {
			s := parts.stack(t, "away-"+name)
			s.want(0, nil, request("first", "--dry-run")...) // all are at work
			trainer := s.processes["trainer"].Process
			signal(t, trainer, syscall.SIGSTOP) // so that the run is in the middle
			s.want(0, nil, request("same", "--wait=false")...)
			eventually(t, "the features", func() error {
				if events := s.want(0, nil, "events", "features-ready", "--run", churn.RunID("same"), "-o", "json").stdout; events == "" {
					return fmt.Errorf("none")
				}
				return nil
			})
			part.Stop()
			signal(t, trainer, syscall.SIGCONT)
			time.Sleep(outage)
			if err := part.Start(); err != nil {
				t.Fatal(err)
			}
			s.promotedOnce(t)
			if m := parts.production(t, "away-"+name, 1); len(m.Versions) != 1 || m.Champion != 1 {
				t.Errorf("MLflow has %+v", m.Versions)
			}
		})
	}
}

// promotedOnce checks that the request ends promoted, as one version, with no
// dead letter.
func (s realStack) promotedOnce(t *testing.T) {
	t.Helper()
	var d runDetail
	s.want(0, &d, request("same")...)
	var versions []struct{}
	s.want(0, &versions, "models")
	if d.Status != "promoted" || d.Version != 1 || len(versions) != 1 {
		t.Errorf("status %s, version %d of %d", d.Status, d.Version, len(versions))
	}
	for _, service := range services {
		if letters := s.want(0, nil, "events", "dlq."+service, "-o", "json").stdout; letters != "" {
			t.Errorf("dead letters of the %s: %s", service, letters)
		}
	}
}

// sum returns a file's SHA-256 and its size.
func sum(t *testing.T, path string) (digest string, size int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := sha256.Sum256(text)
	return hex.EncodeToString(d[:]), len(text)
}

func signal(t *testing.T, p *os.Process, s syscall.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}
