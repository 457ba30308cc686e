package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/asfotec/churn/pkg/blob"
)

func isURI(path string) bool { return strings.HasPrefix(path, "s3://") }

// upload puts a local file into the store under its digest, so that the same
// file is stored once. A URI is left to the featurizer.
func (a *app) upload(ctx context.Context, store blob.Store, flag, path, mediaType string, key func(string) string) (*blob.Artifact, error) {
	if isURI(path) {
		if _, err := store.Key(path); err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		return &blob.Artifact{Uri: path, MediaType: mediaType}, nil
	}
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, usageErrorf("%s: %w", flag, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, usageErrorf("%s: %w", flag, err)
	}
	if info.Size() > maxArtifact {
		return nil, usageErrorf("%s: %s has %d bytes, and S3 takes %d in one PUT: copy it into the bucket by other means (`mc cp`, `aws s3 cp`) and give its s3:// URI",
			flag, path, info.Size(), int64(maxArtifact))
	}
	shown, done := a.showReading(file, info.Size())
	defer done()
	digest := sha256.New()
	if _, err := io.Copy(digest, shown); err != nil {
		return nil, usageErrorf("%s: %w", flag, err)
	}
	if _, err := shown.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return store.Put(ctx, key(hex.EncodeToString(digest.Sum(nil))), mediaType, shown)
}

const (
	// longUpload is how many bytes take a second or more.
	longUpload = 64 << 20
	// readings are how often a file is read: for its key, for its digest, and for
	// the store.
	readings = 3
)

// showReading returns the file such that people see how far an upload is, if it is
// a long one, and what takes that off the screen.
func (a *app) showReading(file *os.File, size int64) (io.ReadSeeker, func()) {
	if size < longUpload || a.json() || !a.terminal {
		return file, func() {}
	}
	bar := progressbar.NewOptions64(readings*size,
		progressbar.OptionSetWriter(a.err), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(false), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetDescription("uploading "+filepath.Base(file.Name())))
	return &shownFile{file, bar}, func() { _ = bar.Clear() }
}

// shownFile is a file whose reading moves a bar.
type shownFile struct {
	file *os.File
	bar  *progressbar.ProgressBar
}

func (s *shownFile) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	_ = s.bar.Add(n)
	return n, err
}

func (s *shownFile) Seek(offset int64, whence int) (int64, error) { return s.file.Seek(offset, whence) }
