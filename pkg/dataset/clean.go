package dataset

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// LineEnd is how the lines of a file end.
type LineEnd string

// The line ends.
const (
	LF    LineEnd = "LF"
	CRLF  LineEnd = "CRLF"
	CR    LineEnd = "CR"
	Mixed LineEnd = "mixed"
)

var bom = []byte("\ufeff")

// cleaner makes the bytes of a file fit for encoding/csv: it drops a byte order
// mark, turns CR and CRLF into LF, refuses NUL bytes, and bounds what one record
// may take, so that an unclosed quote does not swallow the file.
type cleaner struct {
	src       *bufio.Reader
	lineEnds  map[LineEnd]int64
	hasBOM    bool
	line      int // of the next byte, from 1
	column    int // of the next byte, from 1, in bytes
	pendingCR bool
	budget    int // bytes left for the record at hand
	err       error
}

// maxRecord is the most bytes that one record may take.
const maxRecord = 1 << 20

func newCleaner(r io.Reader) (*cleaner, error) {
	c := &cleaner{src: bufio.NewReaderSize(r, 64<<10), lineEnds: map[LineEnd]int64{}, line: 1, column: 1}
	head, err := c.src.Peek(len(bom))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.Equal(head, bom) {
		c.hasBOM = true
		if _, err := c.src.Discard(len(bom)); err != nil {
			return nil, err
		}
	}
	c.nextRecord()
	return c, nil
}

// nextRecord grants the next record its bytes. What csv has read ahead (its
// buffer of 4 KiB) is allowed for.
func (c *cleaner) nextRecord() { c.budget = maxRecord + 8<<10 }

func (c *cleaner) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n := 0
	for n < len(p) && c.err == nil {
		if n > 0 && c.src.Buffered() == 0 && !c.pendingCR {
			break // give what is there rather than wait for more
		}
		b, err := c.src.ReadByte()
		if err != nil {
			c.err = err
			break
		}
		if c.budget--; c.budget < 0 {
			c.err = errTooLong
			break
		}
		n += c.take(p[n:], b)
	}
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// take puts the cleaned form of b into p and returns how many bytes that are.
func (c *cleaner) take(p []byte, b byte) int {
	if c.pendingCR {
		c.pendingCR = false
		if b == '\n' { // the LF of a CRLF, whose CR was given as LF
			c.lineEnds[CR]--
			c.lineEnds[CRLF]++
			return 0
		}
	}
	switch b {
	case 0:
		c.err = fmt.Errorf("line %d: a NUL byte at byte %d of the line: this is no text file, or it is damaged", c.line, c.column)
		return 0
	case '\r':
		c.pendingCR = true
		c.lineEnds[CR]++
		b = '\n'
	case '\n':
		c.lineEnds[LF]++
	}
	p[0] = b
	c.column++
	if b == '\n' {
		c.line, c.column = c.line+1, 1
	}
	return 1
}

// lineEnd returns how the lines ended.
func (c *cleaner) lineEnd() LineEnd {
	found := LineEnd("")
	for _, e := range []LineEnd{LF, CRLF, CR} {
		if c.lineEnds[e] == 0 {
			continue
		}
		if found != "" {
			return Mixed
		}
		found = e
	}
	return found
}
