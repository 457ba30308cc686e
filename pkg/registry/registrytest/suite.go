// Package registrytest is what every registry.Registry and registry.Tracker must
// do, as one test each.
package registrytest

import (
	"bytes"
	"crypto/rand"
	"embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// racers is how many do the same thing at once.
const racers = 16

// hostile are names that must be refused, whatever they would name.
var hostile = []string{
	"", ".", "..", "../m", "/m", "a/b", `a\b`, ".hidden", "-dash", "a b", "a\n", "a\x00b", "ü", "\xff",
	"%2e%2e", "a%2fb", "a?b", "a*", strings.Repeat("a", 129),
}

// names returns a function that makes names of this test alone: what is tested
// may be shared with other tests.
func names() func(string) string {
	id := strings.ToLower(rand.Text()[:8])
	return func(name string) string { return name + "-" + id }
}

//go:embed testdata
var testdata embed.FS

// Version returns a version for Register. Its artifacts, which it puts into the
// store, are small: a model of one leaf and its preprocessor.
func Version(t *testing.T, store blob.Store, model, run string) registry.Version {
	t.Helper()
	return registry.Version{
		Model: model, Run: run, Experiment: model, Artifact: put(t, store, model, "model.txt"), Preprocessor: put(t, store, model, "preprocessor.json"),
		Tags: map[string]string{"git_sha": "", "timestamp": "2026-01-31T12:00:00Z", "note": "a<b & \"c\"\n√"},
	}
}

// put returns the artifact of that name, which it puts into the store if it is
// not there.
func put(t *testing.T, store blob.Store, of, name string) *blob.Artifact {
	t.Helper()
	text, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if !namePattern.MatchString(of) { // a hostile one
		of = "hostile"
	}
	key := "registrytest/" + of + "/" + name
	artifact, err := store.Put(t.Context(), key, "text/plain", bytes.NewReader(text))
	if churn.IsKind(err, churn.Conflict) {
		artifact, err = store.Stat(t.Context(), key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return artifact
}

var namePattern = regexp.MustCompile(`^[a-z0-9-]+$`)

// sameVersion reports whether a and b are equal in every field.
func sameVersion(a, b registry.Version) bool {
	return a.Model == b.Model && a.Version == b.Version && a.Run == b.Run && a.Experiment == b.Experiment && fmt.Sprint(a.Tags) == fmt.Sprint(b.Tags) &&
		proto.Equal(a.Artifact, b.Artifact) && proto.Equal(a.Preprocessor, b.Preprocessor)
}

// race calls f with 0 to racers-1, all at once.
func race(f func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(racers)
	for i := range racers {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

// wantKind fails the test unless err is of the kind.
func wantKind(t *testing.T, what string, err error, kind churn.Kind) {
	t.Helper()
	if !churn.IsKind(err, kind) {
		t.Errorf("%s: %v, want an error of kind %s", what, err, kind)
	}
}
