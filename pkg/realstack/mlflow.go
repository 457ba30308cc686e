package realstack

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// MLflowConfig says what tracking server is wanted.
type MLflowConfig struct {
	// ArtifactRoot, such as s3://bucket/prefix, is where clients put artifacts
	// themselves. Empty: through the server, into a folder of its own.
	ArtifactRoot string
	// Username and Password make the server ask for them.
	Username, Password string
	TLS                bool
	// Env is added to the server's environment, as NAME=value.
	Env []string
}

// Tracking is an MLflow server on a file of SQLite.
type Tracking struct {
	*Process
	URI    string // http(s)://host:port
	CAFile string // PEM file of the authority of the certificate; empty without TLS
	Python string // path of a Python that has mlflow, lightgbm, pandas, boto3, cloudevents and confluent-kafka
}

// Python returns the path of the Python of the MLflow installation.
func Python(t testing.TB) string {
	t.Helper()
	python, err := installed("mlflow/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	return python
}

// MLflow starts a tracking server.
func MLflow(t testing.TB, c MLflowConfig) *Tracking {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	m := &Tracking{URI: fmt.Sprintf("http://127.0.0.1:%d", port), Python: Python(t)}
	args := []string{
		"-m", "mlflow", "server", "--host", "127.0.0.1", "--port", fmt.Sprint(port), "--workers", "1",
		"--backend-store-uri", "sqlite:///" + filepath.Join(dir, "mlflow.db"),
	}
	if c.ArtifactRoot != "" {
		args = append(args, "--no-serve-artifacts", "--default-artifact-root", c.ArtifactRoot)
	} else {
		args = append(args, "--artifacts-destination", filepath.Join(dir, "artifacts"))
	}
	env := append(os.Environ(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true",
		"PATH="+filepath.Dir(m.Python)+":"+os.Getenv("PATH")) // it starts uvicorn by its name
	if c.Username != "" {
		args = append(args, "--app-name", "basic-auth")
		env = append(env, "MLFLOW_FLASK_SERVER_SECRET_KEY="+rand.Text(), "MLFLOW_AUTH_CONFIG_PATH="+c.authentication(t, dir))
	}
	if c.TLS {
		certs := NewCertificates(t)
		m.CAFile, m.URI = certs.CA, fmt.Sprintf("https://127.0.0.1:%d", port)
		args = append(args, "--uvicorn-opts", fmt.Sprintf("--ssl-certfile %s --ssl-keyfile %s", certs.Cert, certs.Key))
	}
	m.Process = &Process{
		name: "mlflow",
		command: func() *exec.Cmd {
			cmd := exec.Command(m.Python, args...) //nolint:gosec // the test's own
			cmd.Dir, cmd.Env = dir, append(env, c.Env...)
			return cmd
		},
		healthy: answers(m.URI+"/health", m.CAFile),
	}
	m.start(t)
	return m
}

// authentication writes the configuration of MLflow's basic authentication.
func (c MLflowConfig) authentication(t testing.TB, dir string) string {
	file := filepath.Join(dir, "auth.ini")
	text := fmt.Sprintf("[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///%s\nadmin_username = %s\nadmin_password = %s\n"+
		"authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
		filepath.Join(dir, "auth.db"), c.Username, c.Password)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
