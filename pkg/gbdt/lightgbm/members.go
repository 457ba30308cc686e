package lightgbm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/asfotec/churn/pkg/churn"
)

// Members says that this training is one of several, each with a part of the
// training rows and each in a process of its own, that make one model: that of
// LightGBM's data-parallel learner. Every member takes the same part in the same
// exchanges, in the same order, and ends with the same trees. The first has all
// validation rows: it judges the model, and its Result is the one that counts.
//
// LightGBM has sockets of its own for this. They are not used: they take a rank
// from whoever connects, and what goes wrong there ends the process or waits for
// ever (docs/adr/0025). What the members tell one another goes through Share and
// Scatter. Neither can fail, since native code is between them and whoever could
// act on it: one that finds no other member ends the process.
type Members struct {
	Rank, Count int // from 0
	Rows        int // training rows of all members together

	// Share tells every member this one's block, and returns the blocks of all
	// members by rank, which are so many bytes together. They are valid until the
	// next exchange.
	Share func(block []byte, size int) []byte
	// Scatter tells each member its block of these, by rank, and returns what each
	// member, by rank, has for this one.
	Scatter func(blocks [][]byte, size int) []byte
}

// has reports whether the member has rows of the set.
func (m *Members) has(s Set) bool { return m == nil || m.Rank == 0 || s == Train }

// rows returns how many training rows there are if this member has n.
func (m *Members) rows(n int) int {
	if m == nil {
		return n
	}
	return m.Rows
}

// judges reports whether this member has the validation rows.
func (s *session) judges() bool { return s.options.Members.has(Validation) }

// parameters are all that LightGBM is to know of.
func (s *session) parameters() string {
	p := s.params.String()
	if m := s.options.Members; m != nil {
		p += fmt.Sprintf(" tree_learner=data pre_partition=true num_machines=%d", m.Count)
	}
	return p
}

// join makes this thread of LightGBM one of several members.
func (s *session) join(l *Library) error {
	m := s.options.Members
	if m == nil {
		return nil
	}
	l.members = m
	if l.reduceScatter == 0 { // a process has few callbacks, for ever
		l.reduceScatter = purego.NewCallback(func(input *byte, size, unit int32, starts, lengths *int32, blocks int32, output *byte, space int32, reduce *uintptr) {
			l.members.reduceScatter(unsafe.Slice(input, size), unit, unsafe.Slice(starts, blocks), unsafe.Slice(lengths, blocks), unsafe.Slice(output, space), *reduce)
		})
		l.allgather = purego.NewCallback(func(input *byte, size int32, starts, lengths *int32, blocks int32, output *byte, space int32) {
			l.members.allgather(unsafe.Slice(input, size), unsafe.Slice(starts, blocks), unsafe.Slice(lengths, blocks), unsafe.Slice(output, space))
		})
	}
	return s.check("NetworkInit", s.networkInit(int32(m.Count), int32(m.Rank), l.reduceScatter, l.allgather))
}

func (s *session) leave() {
	if s.options.Members != nil {
		s.networkFree()
	}
}

// reduceScatter leaves in the output this member's block of the sum over all
// members' inputs. They are added in the order of the ranks, so that rounding does
// not depend on who was first.
func (m *Members) reduceScatter(input []byte, unit int32, starts, lengths []int32, output []byte, reduce uintptr) {
	blocks := make([][]byte, m.Count)
	for i := range blocks {
		blocks[i] = input[starts[i]:][:lengths[i]]
	}
	mine := int(lengths[m.Rank])
	all := m.Scatter(blocks, mine*m.Count)
	copy(output, all[:mine])
	for from := mine; from < len(all); from += mine {
		purego.SyscallN(reduce, uintptr(unsafe.Pointer(&all[from])), uintptr(unsafe.Pointer(&output[0])), uintptr(unit), uintptr(mine))
	}
}

// allgather leaves every member's block in its place of the output.
func (m *Members) allgather(block []byte, starts, lengths []int32, output []byte) {
	size := 0
	for _, n := range lengths {
		size += int(n)
	}
	all := m.Share(block, size)
	for i, n := range lengths {
		copy(output[starts[i]:][:n], all)
		all = all[n:]
	}
}

// together reports whether the members are done, which is for the first to say.
func (s *session) together(enough bool) bool {
	m := s.options.Members
	if m == nil {
		return enough
	}
	said := make([]byte, 4) // iterations that are kept; 0: go on
	if m.Rank == 0 && enough {
		binary.LittleEndian.PutUint32(said, uint32(s.kept())) //nolint:gosec // at most num_iterations
	}
	s.agreed = int(binary.LittleEndian.Uint32(m.Share(said, 4*m.Count)))
	return s.agreed > 0
}

// alike returns an error unless all members have the same trees.
func (s *session) alike(model []byte) error {
	m := s.options.Members
	if m == nil {
		return nil
	}
	sum, err := TreesSHA256(model)
	if err != nil {
		return err
	}
	if all := m.Share([]byte(sum), m.Count*len(sum)); !bytes.Equal(all, bytes.Repeat([]byte(sum), m.Count)) {
		return churn.Errorf("lightgbm.Train", churn.Internal, "the %d members have come to different trees", m.Count)
	}
	return nil
}
