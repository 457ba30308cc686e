package worker

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// exchange is how a worker that is one of several members tells the others, by way
// of the leader, what LightGBM has for them.
type exchange struct{ *conn }

// members returns what LightGBM is told of the members, nil if there are none.
func (x exchange) members(m *members) *lightgbm.Members {
	if m == nil {
		return nil
	}
	return &lightgbm.Members{Rank: m.Rank, Count: m.Count, Rows: m.Rows, Share: x.share, Scatter: x.scatter}
}

func (x exchange) share(block []byte, size int) []byte { return x.ask(size, kindShare, block) }

func (x exchange) scatter(blocks [][]byte, size int) []byte {
	return x.ask(size, kindScatter, append([][]byte{appendLengths(nil, blocks)}, blocks...)...)
}

// ask tells the leader, and waits for what all members have for this one. Native
// code that calls it cannot be told that it has failed: this process ends instead.
func (x exchange) ask(size int, k kind, parts ...[]byte) []byte {
	err := x.send(k, parts...)
	if err == nil {
		err = x.out.Flush()
	}
	var answer []byte
	if err == nil {
		k, answer, err = x.receive()
	}
	if err == nil && (k != kindShared || len(answer) != size) {
		err = fmt.Errorf("%d bytes in a frame of kind %d came in place of %d of all members", len(answer), k, size)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return answer
}

// appendLengths appends the length of each block in four bytes, little-endian. In
// a frame the blocks follow.
func appendLengths(b []byte, blocks [][]byte) []byte {
	for _, block := range blocks {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(block))) //nolint:gosec // send refuses what is larger
	}
	return b
}

// readBlocks returns the n blocks of a frame that appendLengths begins.
func readBlocks(b []byte, n int) ([][]byte, error) {
	if len(b) < 4*n {
		return nil, fmt.Errorf("a frame of %d bytes does not hold %d blocks", len(b), n)
	}
	lengths, rest := b[:4*n], b[4*n:]
	out := make([][]byte, n)
	for i := range out {
		length := binary.LittleEndian.Uint32(lengths[4*i:])
		if uint64(length) > uint64(len(rest)) {
			return nil, fmt.Errorf("block %d of %d has %d bytes, more than the frame", i+1, n, length)
		}
		out[i], rest = rest[:length], rest[length:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the last of %d blocks", len(rest), n)
	}
	return out, nil
}
