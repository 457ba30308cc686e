package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap/zapcore"
)

// value is a field of Config as text. Its errors do not repeat what they
// refuse unless that cannot be a secret.
type value = pflag.Value

// Secret is text that shows as asterisks wherever it is printed or encoded.
type Secret string

const redacted = "********"

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString redacts the secret in %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText redacts the secret in JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Set implements pflag.Value.
func (s *Secret) Set(v string) error { *s = Secret(v); return nil }

// Type implements pflag.Value.
func (s *Secret) Type() string { return "string" }

type text string

func (t *text) String() string     { return string(*t) }
func (t *text) Set(v string) error { *t = text(strings.TrimSpace(v)); return nil }
func (t *text) Type() string       { return "string" }

// list is separated by commas; blanks around and empty elements are dropped.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }
func (l *list) Type() string   { return "list" }

func (l *list) Set(v string) error {
	*l = nil
	for e := range strings.SplitSeq(v, ",") {
		if e = strings.TrimSpace(e); e != "" {
			*l = append(*l, e)
		}
	}
	return nil
}

type boolean bool

func (b *boolean) String() string { return strconv.FormatBool(bool(*b)) }
func (b *boolean) Type() string   { return "bool" }

func (b *boolean) Set(v string) error {
	x, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("%q is not true or false", v)
	}
	*b = boolean(x)
	return nil
}

type duration time.Duration

func (d *duration) String() string { return time.Duration(*d).String() }
func (d *duration) Type() string   { return "duration" }

func (d *duration) Set(v string) error {
	x, err := time.ParseDuration(v)
	if err != nil || x <= 0 {
		return fmt.Errorf("%q is not a duration above zero such as 90s or 15m", v)
	}
	*d = duration(x)
	return nil
}

// number lies between least and most.
type number struct {
	n           *int
	least, most int
}

func (n number) String() string { return strconv.Itoa(*n.n) }
func (n number) Type() string   { return "int" }

func (n number) Set(v string) error {
	x, err := strconv.Atoi(v)
	if err != nil || x < n.least || x > n.most {
		return fmt.Errorf("%q is not a whole number from %d to %d", v, n.least, n.most)
	}
	*n.n = x
	return nil
}

// choice is one of a few words.
type choice struct {
	word  *string
	words []string
}

func (c choice) String() string { return *c.word }
func (c choice) Type() string   { return "string" }

func (c choice) Set(v string) error {
	if !slices.Contains(c.words, v) {
		return fmt.Errorf("%q is not one of %s", v, strings.TrimPrefix(strings.Join(c.words, ", "), ", "))
	}
	*c.word = v
	return nil
}

// topicPrefix is made of what Kafka allows in a topic's name.
type topicPrefix string

var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{0,150}$`)

func (t *topicPrefix) String() string { return string(*t) }
func (t *topicPrefix) Type() string   { return "string" }

func (t *topicPrefix) Set(v string) error {
	if !topicName.MatchString(v) {
		return fmt.Errorf("%q holds more than letters, digits, dots, dashes and underscores, or is too long", v)
	}
	*t = topicPrefix(v)
	return nil
}

// link is an http or https URL without credentials.
type link string

func (l *link) String() string { return string(*l) }
func (l *link) Type() string   { return "url" }

func (l *link) Set(v string) error {
	if v == "" {
		*l = ""
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return errors.New("it is not http://host:port or https://host:port without credentials")
	}
	*l = link(strings.TrimRight(v, "/"))
	return nil
}

// trackingURI is a link, or Databricks.
type trackingURI string

func (t *trackingURI) String() string { return string(*t) }
func (t *trackingURI) Type() string   { return "url" }

func (t *trackingURI) Set(v string) error {
	if v == Databricks {
		*t = Databricks
		return nil
	}
	return (*link)(t).Set(v)
}

// address is host:port; "off" leaves it empty.
type address string

const off = "off"

func (a *address) Type() string { return "host:port" }

func (a *address) String() string {
	if *a == "" {
		return off
	}
	return string(*a)
}

func (a *address) Set(v string) error {
	if v == off {
		*a = ""
		return nil
	}
	if _, _, err := net.SplitHostPort(v); err != nil {
		return fmt.Errorf("%q is not host:port", v)
	}
	*a = address(v)
	return nil
}

type level zapcore.Level

func (l *level) String() string { return zapcore.Level(*l).String() }
func (l *level) Type() string   { return "string" }

func (l *level) Set(v string) error {
	x, err := zapcore.ParseLevel(v)
	if err != nil || x > zapcore.ErrorLevel {
		return fmt.Errorf("%q is not debug, info, warn or error", v)
	}
	*l = level(x)
	return nil
}
