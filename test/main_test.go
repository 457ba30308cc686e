// Package test drives the built programs as a user does, from request to
// promoted, on the embedded default.
package test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	root     string // of the repository
	churnctl string // the program, with fault points built in
	binaries string // folder of the service programs, likewise
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4") // tests mostly wait for processes
	flag.Parse()
	os.Exit(setUp(m))
}

func setUp(m *testing.M) int {
	var err error
	if root, err = filepath.Abs(".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for need, how := range map[string]string{
		"build/lightgbm":                         "make lightgbm",
		"build/realstack":                        "make realstack",
		"services/modelservice/.venv/bin/python": "make modelservice-dev",
	} {
		if _, err := os.Stat(filepath.Join(root, need)); err != nil {
			fmt.Fprintf(os.Stderr, "%s is missing: run `%s`\n", need, how)
			return 1
		}
	}
	if binaries, err = os.MkdirTemp("", "churn-bin-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	for name, pkg := range map[string]string{
		"churnctl":   "./cmd/churnctl",
		"featurizer": "./services/featurizer/cmd/featurizer",
		"trainer":    "./services/trainer/cmd/trainer",
		"evaluator":  "./services/evaluator/cmd/evaluator",
		"gate":       "./services/gate/cmd/gate",
		"notifier":   "./services/notifier/cmd/notifier",
	} {
		build := exec.Command("go", "build", "-tags", "faults", "-o", filepath.Join(binaries, name), pkg)
		build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", pkg, err, out)
			return 1
		}
	}
	churnctl = filepath.Join(binaries, "churnctl")
	return m.Run()
}
