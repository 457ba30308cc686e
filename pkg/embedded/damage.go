package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/asfotec/churn/pkg/churn"
)

// Places in a record batch of Kafka's format.
const (
	lengthAt    = 8  // bytes that follow the length
	magicAt     = 16 // version of the format
	magic       = 2
	crcAt       = 17 // CRC-32C of all that follows it
	batchHeader = 21
)

// checkLog returns an error if the broker's data are damaged. The broker itself
// starts without what it does not find, and cuts a segment off at its first
// damaged batch.
func checkLog(op, data string) error {
	partitions := filepath.Join(data, "partitions")
	if _, err := os.Stat(partitions); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever written
	}
	for _, name := range []string{"meta.json", "topics.json"} {
		if _, err := os.Stat(filepath.Join(data, name)); err != nil {
			return damaged(op, data, err)
		}
	}
	return filepath.WalkDir(partitions, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".dat" {
			return err
		}
		segment, err := os.ReadFile(path)
		if err != nil {
			return damaged(op, data, err)
		}
		if at, ok := intact(segment); !ok {
			return churn.Errorf(op, churn.Invalid,
				"%s is damaged at byte %d: put back a copy of the state folder, or remove that and begin anew", path, at)
		}
		return nil
	})
}

// intact reports whether every batch has its checksum, or where the first
// without begins. The last one may be incomplete: that is what a kill leaves of
// a write, which was not acknowledged.
func intact(segment []byte) (at int, ok bool) {
	for rest := segment; len(rest) >= batchHeader; rest = segment[at:] {
		size := lengthAt + 4 + int64(binary.BigEndian.Uint32(rest[lengthAt:]))
		if rest[magicAt] != magic || size < batchHeader {
			return at, false
		}
		if size > int64(len(rest)) {
			break
		}
		sum := crc32.Checksum(rest[batchHeader:size], crc32.MakeTable(crc32.Castagnoli))
		if sum != binary.BigEndian.Uint32(rest[crcAt:]) {
			return at, false
		}
		at += int(size)
	}
	return at, true
}

func damaged(op, path string, err error) error {
	return churn.Errorf(op, churn.Internal,
		"the state in %s cannot be read: put back a copy of it, or remove the folder and begin anew: %w", path, err)
}
