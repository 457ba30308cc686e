package blob

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/asfotec/churn/pkg/churn"
)

// Temporary is a file for what memory is not to hold. It has no name, so that it
// is gone when it is closed, however this process ends.
type Temporary struct{ file *os.File }

var _ interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.Closer
} = (*Temporary)(nil)

// NewTemporary returns an empty file in the folder that TMPDIR names.
func NewTemporary() (*Temporary, error) {
	const op = "blob.NewTemporary"
	file, err := os.CreateTemp("", "churn-*")
	if err != nil {
		return nil, churn.Errorf(op, churn.Internal, "%w (TMPDIR names the folder for temporary files)", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, churn.E(op, churn.Internal, err)
	}
	return &Temporary{file}, nil
}

// Write implements io.Writer. Where there is no room, the error says how to make
// some.
func (t *Temporary) Write(p []byte) (int, error) {
	n, err := t.file.Write(p)
	return n, explain(err)
}

func explain(err error) error {
	const op = "blob.Temporary"
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return churn.Errorf(op, churn.Internal,
				"%w: %s has no room for a temporary file; make some, or name another folder by TMPDIR", err, os.TempDir())
		}
	}
	return churn.E(op, churn.Internal, err)
}

// Read implements io.Reader.
func (t *Temporary) Read(p []byte) (int, error) { return t.file.Read(p) }

// ReadAt implements io.ReaderAt. A failing disk is Internal, whatever becomes of
// the bytes.
func (t *Temporary) ReadAt(p []byte, at int64) (int, error) {
	n, err := t.file.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		err = explain(err)
	}
	return n, err
}

// Seek implements io.Seeker.
func (t *Temporary) Seek(offset int64, whence int) (int64, error) {
	return t.file.Seek(offset, whence)
}

// Close removes the file.
func (t *Temporary) Close() error { return t.file.Close() }
