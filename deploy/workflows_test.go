package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// workflow is what of one is checked beside what actionlint does.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]job
}

type job struct {
	Needs       any
	Environment string
	Timeout     int `json:"timeout-minutes"`
	Env         map[string]string
	Strategy    struct{ Matrix map[string][]string }
	Steps       []struct {
		Uses, Run string
		Env       map[string]string
	}
}

func readWorkflow(t *testing.T, name string) workflow {
	t.Helper()
	var w workflow
	if err := readYAML(inRepo(".github/workflows/"+name), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// actionlint, as it is run by hand, finds nothing.
func TestWorkflowsAreLinted(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(inRepo(".github/workflows/*.yml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v: %v", files, err)
	}
	args := []string{"tool", "actionlint", "-no-color", "-shellcheck=", "-pyflakes="}
	for _, file := range files {
		absolute, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, absolute)
	}
	run(t, "tools/actionlint", []string{"GOWORK=off"}, "go", args...)
}

// Actions are of one commit, and jobs may do no more than they must, end, and put
// nothing that people write into a script.
func TestWorkflowsAreLeastPrivileged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ci.yml", "retrain.yml"} {
		w := readWorkflow(t, name)
		for scope, access := range w.Permissions {
			if access != "read" {
				t.Errorf("%s may %s %s", name, access, scope)
			}
		}
		if len(w.Permissions) == 0 {
			t.Errorf("%s has what permissions the repository gives", name)
		}
		for id, j := range w.Jobs {
			if j.Timeout == 0 {
				t.Errorf("%s: %s may run for six hours", name, id)
			}
			for _, s := range j.Steps {
				if s.Uses != "" && !regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40}$`).MatchString(s.Uses) {
					t.Errorf("%s: %s uses %s", name, id, s.Uses)
				}
				if strings.Contains(s.Run, "${{") {
					t.Errorf("%s: %s puts an expression into a script: %s", name, id, s.Run)
				}
			}
		}
		for line := range strings.Lines(string(read(t, inRepo(".github/workflows/"+name)))) {
			if strings.Contains(line, "uses:") && !regexp.MustCompile(`# v\d+\.\d+\.\d+$`).MatchString(strings.TrimSpace(line)) {
				t.Errorf("%s does not say which release: %s", name, line)
			}
		}
	}
}

// CI runs what .ci/run runs, and nothing less.
func TestCIRunsWhatMustPass(t *testing.T) {
	t.Parallel()
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^make (\w+)$`).FindAllStringSubmatch(string(read(t, inRepo(".ci/run"))), -1) {
		want = append(want, m[1])
	}
	got := readWorkflow(t, "ci.yml").Jobs["check"].Strategy.Matrix["target"]
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("CI runs %v; .ci/run %v", got, want)
	}
}

// Nothing is trained for good before a person has approved, and what is approved is
// what was tried: the same request but for --dry-run.
func TestARetrainIsApproved(t *testing.T) {
	t.Parallel()
	jobs := readWorkflow(t, "retrain.yml").Jobs
	if jobs["approval"].Needs != "dry-run" || jobs["retrain"].Needs != "approval" || jobs["approval"].Environment != "churn-approval" {
		t.Errorf("the order is %+v", jobs)
	}
	last := func(name string) (string, map[string]string) {
		s := jobs[name].Steps[len(jobs[name].Steps)-1]
		return s.Run, s.Env
	}
	tried, with := last("dry-run")
	done, same := last("retrain")
	if tried != done+" --dry-run" || !maps.Equal(with, same) || !maps.Equal(jobs["dry-run"].Env, jobs["retrain"].Env) {
		t.Errorf("%s with %v is approved, and %s with %v done", tried, with, done, same)
	}
	if env := jobs["approval"].Env; len(env) > 0 {
		t.Errorf("who approves is given %v", slices.Sorted(maps.Keys(env)))
	}
	for name := range jobs["retrain"].Env {
		if name != "GIT_SHA" && !slices.Contains(settingsOf(t, "churnctl"), name) {
			t.Errorf("churnctl does not know %s", name)
		}
	}
}

// The script says what churnctl takes: of what it is given only the broker's name is
// wrong, which churnctl finds after its flags. The summary says that the run has not
// ended, and what to do. Without a broker's name it does not begin.
func TestRetrainScript(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(inRepo("bin/churnctl")); err != nil {
		t.Fatalf("%v: run make build", err)
	}
	script := func(brokers string, args ...string) (code int, output, summary string) {
		t.Helper()
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, inRepo(".github/retrain.sh"), args...)
		cmd.WaitDelay = time.Second
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GITHUB_RUN_ID=1", "GITHUB_ACTOR=ada", "GITHUB_STEP_SUMMARY=" + dir + "/summary",
			"KAFKA_BROKERS=" + brokers, "MLFLOW_S3_ENDPOINT_URL=http://127.0.0.1:1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
			"CHURN_BUCKET=churn", "REQUEST_TIME=2026-01-02T03:04:05Z", "DATA=s3://churn/a.csv", "REASON=new data; $(reboot)", "LEARNING_RATE=0.05",
			"NUM_LEAVES=64", "MIN_AUC=0.82", "MIN_ACCURACY=0.78", "TIMEOUT=1s",
		}
		out, err := cmd.CombinedOutput()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		text, err := os.ReadFile(dir + "/summary")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out), string(text)
	}
	for _, args := range [][]string{nil, {"--dry-run"}} {
		code, output, summary := script("nonsense", args...)
		if code == 0 || !strings.Contains(output, "KAFKA_BROKERS") || !strings.Contains(summary, fmt.Sprintf("Not ended (exit code %d)", code)) {
			t.Errorf("%v: exit code %d, the summary %q, the output %s", args, code, summary, output)
		}
	}
	if code, output, _ := script(""); code == 0 || !strings.Contains(output, "KAFKA_BROKERS") {
		t.Errorf("without a broker: exit code %d, %s", code, output)
	}
}
