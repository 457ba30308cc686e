package event

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asfotec/churn/pkg/churn"
)

const (
	// maxAttribute bounds one attribute, in bytes.
	maxAttribute = 1024
	// maxSequence is what every JSON parser reads exactly.
	maxSequence = 1<<53 - 1
)

var (
	traceParent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	// segment is what is used as a part of keys, labels and file names.
	segment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

	firstTime = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// checkEnvelope returns an Invalid error that names the attribute that is
// wrong.
func checkEnvelope(op string, e Event) error {
	for _, a := range []struct{ name, value string }{
		{"id", e.ID}, {"source", e.Source}, {"type", e.Type}, {"subject", e.Subject},
		{extPartitionKey, e.Key}, {extCausation, e.Causation},
	} {
		if err := checkAttribute(op, a.name, a.value); err != nil {
			return err
		}
	}
	switch {
	case e.ID == "":
		return churn.Errorf(op, churn.Invalid, "id is missing")
	case e.Source == "":
		return churn.Errorf(op, churn.Invalid, "source is missing")
	case e.Correlation != "" && !segment.MatchString(e.Correlation):
		return churn.Errorf(op, churn.Invalid, "correlationid is %.200q: it must be a run's id, of letters, digits, '.', '_' and '-'", e.Correlation)
	case e.Sequence < 0 || e.Sequence > maxSequence:
		return churn.Errorf(op, churn.Invalid, "sequence is %d: it must be from 0 to %d", e.Sequence, int64(maxSequence))
	case e.TraceParent != "" && !isTraceParent(e.TraceParent):
		return churn.Errorf(op, churn.Invalid, "traceparent is %.200q: it must be a W3C trace context", e.TraceParent)
	case !e.Time.IsZero() && (e.Time.Before(firstTime) || e.Time.After(lastTime)):
		return churn.Errorf(op, churn.Invalid, "time is in the year %d: it must be from 1970 to 9999", e.Time.Year())
	}
	return checkType(op, e)
}

func checkAttribute(op, name, value string) error {
	switch {
	case len(value) > maxAttribute:
		return churn.Errorf(op, churn.Invalid, "%s has %d bytes: at most %d are allowed", name, len(value), maxAttribute)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return churn.Errorf(op, churn.Invalid, "%s is %q: it must be UTF-8 without control characters", name, value)
	case strings.TrimSpace(value) != value:
		// Some parsers would take it away, and an id without it is another id.
		return churn.Errorf(op, churn.Invalid, "%s is %q: it must not begin or end with white space", name, value)
	}
	return nil
}

// isTraceParent reports whether s is a W3C trace context that names a span.
func isTraceParent(s string) bool {
	return traceParent.MatchString(s) && !strings.HasPrefix(s, "ff") &&
		strings.Trim(s[3:35], "0") != "" && strings.Trim(s[36:52], "0") != ""
}

// checkType holds the type against the data and, if it is one of the topology,
// the topic.
func checkType(op string, e Event) error {
	t, ok := payloads[e.Type]
	if !ok {
		return churn.Errorf(op, churn.Invalid, "type is %.200q: no such event is known", e.Type)
	}
	if e.Data != nil && e.Data.ProtoReflect().Descriptor() != t.Descriptor() {
		return churn.Errorf(op, churn.Invalid, "data is a %s: events of type %s hold a %s",
			e.Data.ProtoReflect().Descriptor().FullName(), e.Type, t.Descriptor().FullName())
	}
	if spec, ok := e.Topic.Spec(); ok && spec.Topic.Type() != e.Type {
		return churn.Errorf(op, churn.Invalid, "type is %q: topic %s holds %q", e.Type, e.Topic, spec.Topic.Type())
	}
	return nil
}
