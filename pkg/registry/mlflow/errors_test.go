package mlflow_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/mlflow"
	"github.com/asfotec/churn/pkg/registry/objectstore"
)

// What a server answers decides whether the event is to blame.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		kind   churn.Kind
		say    string
	}{
		"not there":               {404, `{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No experiment"}`, churn.NotFound, "No experiment"},
		"there already":           {400, `{"error_code": "RESOURCE_ALREADY_EXISTS", "message": "m"}`, churn.Conflict, ""},
		"a wrong parameter":       {400, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "m"}`, churn.Invalid, ""},
		"its database's refusal":  {400, `{"error_code": "BAD_REQUEST", "message": "UNIQUE constraint failed"}`, churn.Internal, "UNIQUE"},
		"who are you":             {401, "You are not authenticated", churn.Denied, "MLFLOW_TRACKING_USERNAME"},
		"not allowed":             {403, "Permission denied", churn.Internal, "MLFLOW_TRACKING_USERNAME"},
		"no such page":            {404, "<html>Not Found</html>", churn.Internal, "MLFLOW_TRACKING_URI"},
		"another place":           {302, "", churn.Internal, "redirects"},
		"too many requests":       {429, "", churn.Transient, ""},
		"its defect":              {500, "Internal Server Error", churn.Internal, ""},
		"a proxy before nothing":  {502, "<html>Bad Gateway</html>", churn.Transient, ""},
		"maintenance":             {503, "", churn.Transient, ""},
		"a proxy that waits":      {504, "", churn.Transient, ""},
		"busy, in other words":    {400, `{"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "m"}`, churn.Transient, ""},
		"a message that is huge":  {400, strings.Repeat("x", 1<<20), churn.Internal, "xxx"},
		"a message of no text":    {400, "\xff\x00\n\n", churn.Internal, ""},
		"more than anybody wants": {200, strings.Repeat(" ", 33<<20), churn.Internal, "more than"},
		"no JSON":                 {200, "<html>", churn.Internal, "MLFLOW_TRACKING_URI"},
		"other JSON":              {200, `["a"]`, churn.Internal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://elsewhere.invalid/")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			store := memory.New("churn")
			client := connect(t, mlflow.Config{URI: server.URL})
			r := mlflow.New(client, store, objectstore.New(store))
			_, err := r.ServerVersion(t.Context())
			if c.status == 200 {
				err = client.Ping(t.Context())
			}
			if !churn.IsKind(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.say) || len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("%.300q of kind %s, want %s and %q", err, churn.KindOf(err), c.kind, c.say)
			}
		})
	}
}

// A server that goes away in the middle of an answer is away, and one that is
// busy for a moment is asked again.
func TestAServerThatComesAndGoes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"runs": [`)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	if err := connect(t, mlflow.Config{URI: server.URL}).Ping(t.Context()); !churn.IsKind(err, churn.Transient) {
		t.Errorf("cut off: %v", err)
	}
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"busy":                {http.StatusServiceUnavailable, ""},
		"writers at one time": {http.StatusBadRequest, `{"error_code": "BAD_REQUEST", "message": "(sqlite3.IntegrityError) UNIQUE constraint failed"}`},
	} {
		goesOn(t, name, answer.status, answer.body)
	}
}

// goesOn checks that a server which answers so twice is asked until it answers well.
func goesOn(t *testing.T, name string, status int, body string) {
	t.Helper()
	var asked atomic.Int64
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
		_, _ = io.WriteString(w, "{}")
	}))
	if err := connect(t, mlflow.Config{URI: busy.URL}).Ping(t.Context()); err != nil || asked.Load() != 3 {
		t.Errorf("%s: %v after %d", name, err, asked.Load())
	}
	busy.Close()
	if err := connect(t, mlflow.Config{URI: busy.URL}).Ping(t.Context()); !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), "MLFLOW_TRACKING_URI") {
		t.Errorf("%s, then away: %v", name, err)
	}
}

// Whether the server is broken or the request is, another request tells. A store
// behind it that is away is nobody's fault either.
func TestWhoIsToBlame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broken string // the calls that are answered so
		status int
		body   string
		kind   churn.Kind
	}{
		"a server that is broken":  {"/", 500, "Internal Server Error", churn.Transient},
		"a request that breaks it": {"/runs/log-batch", 500, "Internal Server Error", churn.Internal},
		"no server behind a proxy": {"/", 404, "404 page not found", churn.Transient},
		"a server that is too old": {"/runs/log-batch", 404, "404 page not found", churn.Internal},
		"maintenance":              {"/", 200, "<html>", churn.Transient},
		"a token that has expired": {"/", 403, "Invalid access token", churn.Transient},
		"an experiment of others":  {"/runs/search", 403, "Permission denied", churn.Internal},
		"a store that is away":     {"/mlflow-artifacts/", 500, "Internal Server Error", churn.Transient},
		"an artifact that may not": {"/mlflow-artifacts/", 403, "Permission denied", churn.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					t.Error(err)
				}
				if strings.Contains(r.URL.Path, c.broken) {
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, c.body)
					return
				}
				_, _ = io.WriteString(w, plausible)
			}))
			defer server.Close()
			store := memory.New("churn")
			_, err := mlflow.NewTracker(connect(t, mlflow.Config{URI: server.URL}), store).Track(t.Context(), registry.Run{Experiment: "e", Run: "run-1"},
				registry.Entry{Stage: "s", Params: map[string]string{"a": "b"}, Artifacts: map[string]*blob.Artifact{"a": put(t, store, "a", "a")}})
			if !churn.IsKind(err, c.kind) {
				t.Errorf("%v, want an error of kind %s", err, c.kind)
			}
		})
	}
}

func TestNewClient(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]mlflow.Config{
		"no URI":             {},
		"a file":             {URI: "file:///x"},
		"credentials":        {URI: "http://ada:hunter2@mlflow"},
		"a query":            {URI: "http://mlflow?x=y"},
		"a user alone":       {URI: "http://mlflow", Username: "ada"},
		"a token and a user": {URI: "http://mlflow", Username: "ada", Password: "hunter2", Token: "hunter2"},
		"no workspace":       {URI: "adb.invalid", Token: "hunter2", Databricks: true},
	} {
		_, err := mlflow.NewClient(c)
		want := "MLFLOW_TRACKING_"
		if c.Databricks {
			want = "DATABRICKS_HOST"
		}
		if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
