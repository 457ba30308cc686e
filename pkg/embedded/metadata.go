package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
)

// committed is the gateway's metadata, in which an object has an etag only once
// it is there. The gateway stores the etag before it moves the object into
// place, and takes it for the object in If-None-Match: a write would be refused
// because of another that has not finished or, after a kill in between, of one
// that never will.
type committed struct {
	meta.SideCar
	objects string // folder of the objects
}

// RetrieveAttribute implements meta.MetadataStorer.
func (c committed) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	if attribute == "etag" && object != "" {
		if _, err := os.Lstat(filepath.Join(c.objects, bucket, object)); errors.Is(err, fs.ErrNotExist) {
			return nil, meta.ErrNoSuchKey
		}
	}
	return c.SideCar.RetrieveAttribute(f, bucket, object, attribute)
}
