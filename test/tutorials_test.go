package test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
)

// The tutorials do what they say: their code runs, unchanged, against a stack.
func TestTutorials(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	stack := s.up("--serve=false")
	const named = "2026-01-31-nightly" // the request's id in each of them

	t.Run("shell", func(t *testing.T) {
		text := regexp.MustCompile(`(?m)^\{"specversion".*\}$`).FindString(tutorial(t, "shell.md"))
		publishStructured(t, stack.Broker, withID(text, named, "from-the-shell"))
		s.ended(t, "from-the-shell")
	})
	t.Run("python", func(t *testing.T) {
		code := withID(block(t, "python.md", "python"), named, "from-python")
		folder := t.TempDir() // with the stack's file where the tutorial looks for it
		if err := os.Symlink(s.dir, filepath.Join(folder, ".churn")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python(), "-c", code)
		cmd.Dir = folder
		output(t, cmd)
		s.ended(t, "from-python")
	})
	t.Run("go", func(t *testing.T) {
		folder, err := os.MkdirTemp(filepath.Join(root, "test"), "tutorial-") // within a module that has what it imports
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		code := withID(block(t, "go.md", "go"), named, "from-go")
		if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "run", ".")
		cmd.Dir, cmd.Env = folder, append(cleanEnv(), "CGO_ENABLED=0", "KAFKA_BROKERS="+stack.Broker)
		output(t, cmd)
		s.ended(t, "from-go")
	})
	t.Run("consume", func(t *testing.T) {
		code := fmt.Sprintf("BROKER = %q\n%s", stack.Broker, strings.ReplaceAll(block(t, "consume.md", "python"), "print(", "print(flush=True, *("))
		code = strings.ReplaceAll(code, "metrics.auc)", "metrics.auc,))")
		cmd := exec.Command(python(), "-c", code)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(root, "proto/gen/python"))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err != nil || !strings.Contains(line, "churn-classifier 1 s3://churn/runs/"+churn.RunID("from-the-shell")) {
			t.Errorf("the consumer printed %q, %v", line, err)
		}
	})
}

func tutorial(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/tutorials", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block returns the first block of code in a language.
func block(t *testing.T, name, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(tutorial(t, name), "```"+language+"\n")
	code, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("%s has no block of %s", name, language)
	}
	return code
}

func withID(text, id, other string) string { return strings.ReplaceAll(text, id, other) }

func python() string { return filepath.Join(root, "services/modelservice/.venv/bin/python") }

func output(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// publishStructured publishes an event as one JSON text, as kcat does.
func publishStructured(t *testing.T, broker, text string) {
	t.Helper()
	b, err := kafka.New(kafka.Config{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	err = b.Publish(t.Context(), bus.Record{
		Topic: churn.RetrainRequested.Name(churn.DefaultPrefix), Key: []byte("churn-classifier"), Value: []byte(text),
		Headers: []bus.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ended waits until the run of the request has been promoted or rejected: a
// later tutorial's model meets an earlier one's as the champion.
func (s *aStack) ended(t *testing.T, request string) {
	t.Helper()
	of := *s
	of.t = t
	eventually(t, "the run of "+request, func() error {
		var runs []runDetail
		of.want(0, &runs, "runs")
		for _, r := range runs {
			if r.Run == churn.RunID(request) && (r.Status == "promoted" || r.Status == "rejected") {
				return nil
			}
		}
		return fmt.Errorf("runs: %+v", runs)
	})
}
