package embedded_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/embedded"
)

// A store that was killed after it had stored an object's metadata, and before
// the object was in place, takes the object when it is written again.
func TestMetadataWithoutItsObject(t *testing.T) {
	dir := t.TempDir()
	gateway, err := embedded.StartStore(t.Context(), dir, "127.0.0.1:0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gateway.Close() })
	store, err := s3.New(s3.Config{
		Endpoint: gateway.Endpoint(), AccessKey: gateway.AccessKey(), SecretKey: gateway.SecretKey(), Bucket: "churn",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "metadata", "churn", "runs", "r", "a.json", "meta")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "etag"), []byte(`"of what never came"`), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds the same bytes there
		if _, err := store.Put(t.Context(), "runs/r/a.json", "application/json", strings.NewReader("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := store.Stat(t.Context(), "runs/r/a.json"); err != nil || a.GetSize() != 2 {
		t.Errorf("the object is %v, %v", a, err)
	}
}
