package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
)

// People see how far a long upload is; machines and short ones are left alone.
func TestUploadIsShown(t *testing.T) {
	for name, test := range map[string]struct {
		size     int64
		terminal bool
		output   string
		shown    bool
	}{
		"a long one":       {longUpload, true, "table", true},
		"for machines":     {longUpload, true, "json", false},
		"without terminal": {longUpload, false, "table", false},
		"a short one":      {1000, true, "table", false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "big.csv")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, test.size); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			a := &app{err: &said, terminal: test.terminal, output: test.output}
			store := memory.New("churn")
			got, err := a.upload(t.Context(), store, "--data", path, "text/csv", churn.DatasetKey)
			if err != nil || got.GetSize() != test.size || got.GetUri() != store.URI(churn.DatasetKey(got.GetSha256())) {
				t.Fatalf("%v, %v", got, err)
			}
			if strings.Contains(said.String(), "uploading big.csv") != test.shown {
				t.Errorf("it says %q", said.String())
			}
		})
	}
}

// What is too large for one PUT is refused before it is read, with another way.
func TestUploadThatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.csv")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxArtifact+1); err != nil { // takes no room
		t.Fatal(err)
	}
	_, err := (&app{}).upload(t.Context(), memory.New("churn"), "--data", path, "text/csv", churn.DatasetKey)
	if err == nil || !strings.Contains(err.Error(), "--data: "+path+" has 5368709121 bytes") || !strings.Contains(err.Error(), "s3:// URI") {
		t.Error(err)
	}
}
