package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// telco is the real file where it is there, and the generated one otherwise.
func telco() string {
	if real := filepath.Join(root, "..", "shared", "data", "telco_churn.csv"); exists(real) {
		return real
	}
	return filepath.Join(root, "data", "telco_churn.csv")
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// aStack is a state folder and the environment that commands on it run in.
type aStack struct {
	t        *testing.T
	dir      string
	env      []string
	patience time.Duration // with one command
}

func newStack(t *testing.T, env ...string) *aStack {
	return &aStack{t: t, dir: t.TempDir(), env: env, patience: 2 * time.Minute}
}

// command returns a program of the pipeline, not started.
func (s *aStack) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries, name), args...)
	cmd.Dir = root
	cmd.Env = append(cleanEnv(), "CHURN_STATE_DIR="+s.dir,
		"CHURN_LIGHTGBM="+filepath.Join(root, "build/lightgbm/4.7.0/lib_lightgbm.so"),
		"CHURN_MODELSERVICE="+filepath.Join(root, "services/modelservice"))
	cmd.Env = append(cmd.Env, s.env...)
	return cmd
}

// cleanEnv is this process's environment without the pipeline's own settings.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "CHURN_") && !strings.HasPrefix(name, "KAFKA_") &&
			!strings.HasPrefix(name, "MLFLOW_") && !strings.HasPrefix(name, "AWS_") && !strings.HasPrefix(name, "NOTIFY_") {
			env = append(env, kv)
		}
	}
	return env
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs churnctl to its end, unless patience is over before.
func (s *aStack) run(args ...string) result {
	s.t.Helper()
	cmd := s.command("churnctl", append([]string{"--env-file", ""}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	watchdog := time.AfterFunc(s.patience, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	defer watchdog.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// want runs churnctl, fails the test unless it ends with code, and decodes its
// JSON into v unless that is nil.
func (s *aStack) want(code int, v any, args ...string) result {
	s.t.Helper()
	if v != nil {
		args = append(args, "-o", "json")
	}
	r := s.run(args...)
	if r.code != code {
		s.t.Fatalf("churnctl %s: exit code %d, want %d\n%s\n%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(r.stdout), v); err != nil {
			s.t.Fatalf("churnctl %s: %v in\n%s", strings.Join(args, " "), err, r.stdout)
		}
	}
	return r
}

// modelService returns ModelService as a command, not started.
func (s *aStack) modelService(args ...string) *exec.Cmd {
	cmd := s.command("python", append([]string{"-m", "modelservice", "--env-file", "none"}, args...)...)
	cmd.Dir = filepath.Join(root, "services/modelservice")
	cmd.Path = filepath.Join(cmd.Dir, ".venv/bin/python")
	cmd.Args[0] = cmd.Path // tells Python where its packages are
	return cmd
}

// background starts a program and stops it when the test ends. Its output is
// shown if the test fails.
func (s *aStack) background(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := s.command(name, args...)
	s.start(cmd)
	return cmd
}

func (s *aStack) start(cmd *exec.Cmd) {
	s.t.Helper()
	log, err := os.CreateTemp(s.dir, "*.log")
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
			_ = cmd.Wait()
			kill.Stop()
		}
		_ = log.Close()
		if s.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			s.t.Logf("%s:\n%s", strings.Join(cmd.Args, " "), text[max(0, len(text)-8000):])
		}
	})
}

// up starts the all-in-one stack and waits until it is there.
func (s *aStack) up(args ...string) stackFile {
	s.t.Helper()
	_ = os.Remove(filepath.Join(s.dir, "stack.json"))
	s.background("churnctl", append([]string{"--env-file", "", "up"}, args...)...)
	return s.awaitStack()
}

// stackFile is what a running stack says of itself.
type stackFile struct {
	PID          int    `json:"pid"`
	Broker       string `json:"broker"`
	Store        string `json:"store"`
	Credentials  string `json:"credentials"`
	ModelService string `json:"modelservice"`
}

func (s *aStack) awaitStack() (f stackFile) {
	s.t.Helper()
	eventually(s.t, "the stack to be up", func() error {
		text, err := os.ReadFile(filepath.Join(s.dir, "stack.json"))
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &f)
	})
	return f
}

// eventually waits up to a minute for f to succeed.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeAddr returns a loopback address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runDetail is what `churnctl retrain -o json` says of a run.
type runDetail struct {
	Run       string  `json:"run"`
	Status    string  `json:"status"`
	Version   int64   `json:"version"`
	AUC       float64 `json:"auc"`
	Accuracy  float64 `json:"accuracy"`
	Champion  int64   `json:"champion_version"`
	Reason    string  `json:"reason"`
	DryRun    bool    `json:"dry_run"`
	Seconds   float64 `json:"seconds"`
	Tracking  string  `json:"tracking_run"`
	Artifacts []struct {
		Name   string `json:"name"`
		SHA256 string `json:"sha256"`
	} `json:"artifacts"`
	Rules []struct {
		Name   string `json:"name"`
		Passed bool   `json:"passed"`
	} `json:"rules"`
	Trials []trial `json:"trials"`
}

// trial is one trial of a search.
type trial struct {
	Trial    int32   `json:"trial"`
	Rung     int32   `json:"rung"`
	AUC      float64 `json:"auc"`
	Failure  string  `json:"failure"`
	Winner   bool    `json:"winner"`
	Settings struct {
		Leaves string `json:"num_leaves"`
		Rate   string `json:"learning_rate"`
	} `json:"settings"`
}

// digests returns the digest of each artifact by name.
func (d runDetail) digests() map[string]string {
	m := map[string]string{}
	for _, a := range d.Artifacts {
		m[a.Name] = a.SHA256
	}
	return m
}

// request is a request with a fixed id and time, so that two stacks can be
// given the same.
func request(id string, more ...string) []string {
	return append([]string{"retrain", "--data", telco(), "--request-id", id, "--request-time", "2026-01-31T12:00:00Z", "--git-sha", "abc", "--requested-by", "test"}, more...)
}

// writeCSV writes content to a file of the test's.
func writeCSV(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// telcoLines returns the header and the rows of the Telco file.
func telcoLines(t *testing.T) (header string, rows []string) {
	t.Helper()
	text, err := os.ReadFile(telco())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")), "\n")
	return lines[0], lines[1:]
}

func atLeast(t *testing.T, name string, got, want float64) {
	t.Helper()
	if got < want {
		t.Errorf("%s is %.4f, want at least %.2f", name, got, want)
	}
}
