package dataset

import (
	"bufio"
	"bytes"
	"errors"
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

// maxRecord is the most bytes that one record may take, so that an unclosed
// quote does not swallow the file.
const maxRecord = 1 << 20

var bom = []byte("\ufeff")

// foreign are the first bytes of files that are often taken for CSV.
var foreign = []struct{ head, what string }{
	{"\xff\xfe", "is UTF-16: save it as UTF-8"},
	{"\xfe\xff", "is UTF-16: save it as UTF-8"},
	{"\x1f\x8b", "is compressed by gzip: give it uncompressed"},
	{"PK\x03\x04", "is a ZIP archive or a spreadsheet: export it as CSV"},
}

// place is a place in a file: line and byte of the line from 1, field of the
// record from 0.
type place struct{ line, byte, field int }

// malformed says what is wrong with a file's form, and where.
type malformed struct {
	place
	what string
}

func (m *malformed) Error() string { return m.what }

// cleaner makes the bytes of a file fit for encoding/csv: it drops a byte order
// mark, turns CR and CRLF into LF, refuses NUL bytes and records without end.
// It follows the quotes, to know which record and field a byte belongs to.
type cleaner struct {
	src       *bufio.Reader
	hasBOM    bool
	at        place // of the next byte
	begin     int   // line on which the record at hand begins
	size      int   // of the record at hand, in bytes
	quoted    bool  // whether the next byte is inside quotes
	pendingCR bool
	lf        int64 // lines that ended so
	crlf      int64
	cr        int64
	err       error
}

func newCleaner(r io.Reader) *cleaner {
	c := &cleaner{src: bufio.NewReaderSize(r, 64<<10), at: place{1, 1, 0}, begin: 1}
	head, err := c.src.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.head)) {
			c.refuse("the file %s", f.what)
		}
	}
	if bytes.HasPrefix(head, bom) {
		c.hasBOM = true
		_, _ = c.src.Discard(len(bom)) // buffered
	}
	return c
}

func (c *cleaner) Read(p []byte) (int, error) {
	for c.err == nil && len(p) > 0 {
		if _, c.err = c.src.Peek(1); c.err != nil {
			break
		}
		in, _ := c.src.Peek(min(c.src.Buffered(), len(p)))
		taken, n := 0, 0
		for taken < len(in) && c.err == nil {
			n += c.take(p[n:], in[taken])
			taken++
		}
		_, _ = c.src.Discard(taken) // buffered
		if n > 0 {
			return n, nil
		}
	}
	return 0, c.err
}

// take puts the cleaned form of b into p and returns how many bytes that are.
func (c *cleaner) take(p []byte, b byte) int {
	if c.pendingCR {
		c.pendingCR = false
		if b == '\n' { // the LF of a CRLF, whose CR was given as LF
			c.cr--
			c.crlf++
			return 0
		}
	}
	if b == 0 {
		return c.refuse("a NUL byte: this is no text file, or it is damaged")
	}
	if c.size++; c.size > maxRecord {
		return c.refuse("the record that begins on line %d is longer than %d bytes: is a quote not closed?", c.begin, maxRecord)
	}
	c.at.byte++
	switch b {
	case '"':
		c.quoted = !c.quoted // also right for a quote written twice
	case ',':
		if !c.quoted {
			c.at.field++
		}
	case '\r':
		c.pendingCR = true
		c.cr++
		b = '\n'
		c.endLine()
	case '\n':
		c.lf++
		c.endLine()
	}
	p[0] = b
	return 1
}

func (c *cleaner) endLine() {
	c.at.line, c.at.byte = c.at.line+1, 1
	if !c.quoted {
		c.at.field, c.begin, c.size = 0, c.at.line, 0
	}
}

// refuse ends the reading.
func (c *cleaner) refuse(format string, args ...any) int {
	c.err = &malformed{c.at, fmt.Sprintf(format, args...)}
	return 0
}

// lineEnd returns how the lines ended; "" if none did.
func (c *cleaner) lineEnd() LineEnd {
	switch all := c.lf + c.crlf + c.cr; {
	case all == 0:
		return ""
	case c.lf == all:
		return LF
	case c.crlf == all:
		return CRLF
	case c.cr == all:
		return CR
	default:
		return Mixed
	}
}
