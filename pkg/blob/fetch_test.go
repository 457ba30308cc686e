package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
)

// big is more than one report of progress.
var big = bytes.Repeat([]byte("0123456789abcdef"), 3<<20)

// fetch fetches, with a folder for temporary files that must be empty afterwards.
func fetch(ctx context.Context, t *testing.T, s blob.Store, a *blob.Artifact, limit int64, progress func(int64)) ([]byte, error) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	file, err := blob.Fetch(ctx, s, a, limit, progress)
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("%s has a name", left[0].Name())
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.NewSectionReader(file, 0, limit))
}

func put(t *testing.T, s blob.Store, body []byte) *blob.Artifact {
	t.Helper()
	a, err := s.Put(t.Context(), "a", "text/plain", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFetch(t *testing.T) {
	s := memory.New("bucket")
	a := put(t, s, big)
	var told []int64
	got, err := fetch(t.Context(), t, s, a, a.GetSize(), func(n int64) { told = append(told, n) })
	if err != nil || !bytes.Equal(got, big) {
		t.Fatalf("%d of %d bytes: %v", len(got), len(big), err)
	}
	if len(told) != 3 || told[2] != a.GetSize() {
		t.Errorf("%v was told of %d bytes", told, a.GetSize())
	}
}

// What is fetched is what the event names, or nothing.
func TestFetchRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		there []byte
		edit  func(*blob.Artifact)
		limit int64
		want  string
	}{
		"other bytes":    {append(bytes.Clone(big[:len(big)-1]), '!'), nil, int64(len(big)), "is not what the event names"},
		"truncated":      {big[:len(big)-1], nil, int64(len(big)), "is not what the event names"},
		"longer":         {append(bytes.Clone(big), '!'), nil, int64(len(big)), "is not what the event names"},
		"over the limit": {big, nil, int64(len(big)) - 1, "is larger than the limit of"},
		"a size that is a lie": {big, func(a *blob.Artifact) { a.Size = 5 }, 5,
			"is not what the event names: it has more than 5 bytes"},
		"no digest": {big, func(a *blob.Artifact) { a.Sha256 = "" }, int64(len(big)), "nothing is read unverified"},
	} {
		t.Run(name, func(t *testing.T) {
			s := memory.New("bucket")
			a := proto.CloneOf(put(t, s, big))
			s.Corrupt("a", test.there)
			if test.edit != nil {
				test.edit(a)
			}
			_, err := fetch(t.Context(), t, s, a, test.limit, nil)
			if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("kind %v: %v", churn.KindOf(err), err)
			}
		})
	}
}

func TestFetchOfNothing(t *testing.T) {
	s := memory.New("bucket")
	a := proto.CloneOf(put(t, s, big))
	a.Uri = s.URI("b")
	if _, err := fetch(t.Context(), t, s, a, a.GetSize(), nil); !churn.IsKind(err, churn.NotFound) {
		t.Error(err)
	}
}

// A fetch ends with its context, at whatever byte.
func TestFetchIsCancelled(t *testing.T) {
	s := memory.New("bucket")
	a := put(t, s, big)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("stopped here")
	_, err := fetch(ctx, t, s, a, a.GetSize(), func(int64) { cancel(why) })
	if !churn.IsKind(err, churn.Transient) || !errors.Is(err, why) {
		t.Errorf("kind %v: %v", churn.KindOf(err), err)
	}
}

// A disk without room is told as one, with what to do; here the kernel refuses
// more than a limit.
func TestNoRoom(t *testing.T) {
	limitFiles(t, 1<<20)
	s := memory.New("bucket")
	a := put(t, s, big)
	_, err := fetch(t.Context(), t, s, a, a.GetSize(), nil)
	if !churn.IsKind(err, churn.Internal) || !errors.Is(err, syscall.EFBIG) ||
		!strings.Contains(err.Error(), "no room for a temporary file") || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("kind %v: %v", churn.KindOf(err), err)
	}
}

// limitFiles has the kernel refuse files of more bytes, until the test ends.
func limitFiles(t *testing.T, bytes uint64) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	})
}

func TestNoFolder(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere")
	if _, err := blob.NewTemporary(); !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "TMPDIR names the folder") {
		t.Error(err)
	}
}

// A temporary file is read, written and sought in as any.
func TestTemporary(t *testing.T) {
	f, err := blob.NewTemporary()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	size, sum, err := blob.Digest(f)
	if err != nil || size != 5 || sum != "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5" {
		t.Errorf("%d bytes, SHA-256 %s, %v", size, sum, err)
	}
	at := make([]byte, 2)
	if _, err := f.ReadAt(at, 3); err != nil || string(at) != "45" {
		t.Errorf("%q, %v", at, err)
	}
}
