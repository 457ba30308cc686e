package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Types of Thrift's compact protocol, see
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
const (
	typeStop = iota
	typeTrue
	typeFalse
	typeByte
	typeI16
	typeI32
	typeI64
	typeDouble
	typeBinary
	typeList
	typeSet
	typeMap
	typeStruct
	typeUUID
)

const (
	maxDepth = 32
	// maxStructs is the most structs in lists. Each takes the reader a few hundred
	// bytes, however few it takes in the file.
	maxStructs = 1 << 20
)

var errShort = errors.New("it is shorter than it says")

// measure returns how many bytes the struct at the beginning of b has, if all that
// it says to hold is there. The reader makes room for lists and texts before it
// looks for them.
func measure(b []byte) (int, error) {
	s := scanner{rest: b}
	if err := s.value(typeStruct, 0); err != nil {
		return 0, err
	}
	return len(b) - len(s.rest), nil
}

type scanner struct {
	rest    []byte
	structs int
}

func (s *scanner) value(kind byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	switch kind {
	case typeTrue, typeFalse, typeByte:
		return s.skip(1)
	case typeI16, typeI32, typeI64:
		_, err := s.varint()
		return err
	case typeDouble:
		return s.skip(8)
	case typeUUID:
		return s.skip(16)
	case typeBinary:
		n, err := s.varint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case typeList, typeSet:
		return s.list(depth)
	case typeMap:
		return s.entries(depth)
	case typeStruct:
		return s.fields(depth)
	}
	return fmt.Errorf("it has a value of type %d", kind)
}

func (s *scanner) fields(depth int) error {
	for {
		head, err := s.byte()
		if err != nil {
			return err
		}
		kind := head & 0x0f
		if kind == typeStop {
			return nil
		}
		if head>>4 == 0 { // the field's number follows
			if _, err := s.varint(); err != nil {
				return err
			}
		}
		if kind == typeTrue || kind == typeFalse {
			continue // is its own value
		}
		if err := s.value(kind, depth+1); err != nil {
			return err
		}
	}
}

func (s *scanner) list(depth int) error {
	head, err := s.byte()
	if err != nil {
		return err
	}
	n, kind := uint64(head>>4), head&0x0f
	if n == 15 {
		if n, err = s.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(s.rest)) { // each takes a byte at least
		return errShort
	}
	if kind == typeStruct {
		if s.structs += int(n); s.structs > maxStructs {
			return fmt.Errorf("it has lists of more than %d structs", maxStructs)
		}
	}
	for range n {
		if err := s.value(kind, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) entries(depth int) error {
	n, err := s.varint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := s.byte()
	if err != nil {
		return err
	}
	if n > uint64(len(s.rest)) {
		return errShort
	}
	for range n {
		if err := errors.Join(s.value(kinds>>4, depth+1), s.value(kinds&0x0f, depth+1)); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) byte() (byte, error) {
	if len(s.rest) == 0 {
		return 0, errShort
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b, nil
}

func (s *scanner) varint() (uint64, error) {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 {
		return 0, errShort
	}
	s.rest = s.rest[n:]
	return v, nil
}

func (s *scanner) skip(n uint64) error {
	if n > min(uint64(len(s.rest)), math.MaxInt32) {
		return errShort
	}
	s.rest = s.rest[n:]
	return nil
}
