package obs

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// maxValue bounds a text in a span, in bytes: keys, ids and errors come from events,
// and anyone may send events.
const maxValue = 4 << 10

// exportable hands on spans whose texts are short and UTF-8. A single text that is
// not UTF-8 would lose every span that is exported along with its own.
type exportable struct{ sdktrace.SpanExporter }

// ExportSpans implements sdktrace.SpanExporter.
func (e exportable) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	tidied := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		tidied[i] = tidy{s}
	}
	return e.SpanExporter.ExportSpans(ctx, tidied)
}

// tidy is a span with texts that can be exported.
type tidy struct{ sdktrace.ReadOnlySpan }

// Attributes implements sdktrace.ReadOnlySpan.
func (t tidy) Attributes() []attribute.KeyValue { return texts(t.ReadOnlySpan.Attributes()) }

// Events implements sdktrace.ReadOnlySpan.
func (t tidy) Events() []sdktrace.Event {
	events := slices.Clone(t.ReadOnlySpan.Events())
	for i := range events {
		events[i].Attributes = texts(events[i].Attributes)
	}
	return events
}

func texts(attributes []attribute.KeyValue) []attribute.KeyValue {
	attributes = slices.Clone(attributes)
	for i, a := range attributes {
		if a.Value.Type() == attribute.STRING {
			attributes[i].Value = attribute.StringValue(text(a.Value.AsString()))
		}
	}
	return attributes
}

// text returns s as valid UTF-8 of a bounded length.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxValue {
		s = strings.ToValidUTF8(s[:maxValue], "") + "…"
	}
	return s
}
