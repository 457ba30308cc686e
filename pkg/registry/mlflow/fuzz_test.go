package mlflow_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/mlflow"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/registry/registrytest"
	"github.com/asfotec/churn/pkg/soak"
)

// plausible is an answer to every call: of the run run-1 and of its version, as
// they would be there.
const plausible = `{
	"experiment": {"experiment_id": "1", "lifecycle_stage": "active"},
	"run": {"info": {"run_id": "abc", "lifecycle_stage": "active", "artifact_uri": "mlflow-artifacts:/1/abc/artifacts"}, "data": {"tags": [{"key": "churn.run", "value": "run-1"}]}},
	"runs": [{"info": {"run_id": "abc", "lifecycle_stage": "active", "artifact_uri": "mlflow-artifacts:/1/abc/artifacts"}, "data": {"tags": [{"key": "churn.run", "value": "run-1"}]}}],
	"model_versions": [{"version": "7", "current_stage": "None", "tags": [{"key": "churn.run", "value": "run-1"}, {"key": "churn.version", "value": "1"}]}],
	"registered_model": {"aliases": [{"alias": "champion", "version": "7"}]}
}`

// instead returns the plausible answer with some of it changed.
func instead(old, changed string) string { return strings.ReplaceAll(plausible, old, changed) }

// always is a server that answers the same, without a network: there are more
// calls than a machine has ports.
type always struct {
	status int
	body   string
}

func (a always) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, r.Body.Close()
}

// No answer of a server makes a client panic or go on for ever, and whatever it
// gets through to the end with has an id that is one.
func FuzzAnswers(f *testing.F) {
	for _, answer := range []string{
		plausible, `{}`, `null`, ``, `[]`, "\x00", `{"runs": [null], "run": null, "model_versions": [null], "experiment": null, "registered_model": {"aliases": [null]}}`,
		instead(`"experiment":`, `"next_page_token": "again", "experiment":`),
		instead(`"abc"`, `""`), instead(`"abc"`, `"../../abc?x=y"`), instead(`"abc"`, `"`+strings.Repeat("a", 1000)+`"`),
		instead(`"active"`, `"deleted"`), instead(`"run-1"`, `"run-2"`),
		instead(`mlflow-artifacts:/1`, `mlflow-artifacts://elsewhere/1`), instead(`mlflow-artifacts:/1`, `s3://bucket/1`),
		instead(`mlflow-artifacts:/1`, `file:///1`), instead(`mlflow-artifacts:/1`, `mlflow-artifacts:/../..`), instead(`mlflow-artifacts:/1/abc/artifacts`, `%zz`),
		instead(`"value": "1"`, `"value": "2"`), instead(`"value": "1"`, `"value": "9223372036854775807"`), instead(`"value": "1"`, `"value": "-1"`),
		instead(`"7"`, `"-9223372036854775808"`), instead(`"7"`, `"none"`),
	} {
		f.Add(http.StatusOK, answer)
	}
	for _, answer := range []string{`{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "\u001b[2J"}`, `{"error_code": "RESOURCE_ALREADY_EXISTS"}`, `<html>`, ``} {
		for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusFound, 0} {
			f.Add(status, answer)
		}
	}
	id := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$`)
	soak.Fuzz(f, func(t *testing.T, status int, answer string) {
		store := memory.New("churn")
		client := connect(t, mlflow.Config{URI: "http://mlflow", Transport: always{status, answer}})
		v := registrytest.Version(t, store, "fuzz", "run-1")
		errs := map[string]error{}
		got, err := mlflow.NewTracker(client, store).Track(t.Context(), registry.Run{Experiment: "fuzz", Run: "run-1"},
			registry.Entry{Stage: "trainer", Params: map[string]string{"a": "b"}, Artifacts: map[string]*blob.Artifact{"model.txt": v.Artifact}})
		if errs["track"] = err; err == nil && !id.MatchString(got) {
			t.Errorf("the id is %q", got)
		}
		r := mlflow.New(client, store, objectstore.New(store))
		v, errs["register"] = r.Register(t.Context(), v)
		_, errs["promote"] = r.Promote(t.Context(), registry.Champion{Model: "fuzz", Stage: "Production", Version: 1, Run: "run-1", Cause: "e"}, 0)
		if errs["register"] == nil && v.Version != 1 {
			t.Errorf("version %d", v.Version)
		}
		for what, err := range errs {
			if err != nil && (len(err.Error()) > 4000 || strings.ContainsAny(err.Error(), "\x00\n")) {
				t.Errorf("%s: %q", what, err)
			}
			if answer == plausible && status == http.StatusOK && err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
