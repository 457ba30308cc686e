package mlflow_test

import (
	"io"
	"net"
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
)

// uploads is a server that notes what is put to it.
type uploads struct {
	*httptest.Server
	connections atomic.Int64
	whole       chan string // bodies that came to their end
}

func newUploads(t *testing.T) *uploads {
	s := &uploads{whole: make(chan string, 100)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && r.Method == http.MethodPut {
			s.whole <- string(body)
		}
		_, _ = io.WriteString(w, plausible)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// upload tracks a run that has the artifact.
func (s *uploads) upload(t *testing.T, store blob.Store, artifact *blob.Artifact) error {
	t.Helper()
	client := connect(t, mlflow.Config{URI: s.URL, Transport: mlflow.Transport()})
	_, err := mlflow.NewTracker(client, store).Track(t.Context(), registry.Run{Experiment: "e", Run: "run-1"},
		registry.Entry{Stage: "s", Artifacts: map[string]*blob.Artifact{"a": artifact, "b": artifact}})
	return err
}

// An upload is over with its body: what comes next goes over the same connection.
func TestUploads(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"nothing": "", "a byte": "x", "text": "a tree", "much": strings.Repeat("x", 3<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, store := newUploads(t), memory.New("churn")
			if err := s.upload(t, store, put(t, store, "a", text)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got := <-s.whole; got != text {
					t.Errorf("%d bytes arrive of %d", len(got), len(text))
				}
			}
			if n := s.connections.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// An object that is not what its artifact says is the event's fault, not the
// server's, and never arrives whole.
func TestDamagedArtifact(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*blob.Artifact){
		"another digest": func(a *blob.Artifact) { a.Sha256 = strings.Repeat("0", 64) },
		"shorter":        func(a *blob.Artifact) { a.Size++ },
		"longer":         func(a *blob.Artifact) { a.Size-- },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, store := newUploads(t), memory.New("churn")
			a := put(t, store, "a", "a tree")
			damage(a)
			if err := s.upload(t, store, a); !churn.IsKind(err, churn.Invalid) {
				t.Errorf("%v, want an error of kind %s", err, churn.Invalid)
			}
			if len(s.whole) > 0 {
				t.Errorf("%q arrived", <-s.whole)
			}
		})
	}
}
