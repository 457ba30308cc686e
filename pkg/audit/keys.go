package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// keys tell whether rows are the same as others, in the same order. They are
// hashed, not held: there may be millions, and of any length.
type keys struct {
	hash hash.Hash
	rows int
}

func newKeys() *keys { return &keys{hash: sha256.New()} }

func (k *keys) add(key []byte) {
	k.hash.Write(binary.AppendUvarint(nil, uint64(len(key))))
	k.hash.Write(key)
	k.rows++
}

func (k *keys) equal(other *keys) bool {
	return k.rows == other.rows && string(k.hash.Sum(nil)) == string(other.hash.Sum(nil))
}
