package fault_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// build compiles the program that passes points.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "passes")
	cmd := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "./testdata/passes")...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return program
}

// passed runs the program through some points; it returns those that were passed
// and whether it was killed.
func passed(t *testing.T, program string, env ...string) (points string, killed bool) {
	t.Helper()
	cmd := exec.Command(program, "trainer.received", "trainer.handled", "trainer.handled", "gate.handled")
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	}
	if err != nil && !killed {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text)), " "), killed
}

const all = "trainer.received trainer.handled trainer.handled gate.handled"

func TestPointsKill(t *testing.T) {
	program := build(t, "-tags", "faults")
	for setting, want := range map[string]string{
		"":                   all,
		"trainer.other:1":    all,
		"trainer":            all,
		"trainer.received":   "",
		"trainer.received:1": "",
		"trainer.handled:1":  "trainer.received",
		"trainer.handled:2":  "trainer.received trainer.handled",
		"trainer.handled:3":  all,
		"trainer.handled:x":  "trainer.received",
		"gate.handled:1":     "trainer.received trainer.handled trainer.handled",
	} {
		points, killed := passed(t, program, "CHURN_FAULT="+setting)
		if points != want || killed != (want != all) {
			t.Errorf("%q: passed %q, killed %v", setting, points, killed)
		}
	}
	trace := filepath.Join(t.TempDir(), "trace")
	passed(t, program, "CHURN_FAULT=gate.handled", "CHURN_FAULT_TRACE="+trace)
	if text, err := os.ReadFile(trace); err != nil || strings.Join(strings.Fields(string(text)), " ") != all {
		t.Errorf("the trace is %q, %v", text, err)
	}
	marker := "CHURN_FAULT_ONCE=" + filepath.Join(t.TempDir(), "marker")
	for i := range 3 {
		if _, killed := passed(t, program, "CHURN_FAULT=gate.handled", marker); killed != (i == 0) {
			t.Errorf("start %d: killed %v", i, killed)
		}
	}
}

// In normal builds the environment arms nothing.
func TestPointsDoNothingInNormalBuilds(t *testing.T) {
	if points, killed := passed(t, build(t), "CHURN_FAULT=trainer.received"); points != all || killed {
		t.Errorf("passed %q, killed %v", points, killed)
	}
}
