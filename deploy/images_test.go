package deploy

import (
	"bytes"
	"debug/elf"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/asfotec/churn/pkg/stage"
)

// Bases are of one release: a version, or a distribution's own line where there is
// no other.
func TestBasesArePinned(t *testing.T) {
	t.Parallel()
	release := regexp.MustCompile(`^(scratch|(golang|python|busybox):\d+\.\d+\.\d+-[a-z-]+|gcr\.io/distroless/cc-debian12:nonroot)$`)
	for _, d := range dockerfiles(t) {
		for _, s := range d.stages {
			if !release.MatchString(s.BaseName) {
				t.Errorf("%s is built from %s", d.path, s.BaseName)
			}
		}
	}
}

// Nothing runs as root, and what runs has no shell's quoting between it and its
// signals.
func TestImagesRunAsNobody(t *testing.T) {
	t.Parallel()
	for _, d := range dockerfiles(t) {
		users := commandsOf[*instructions.UserCommand](d.final())
		if len(users) != 1 {
			t.Errorf("%s names %d users in its last stage", d.path, len(users))
			continue
		}
		uid, _, _ := strings.Cut(users[0].User, ":")
		if n, err := strconv.Atoi(uid); err != nil || n < 1000 {
			t.Errorf("%s runs as %q, which Kubernetes cannot tell from root", d.path, users[0].User)
		}
		entry := commandsOf[*instructions.EntrypointCommand](d.final())
		if len(entry) != 1 || entry[0].PrependShell {
			t.Errorf("%s starts through a shell", d.path)
		}
	}
}

// What is copied is in the context, or in a stage that comes before.
func TestCopiedFilesAreThere(t *testing.T) {
	t.Parallel()
	for _, d := range dockerfiles(t) {
		var before []string
		for _, s := range d.stages {
			for _, c := range commandsOf[*instructions.CopyCommand](s) {
				if c.From != "" {
					if !slices.Contains(before, c.From) {
						t.Errorf("%s copies from %q", d.path, c.From)
					}
					continue
				}
				for _, source := range c.SourcePaths {
					if len(under(contextFiles(t), source)) == 0 {
						t.Errorf("%s copies %s, which .dockerignore or git leaves out", d.path, source)
					}
				}
			}
			before = append(before, s.Name)
		}
	}
}

// Neither credentials nor what was built here gets into a build.
func TestContextIsClean(t *testing.T) {
	t.Parallel()
	ignored, err := dockerignore()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{".env", ".git/config", ".churn/stack.json", "bin/trainer", "build/lightgbm/4.7.0/lib_lightgbm.so",
		"services/modelservice/.venv/bin/python", "services/modelservice/modelservice/__pycache__/app.cpython-311.pyc"} {
		if drop, err := ignored.MatchesOrParentMatches(file); err != nil || !drop {
			t.Errorf("a build is given %s: %v", file, err)
		}
	}
}

// The services' build stages are one text, but for the service's name.
func TestOnePatternForGoServices(t *testing.T) {
	t.Parallel()
	var first string
	for _, s := range stage.Services() {
		d := readDockerfile(t, fmt.Sprintf("services/%s/Dockerfile", s))
		text, _, _ := strings.Cut(d.text, "\n\nFROM scratch")
		text, _, _ = strings.Cut(text, "\n\n# The library")
		text = strings.ReplaceAll(strings.TrimSuffix(text, "\nRUN mkdir -m 1777 /scratch"), string(s), "SERVICE")
		if first == "" {
			first = text
		}
		if text != first {
			t.Errorf("%s begins otherwise than the first:\n%s\n---\n%s", d.path, text, first)
		}
	}
}

// The toolchain of the images is one that every module takes.
func TestImagesHaveTheToolchain(t *testing.T) {
	t.Parallel()
	base := regexp.MustCompile(`golang:([0-9.]+)-`)
	for _, d := range dockerfiles(t) {
		for _, m := range base.FindAllStringSubmatch(d.text, -1) {
			for _, c := range commandsOf[*instructions.CopyCommand](d.stage(t, "build")) {
				for _, file := range under(contextFiles(t), c.SourcePaths[0]) {
					needed := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(read(t, inRepo(file))))
					if filepath.Base(file) == "go.mod" && version.Compare("go"+m[1], "go"+needed[1]) < 0 {
						t.Errorf("%s has Go %s, and %s needs %s", d.path, m[1], file, needed[1])
					}
				}
			}
		}
	}
}

// The build steps of each Go service, carried out in two folders on nothing but what
// is copied, make the same bytes: a program that needs no library, or the trainer,
// which needs those of its base to load LightGBM.
func TestGoServicesAreBuilt(t *testing.T) {
	t.Parallel()
	for _, s := range stage.Services() {
		t.Run(string(s), func(t *testing.T) {
			d := readDockerfile(t, fmt.Sprintf("services/%s/Dockerfile", s))
			here, there := newBuilder(t), newBuilder(t)
			first := here.binary(t, d, string(s))
			if !bytes.Equal(first, there.binary(t, d, string(s))) {
				t.Error("two builds differ")
			}
			if bytes.Contains(first, []byte(here.root)) {
				t.Error("the program holds the path of where it was built")
			}
			want := []string(nil)
			if d.final().BaseName != "scratch" {
				want = inBase
			}
			for _, library := range libraries(t, first) {
				if !slices.Contains(want, library) {
					t.Errorf("it needs %s, which %s has not", library, d.final().BaseName)
				}
			}
		})
	}
}

// inBase are the libraries of distroless/cc.
var inBase = []string{"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "libgcc_s.so.1", "libstdc++.so.6", "libgomp.so.1",
	"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}

func libraries(t *testing.T, program []byte) []string {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The trainer's stage for LightGBM finds what the script needs, and the base of its
// image has what the library needs.
func TestTrainerHasLightGBM(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob(inRepo("build/lightgbm/*/lib_lightgbm.so"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d libraries in build/lightgbm: run make lightgbm", len(found))
	}
	library := read(t, found[0])
	for _, name := range libraries(t, library) {
		if !slices.Contains(inBase, name) {
			t.Errorf("LightGBM needs %s", name)
		}
	}
	// With the library there, the script does all but fetch it.
	d, b := readDockerfile(t, "services/trainer/Dockerfile"), newBuilder(t)
	b.mkdir(t, "/src/build/lightgbm/"+filepath.Base(filepath.Dir(found[0])))
	if err := os.WriteFile(b.host("/src/build/lightgbm/"+filepath.Base(filepath.Dir(found[0]))+"/lib_lightgbm.so"), library, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range d.stage(t, "lightgbm").Commands {
		b.do(t, c)
	}
	if !bytes.Equal(read(t, b.host("/lightgbm/lib_lightgbm.so")), library) {
		t.Error("the library is another")
	}
}

// ModelService starts on nothing but what its image is given, and its requirements.
func TestModelServiceIsWhole(t *testing.T) {
	t.Parallel()
	python, err := filepath.Abs(inRepo("services/modelservice/.venv/bin/python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%v: run make modelservice", err)
	}
	b := newBuilder(t)
	for _, c := range readDockerfile(t, "services/modelservice/Dockerfile").final().Commands {
		b.do(t, c)
	}
	help := run(t, b.host("."), []string{"PYTHONPATH=" + b.host("/app"), "PYTHONDONTWRITEBYTECODE=1"}, python, "-m", "modelservice", "--help")
	if !strings.Contains(help, "KAFKA_BROKERS") {
		t.Errorf("it says %s", help)
	}
}

// The server that runs is the one that is tested: every version of the image is
// that of the tests, with digests.
func TestMLflowIsTheTested(t *testing.T) {
	t.Parallel()
	pins := func(path string) map[string]string {
		all := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+) \\\n    --hash`).FindAllStringSubmatch(string(read(t, inRepo(path))), -1) {
			all[m[1]] = m[2]
		}
		return all
	}
	image, tested := pins("deploy/images/mlflow/requirements.lock"), pins("tools/realstack/mlflow/requirements.lock")
	if image["mlflow"] == "" || image["boto3"] == "" {
		t.Fatalf("the image has no MLflow with boto3, but %d others", len(image))
	}
	for name, version := range image {
		if tested[name] != version {
			t.Errorf("the image has %s %s, the tests %q", name, version, tested[name])
		}
	}
}

// The Kafka that Compose runs is the one that is tested.
func TestKafkaIsTheTested(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`<artifactId>kafka_[0-9.]+</artifactId>\s*<version>([^<]+)`).FindSubmatch(read(t, inRepo("tools/realstack/kafka/pom.xml")))
	if image := mustLoad(t).Services["kafka"].Image; m == nil || image != "apache/kafka:"+string(m[1]) {
		t.Errorf("Compose runs %s; the tests %q", image, m)
	}
}
