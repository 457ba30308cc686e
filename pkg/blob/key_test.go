package blob_test

import (
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/blobtest"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/soak"
)

// A URI is read as its key or refused, and never as a path that leads elsewhere.
func FuzzParseURI(f *testing.F) {
	f.Add("s3://churn/runs/1/model.txt")
	for _, key := range blobtest.BadKeys {
		f.Add("s3://churn/" + key)
	}
	soak.Fuzz(f, func(t *testing.T, uri string) {
		key, err := blob.ParseURI("test", "churn", uri)
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) || len(err.Error()) > 8<<10 {
				t.Fatalf("%q: %v", uri, err)
			}
			return
		}
		if blob.URI("churn", key) != uri {
			t.Errorf("%q has the key %q", uri, key)
		}
		for element := range strings.SplitSeq(key, "/") {
			if element == "" || element == "." || element == ".." {
				t.Errorf("%q has the key %q", uri, key)
			}
		}
	})
}
