package event

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxText   = 16 << 10 // bytes of a text for people
	maxURI    = 2048
	maxSize   = 1 << 50 // bytes of an artifact
	maxCount  = 1 << 53 // what a float64 counts exactly
	maxTrials = 10000
	maxRounds = 1_000_000
	maxNumber = 1e300
	// maxProblems are named; a hostile event may have any number.
	maxProblems = 20
)

var hex64 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checker collects what is wrong with a message, each with the path of its
// field.
type checker struct {
	path     []string
	problems []error
}

func (c *checker) in(field string) { c.path = append(c.path, field) }
func (c *checker) out()            { c.path = c.path[:len(c.path)-1] }

func (c *checker) err() error { return errors.Join(c.problems...) }

func (c *checker) fail(field, format string, args ...any) {
	if len(c.problems) == maxProblems {
		return
	}
	path := strings.Join(append(c.path[:len(c.path):len(c.path)], field), ".")
	c.problems = append(c.problems, fmt.Errorf("%s "+format, append([]any{path}, args...)...))
}

// segment checks a name that becomes a part of keys and labels.
func (c *checker) segment(field, v string) {
	switch {
	case v == "":
		c.fail(field, "is missing")
	case !segment.MatchString(v):
		c.fail(field, "is %.200q: it must be of letters, digits, '.', '_' and '-', begin with a letter or digit, and have at most 128 of them", v)
	}
}

// optional checks a name that may be left out.
func (c *checker) optional(field, v string) {
	if v != "" {
		c.segment(field, v)
	}
}

// text checks a text for people.
func (c *checker) text(field, v string) {
	switch {
	case len(v) > maxText:
		c.fail(field, "has %d bytes: at most %d are allowed", len(v), maxText)
	case !utf8.ValidString(v):
		c.fail(field, "is not UTF-8")
	}
}

// required checks a text that must be there.
func (c *checker) required(field, v string) {
	if v == "" {
		c.fail(field, "is missing")
		return
	}
	c.text(field, v)
}

// uri checks where an artifact is. Whether it is this pipeline's bucket is for
// the store to say.
func (c *checker) uri(v string) {
	switch {
	case v == "":
		c.fail("uri", "is missing")
	case len(v) > maxURI || !strings.HasPrefix(v, "s3://"):
		c.fail("uri", "is %.200q: it must be s3://<bucket>/<key>", v)
	}
}

func (c *checker) digest(field, v string) {
	if !hex64.MatchString(v) {
		c.fail(field, "is %.100q: it must be a SHA-256 in 64 lower-case hex digits", v)
	}
}

func (c *checker) time(field, v string) {
	if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
		c.fail(field, "is %.100q: it must be a time such as 2026-01-31T12:00:00Z", v)
	}
}

// within checks a number against bounds that are allowed themselves.
func (c *checker) within(field string, v, low, high float64) {
	if !(v >= low && v <= high) { // so that NaN is refused
		c.fail(field, "is %v: it must be from %v to %v", v, low, high)
	}
}

// unit checks a number in [0, 1].
func (c *checker) unit(field string, v float64) { c.within(field, v, 0, 1) }

// share checks a number in (0, 1).
func (c *checker) share(field string, v float64) {
	if !(v > 0 && v < 1) {
		c.fail(field, "is %v: it must be above 0 and below 1", v)
	}
}

func (c *checker) finite(field string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		c.fail(field, "is %v: it must be a finite number", v)
	}
}
