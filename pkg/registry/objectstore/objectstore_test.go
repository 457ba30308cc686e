package objectstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/registry/registrytest"
	"github.com/asfotec/churn/pkg/soak"
)

func TestInMemory(t *testing.T) { conform(t, memory.New("churn")) }

// TestInS3 has the conditional writes that the registry stands on made by a
// real store, over HTTP.
func TestInS3(t *testing.T) {
	gateway, err := embedded.StartStore(t.Context(), t.TempDir(), "127.0.0.1:0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gateway.Close(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections) // which the gateway would wait for
	store, err := s3.New(s3.Config{
		Endpoint: gateway.Endpoint(), AccessKey: gateway.AccessKey(), SecretKey: gateway.SecretKey(), Bucket: "churn",
		Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	conform(t, store)
}

func conform(t *testing.T, store blob.Store) {
	t.Run("registry", func(t *testing.T) {
		registrytest.Registry(t, store, func(*testing.T) registry.Registry { return objectstore.New(store) })
	})
	t.Run("tracker", func(t *testing.T) {
		registrytest.Tracker(t, store, func(*testing.T) registry.Tracker { return objectstore.NewTracker(store) })
	})
}

// filled returns a store whose registry has a version of m for each run, all
// promoted in their turn.
func filled(t *testing.T, runs ...string) *memory.Store {
	t.Helper()
	store := memory.New("churn")
	r := objectstore.New(store)
	for i, run := range runs {
		v, err := r.Register(t.Context(), registry.Version{Model: "m", Run: run})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Promote(t.Context(), registry.Champion{Model: "m", Stage: "Production", Version: v.Version, Run: run, Cause: run}, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func put(t *testing.T, store blob.Store, key, body string) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, "application/json", strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

// Damage is an Internal error of whatever needs the chain, and names the object.
func TestDamage(t *testing.T) {
	versions, champions := "registry/m/versions/", "registry/m/Production/"
	for name, test := range map[string]struct {
		damage func(t *testing.T, s *memory.Store)
		key    string // that is named
	}{
		"a gap":               {func(t *testing.T, s *memory.Store) { put(t, s, versions+"0000000004.json", "{}") }, versions + "0000000003.json"},
		"a stray object":      {func(t *testing.T, s *memory.Store) { put(t, s, versions+"notes.txt", "") }, versions + "notes.txt"},
		"no JSON":             {func(t *testing.T, s *memory.Store) { put(t, s, versions+"0000000003.json", "\x00") }, versions + "0000000003.json"},
		"an empty object":     {func(t *testing.T, s *memory.Store) { put(t, s, champions+"0000000003.json", "") }, champions + "0000000003.json"},
		"an entry of nothing": {func(t *testing.T, s *memory.Store) { put(t, s, champions+"0000000003.json", "{}") }, champions + "0000000003.json"},
		"another's entry": {func(t *testing.T, s *memory.Store) {
			put(t, s, versions+"0000000003.json", `{"model": "m", "version": 2, "run": "two"}`)
		}, versions + "0000000003.json"},
		"another model's entry": {func(t *testing.T, s *memory.Store) {
			put(t, s, versions+"0000000003.json", `{"model": "other", "version": 3, "run": "three"}`)
		}, versions + "0000000003.json"},
		"changed bytes": {func(_ *testing.T, s *memory.Store) { s.Corrupt(champions+"0000000002.json", []byte("{}")) }, champions + "0000000002.json"},
		"too large": {func(t *testing.T, s *memory.Store) {
			put(t, s, champions+"0000000003.json", strings.Repeat(" ", 2<<20))
		}, champions + "0000000003.json"},
	} {
		t.Run(name, func(t *testing.T) {
			store := filled(t, "one", "two")
			test.damage(t, store)
			r := objectstore.New(store)
			calls := map[string]func() error{
				"Register": func() error { _, err := r.Register(t.Context(), registry.Version{Model: "m", Run: "new"}); return err },
				"Version":  func() error { _, err := r.Version(t.Context(), "m", 1); return err },
				"Versions": func() error { _, err := r.Versions(t.Context(), "m"); return err },
				"Promote": func() error {
					_, err := r.Promote(t.Context(), registry.Champion{Model: "m", Stage: "Production", Version: 1, Run: "one", Cause: "new"}, 2)
					return err
				},
			}
			if strings.HasPrefix(test.key, champions) {
				calls = map[string]func() error{
					"Promote":  calls["Promote"],
					"Champion": func() error { _, err := r.Champion(t.Context(), "m", "Production"); return err },
					"History":  func() error { _, err := r.History(t.Context(), "m", "Production"); return err },
				}
			}
			for name, call := range calls {
				err := call()
				if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "damaged") ||
					!strings.Contains(err.Error(), store.URI(test.key)) {
					t.Errorf("%s: %v, want an Internal error that names %s", name, err, test.key)
				}
			}
		})
	}
}

// Entries that were there and are gone would be replaced by others.
func TestWhatIsGoneIsDamage(t *testing.T) {
	store := &struct{ blob.Store }{filled(t, "one", "two")}
	r := objectstore.New(store)
	if _, err := r.Champion(t.Context(), "m", "Production"); err != nil {
		t.Fatal(err)
	}
	store.Store = filled(t, "one")
	_, err := r.Champion(t.Context(), "m", "Production")
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "registry/m/Production/0000000002.json: it was there and is gone") {
		t.Errorf("the champion is lost: %v", err)
	}
}

// lossy is a store whose n-th Put answers with an error, although it has
// written.
type lossy struct {
	*memory.Store
	puts, lose atomic.Int64
}

func (l *lossy) Put(ctx context.Context, key, media string, body io.ReadSeeker) (*blob.Artifact, error) {
	a, err := l.Store.Put(ctx, key, media, body)
	if l.puts.Add(1) == l.lose.Load() {
		return nil, churn.Errorf("test", churn.Transient, "the answer was lost")
	}
	return a, err
}

// A caller whose answer was lost calls again, and the effect is there once.
func TestLostAnswers(t *testing.T) {
	store := &lossy{Store: memory.New("churn")}
	r := objectstore.New(store)
	v := registry.Version{Model: "m", Run: "one"}
	c := registry.Champion{Model: "m", Stage: "Production", Version: 1, Run: "one", Cause: "cause"}

	store.lose.Store(1)
	if _, err := r.Register(t.Context(), v); !churn.IsKind(err, churn.Transient) {
		t.Fatalf("registered: %v, want the store's error", err)
	}
	if got, err := r.Register(t.Context(), v); err != nil || got.Version != 1 {
		t.Errorf("registered again: %v, %v", got, err)
	}
	store.lose.Store(store.puts.Load() + 1)
	if _, err := r.Promote(t.Context(), c, 0); !churn.IsKind(err, churn.Transient) {
		t.Fatalf("promoted: %v, want the store's error", err)
	}
	if got, err := r.Promote(t.Context(), c, 0); err != nil || got.Generation != 1 || got.Previous != 0 {
		t.Errorf("promoted again: %v, %v", got, err)
	}
	versions, err := r.Versions(t.Context(), "m")
	if err != nil || len(versions) != 1 {
		t.Errorf("versions: %v, %v", versions, err)
	}
	history, err := r.History(t.Context(), "m", "Production")
	if err != nil || len(history) != 1 {
		t.Errorf("history: %v, %v", history, err)
	}
}

// What could not be read back is not written.
func TestTooLarge(t *testing.T) {
	r := objectstore.New(memory.New("churn"))
	v := registry.Version{Model: "m", Run: "one", Tags: map[string]string{"git_sha": strings.Repeat("x", 1<<20)}}
	if _, err := r.Register(t.Context(), v); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("registered: %v, want Invalid", err)
	}
	v.Tags = nil
	if got, err := r.Register(t.Context(), v); err != nil || got.Version != 1 {
		t.Errorf("registered: %v, %v", got, err)
	}
}

func TestNameOfAStageIsNotThatOfTheVersions(t *testing.T) {
	r := objectstore.New(filled(t, "one", "two"))
	_, err := r.Promote(t.Context(), registry.Champion{Model: "m", Stage: "versions", Version: 1, Run: "one", Cause: "c"}, 2)
	if !churn.IsKind(err, churn.Invalid) {
		t.Errorf("promoted to versions: %v, want Invalid", err)
	}
}

func TestTrackedObject(t *testing.T) {
	store := memory.New("churn")
	tracker := objectstore.NewTracker(store)
	run := registry.Run{Experiment: "e", Run: "a-b", Name: "n", Started: time.Date(2026, 1, 31, 13, 0, 0, 0, time.FixedZone("", 3600))}
	entry := registry.Entry{Stage: "gate", Metrics: map[string]float64{"rule_min_auc": 1}}
	id, err := tracker.Track(t.Context(), run, entry)
	if err != nil || id != "ab" {
		t.Fatalf("the id is %q, %v", id, err)
	}
	entry.Metrics = map[string]float64{"rule_min_auc": 0} // changes nothing
	if _, err := tracker.Track(t.Context(), run, entry); err != nil {
		t.Fatal(err)
	}
	a, err := store.Stat(t.Context(), "tracking/e/a-b/gate.json")
	if err != nil {
		t.Fatal(err)
	}
	body, err := store.Get(t.Context(), a, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Compact(&got, body); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"ab","run":"a-b","experiment":"e","name":"n","started":"2026-01-31T12:00:00Z","stage":"gate","metrics":{"rule_min_auc":1}}`
	if got.String() != want {
		t.Errorf("tracked %s\nwant %s", got.String(), want)
	}

	entry.Metrics = map[string]float64{"auc": math.NaN()}
	if _, err := tracker.Track(t.Context(), run, entry); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "gate") {
		t.Errorf("tracked NaN: %v, want an Invalid error that names the stage", err)
	}
}

// FuzzEntry has any bytes in place of an entry: they are read as the entry that
// belongs there, or are damage.
func FuzzEntry(f *testing.F) {
	for _, seed := range []string{
		`{"model": "m", "version": 1, "run": "one"}`, `{"model": "m", "version": 1.5, "run": "one"}`, `{}`, `null`, `[]`, "", "\x00",
		`{"model": "m", "stage": "Production", "generation": 1, "version": 1, "run": "one", "cause": "c"}`,
		`{"model": "m", "version": 1, "run": "one", "artifact": {"size": -1}, "tags": null}`,
	} {
		f.Add([]byte(seed))
	}
	soak.Fuzz(f, func(t *testing.T, body []byte) {
		store := memory.New("churn")
		put(t, store, "registry/m/versions/0000000001.json", string(body))
		put(t, store, "registry/m/Production/0000000001.json", string(body))
		r := objectstore.New(store)
		v, err := r.Version(t.Context(), "m", 1)
		if err == nil && (v.Model != "m" || v.Version != 1 || v.Run == "") || err != nil && !churn.IsKind(err, churn.Internal) {
			t.Errorf("%q was read as %v, %v", body, v, err)
		}
		c, err := r.Champion(t.Context(), "m", "Production")
		if err == nil && (c.Model != "m" || c.Generation != 1 || c.Version < 1 || c.Cause == "") || err != nil && !churn.IsKind(err, churn.Internal) {
			t.Errorf("%q was read as %v, %v", body, c, err)
		}
	})
}
