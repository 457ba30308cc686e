package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// dockerfile is one as BuildKit reads it.
type dockerfile struct {
	path   string // from the repository's root
	text   string
	stages []instructions.Stage
}

// dockerfiles returns every Dockerfile of the repository.
func dockerfiles(t *testing.T) []dockerfile {
	t.Helper()
	var all []dockerfile
	for _, file := range contextFiles(t) {
		if path.Base(file) == "Dockerfile" {
			all = append(all, readDockerfile(t, file))
		}
	}
	if len(all) < 7 {
		t.Fatalf("only %d Dockerfiles", len(all))
	}
	return all
}

// readDockerfile reads one; what BuildKit's linter has to say is an error.
func readDockerfile(t *testing.T, file string) dockerfile {
	t.Helper()
	text := read(t, inRepo(file))
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	warn := func(rule, description, _, message string, at []parser.Range) {
		t.Errorf("%s:%d: %s: %s (%s)", file, at[0].Start.Line, rule, message, description)
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn}))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return dockerfile{file, string(text), stages}
}

func (d dockerfile) stage(t *testing.T, name string) instructions.Stage {
	t.Helper()
	i := slices.IndexFunc(d.stages, func(s instructions.Stage) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("%s has no stage %q", d.path, name)
	}
	return d.stages[i]
}

func (d dockerfile) final() instructions.Stage { return d.stages[len(d.stages)-1] }

// commandsOf returns the stage's instructions of one kind.
func commandsOf[T any](s instructions.Stage) []T {
	var found []T
	for _, c := range s.Commands {
		if typed, ok := c.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// contextFiles are the files that a build is given: what git keeps, or would, less
// what .dockerignore names.
func contextFiles(t *testing.T) []string {
	t.Helper()
	files, err := buildContext()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var buildContext = sync.OnceValues(func() ([]string, error) {
	ignored, err := dockerignore()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var files []string
	for file := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		drop, err := ignored.MatchesOrParentMatches(file)
		if err != nil {
			return nil, err
		}
		if _, err := os.Lstat(inRepo(file)); err == nil && !drop {
			files = append(files, file)
		}
	}
	return files, nil
})

func dockerignore() (*patternmatcher.PatternMatcher, error) {
	f, err := os.Open("../.dockerignore")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return patternmatcher.New(patterns)
}

// builder carries out a stage's instructions below a folder instead of in a
// container: COPY from the context, RUN with the machine's own tools.
type builder struct {
	root    string // stands for /
	workdir string
	env     []string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	return &builder{root: t.TempDir(), workdir: "/", env: []string{"TARGETOS=linux", "TARGETARCH=" + runtime.GOARCH}}
}

// do carries out one instruction; those that say how the image runs do nothing.
func (b *builder) do(t *testing.T, command instructions.Command) {
	t.Helper()
	switch c := command.(type) {
	case *instructions.WorkdirCommand:
		b.workdir = b.abs(c.Path)
		b.mkdir(t, b.workdir)
	case *instructions.EnvCommand:
		for _, kv := range c.Env {
			b.env = append(b.env, kv.Key+"="+kv.Value)
		}
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			if a.Value != nil {
				b.env = append(b.env, a.Key+"="+*a.Value)
			}
		}
	case *instructions.CopyCommand:
		if c.From == "" {
			b.copy(t, c.SourcePaths, c.DestPath)
		}
	case *instructions.RunCommand:
		b.run(t, strings.Join(c.CmdLine, " "))
	}
}

func (b *builder) abs(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(b.workdir, p)
}

// host returns where a path of the image is on this machine.
func (b *builder) host(p string) string { return filepath.Join(b.root, filepath.FromSlash(b.abs(p))) }

func (b *builder) mkdir(t *testing.T, p string) {
	t.Helper()
	if err := os.MkdirAll(b.host(p), 0o755); err != nil {
		t.Fatal(err)
	}
}

// copy copies files, and what folders hold, from the context.
func (b *builder) copy(t *testing.T, sources []string, dest string) {
	t.Helper()
	folder := strings.HasSuffix(dest, "/") || dest == "." || len(sources) > 1
	for _, source := range sources {
		for _, file := range under(contextFiles(t), source) {
			to := dest
			switch {
			case file != source:
				to = path.Join(dest, strings.TrimPrefix(file, source+"/"))
			case folder:
				to = path.Join(dest, path.Base(file))
			}
			b.mkdir(t, path.Dir(b.abs(to)))
			info, err := os.Stat(inRepo(file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(b.host(to), read(t, inRepo(file)), info.Mode().Perm()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// under returns the files that are source, or within it.
func under(files []string, source string) []string {
	var found []string
	for _, file := range files {
		if file == source || strings.HasPrefix(file, source+"/") {
			found = append(found, file)
		}
	}
	return found
}

// run runs a command. What it names below /out and /lightgbm is below the root.
func (b *builder) run(t *testing.T, command string) {
	t.Helper()
	for _, p := range []string{"/out", "/lightgbm"} {
		command = strings.ReplaceAll(command, " "+p, " "+b.root+p)
	}
	run(t, b.host("."), append(b.env, "GOFLAGS="), "sh", "-c", command)
}

// binary returns the program that a Go service's build stage makes.
func (b *builder) binary(t *testing.T, d dockerfile, service string) []byte {
	t.Helper()
	for _, c := range d.stage(t, "build").Commands {
		if r, ok := c.(*instructions.RunCommand); ok && !strings.Contains(strings.Join(r.CmdLine, " "), "go build") {
			continue // makes folders
		}
		b.do(t, c)
	}
	return read(t, b.host("/out/"+service))
}
