package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Part is the split that a row falls into.
type Part int32

// The parts.
const (
	Train Part = iota
	Validation
	Holdout
)

// Parts is how many there are.
const Parts = 3

func (p Part) String() string { return [Parts]string{"train", "validation", "hold-out"}[p] }

// Split divides rows by a hash of their key, so that it is the same on every
// machine and a row stays where it is when others are added.
type Split struct {
	Test       float64 `yaml:"test" json:"test"`             // share held out, in (0, 1)
	Validation float64 `yaml:"validation" json:"validation"` // share of the others for early stopping, in (0, 1)
	Salt       string  `yaml:"salt" json:"salt"`             // changes which rows fall where
}

func (s Split) validate() error {
	if !(s.Test > 0 && s.Test < 1) {
		return fmt.Errorf("split.test is %v; it is a share above 0 and below 1", s.Test)
	}
	if !(s.Validation > 0 && s.Validation < 1) {
		return fmt.Errorf("split.validation is %v; it is a share above 0 and below 1", s.Validation)
	}
	if len(s.Salt) > 256 {
		return fmt.Errorf("split.salt has %d bytes; at most 256 are allowed", len(s.Salt))
	}
	return nil
}

// Of returns the part of the row with the given key: with u the first eight
// bytes, big-endian, of SHA-256(salt, 0, key) over 2^64, hold-out if u < test,
// validation if u < test + (1-test) validation, and train otherwise.
func (s Split) Of(key string) Part {
	var buf [256]byte
	b := append(append(append(buf[:0], s.Salt...), 0), key...)
	digest := sha256.Sum256(b)
	u := float64(binary.BigEndian.Uint64(digest[:8])) / (1 << 64)
	switch {
	case u < s.Test:
		return Holdout
	case u < s.Test+float64((1-s.Test)*s.Validation): // rounded alike on every machine, see the Go spec on fusing
		return Validation
	default:
		return Train
	}
}
