package worker

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/asfotec/churn/pkg/churn"
)

// kind says what a frame holds.
type kind byte

// What the parent sends.
const (
	kindTrain  kind = iota + 1 // JSON of a request
	kindChunk                  // rows, see appendChunk
	kindEnd                    // there are no more rows
	kindShared                 // what all members have for this one, see kindShare
	kindLease                  // JSON of a lease: to a trainer, not to a worker
)

// What the worker sends.
const (
	kindReady         kind = iota + 101 // JSON of a greeting: the library is loaded
	kindRows                            // asks for all rows, from the first
	kindIteration                       // JSON of a lightgbm.Iteration
	kindModel                           // a piece of the model text
	kindContributions                   // a piece of the contributions, see appendFloats
	kindResult                          // JSON of an outcome
	kindFailure                         // JSON of a failure: the training has failed
	kindShare                           // this member's block, for every member
	kindScatter                         // this member's block for each, see appendLengths
)

// maxFrame is the most bytes in one frame. Rows, model texts and
// contributions go in pieces.
const maxFrame = 128 << 20

// pieceSize is about how many bytes a piece has.
const pieceSize = 256 << 10

// conn sends and receives frames: kind, length of the body in four bytes,
// little-endian, body.
type conn struct {
	in  *bufio.Reader
	out *bufio.Writer
	buf []byte // of the frame that was received last
}

func newConn(in io.Reader, out io.Writer) *conn {
	return &conn{in: bufio.NewReaderSize(in, 64<<10), out: bufio.NewWriterSize(out, 64<<10)}
}

// send buffers a frame, whose body is the parts; out.Flush sends it.
func (c *conn) send(k kind, parts ...[]byte) error {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	if size > maxFrame {
		return churn.Errorf("worker.send", churn.Invalid, "a message of %d bytes; at most %d are allowed: fewer features help", size, maxFrame)
	}
	var head [5]byte
	head[0] = byte(k)
	binary.LittleEndian.PutUint32(head[1:], uint32(size)) //nolint:gosec // at most maxFrame
	if _, err := c.out.Write(head[:]); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := c.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// sendJSON sends v and flushes.
func (c *conn) sendJSON(k kind, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return churn.E("worker.send", churn.Internal, err)
	}
	if err := c.send(k, body); err != nil {
		return err
	}
	return c.out.Flush()
}

// receive returns the next frame, or io.EOF if there is none. The body is valid
// until the next call.
func (c *conn) receive() (kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes; at most %d are allowed", n, maxFrame)
	}
	if int(n) > cap(c.buf) {
		c.buf = make([]byte, n)
	}
	body := c.buf[:n]
	if _, err := io.ReadFull(c.in, body); err != nil {
		return 0, nil, fmt.Errorf("a frame ends early: %w", err)
	}
	return kind(head[0]), body, nil
}
