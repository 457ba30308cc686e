package embedded_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// workspace is the folder above the modules. It is found before a store changes
// the working directory.
var workspace = func() string {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		panic(err)
	}
	return dir
}()

// heavy are the modules and packages that no service has any use for.
var heavy = []string{
	"github.com/asfotec/churn/pkg/embedded",
	"github.com/twmb/franz-go",
	"github.com/versity/versitygw",
}

// Service binaries are small and start no broker: of the programs, churnctl alone
// links the embedded parts.
func TestServicesDoNotLinkIt(t *testing.T) {
	commands, err := filepath.Glob(filepath.Join(workspace, "services", "*", "cmd", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(commands) < 4 {
		t.Fatalf("found the services %q, not all four", commands)
	}
	for _, dir := range commands {
		for _, dep := range dependencies(t, dir) {
			for _, h := range heavy {
				if dep == h || strings.HasPrefix(dep, h+"/") {
					t.Errorf("%s links %s", filepath.Base(dir), dep)
				}
			}
		}
	}
	churnctl := strings.Join(dependencies(t, filepath.Join(workspace, "cmd", "churnctl")), "\n")
	for _, h := range heavy {
		if !strings.Contains(churnctl, h) {
			t.Errorf("churnctl does not link %s: this test looks for the wrong thing", h)
		}
	}
}

// dependencies lists the packages that the command in dir is built from.
func dependencies(t *testing.T, dir string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
	list.Dir = dir
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v", dir, err)
	}
	return strings.Fields(string(out))
}
