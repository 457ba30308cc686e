package kafkago_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	protobuf "github.com/cloudevents/sdk-go/binding/format/protobuf/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	bindingtest "github.com/cloudevents/sdk-go/v2/binding/test"
	"github.com/cloudevents/sdk-go/v2/binding/transformer"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/event/datacodec"
	cetest "github.com/cloudevents/sdk-go/v2/test"
	"github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/event/kafkago"
)

func write(ctx context.Context, t *testing.T, m binding.Message, transformers ...binding.Transformer) *kafka.Message {
	t.Helper()
	record := &kafka.Message{}
	if err := kafkago.WriteMessage(ctx, m, record, transformers...); err != nil {
		t.Fatal(err)
	}
	return record
}

func header(record *kafka.Message, name string) string {
	for _, h := range record.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// clean is the event with the types that extensions have after a text protocol.
func clean(t *testing.T, e event.Event) event.Event {
	return cetest.ConvertEventExtensionsToString(t, e)
}

// Each of the SDK's events, in each version, comes through each encoding as it
// was, from whatever kind of message it is written.
func TestRoundTrip(t *testing.T) {
	for name, test := range map[string]struct {
		encoding binding.Encoding
		media    string // of a structured record
		as       func(context.Context) context.Context
	}{
		"binary":              {binding.EncodingBinary, "", binding.WithForceBinary},
		"structured JSON":     {binding.EncodingStructured, "application/cloudevents+json", binding.WithForceStructured},
		"structured protobuf": {binding.EncodingStructured, "application/cloudevents+protobuf", protobufStructured},
	} {
		t.Run(name, func(t *testing.T) {
			cetest.EachEvent(t, cetest.Events(), func(t *testing.T, e event.Event) {
				messages := map[string]binding.Message{
					"event":  (*binding.EventMessage)(&e),
					"binary": bindingtest.MustCreateMockBinaryMessage(e),
				}
				if test.media != protobuf.ApplicationCloudEventsProtobuf { // a structured message keeps its format
					messages["structured"] = bindingtest.MustCreateMockStructuredMessage(t, e)
				} else if e.Data() == nil {
					return // the SDK's protobuf format makes no data into empty data
				}
				for kind, in := range messages {
					record := write(test.as(t.Context()), t, in)
					out := kafkago.NewMessage(record)
					if got := out.ReadEncoding(); got != test.encoding {
						t.Fatalf("%s: encoding is %v, not %v", kind, got, test.encoding)
					}
					if test.media != "" && header(record, "content-type") != test.media {
						t.Errorf("%s: content-type is %q", kind, header(record, "content-type"))
					}
					for range 2 { // a message may be read any number of times
						got := cetest.MustToEvent(t, t.Context(), out)
						cetest.AssertEventEquals(t, clean(t, e), clean(t, got))
					}
					if err := out.Finish(nil); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// protobufStructured asks for structured mode in protobuf.
func protobufStructured(ctx context.Context) context.Context {
	return binding.UseFormatForEvent(binding.WithForceStructured(ctx), protobuf.Protobuf)
}

// A structured message is handed on as it is, byte for byte.
func TestStructuredIsNotParsed(t *testing.T) {
	text := []byte(`{"specversion":"1.0", "id" : "1","source":"/s","type":"t","unknown":{"not":"an attribute"}}`)
	in := kafkago.NewMessage(&kafka.Message{
		Value: text, Headers: []kafka.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}},
	})
	record := write(t.Context(), t, in)
	if !bytes.Equal(record.Value, text) {
		t.Errorf("the value is %s", record.Value)
	}
	if len(record.Headers) != 1 || header(record, "content-type") != "application/cloudevents+json" {
		t.Errorf("the headers are %v", record.Headers)
	}
}

func TestBinaryRecord(t *testing.T) {
	e := cetest.FullEvent()
	e.SetExtension("partitionkey", "the key")
	record := write(binding.WithForceBinary(t.Context()), t, (*binding.EventMessage)(&e))
	want := map[string]string{
		"ce_dataschema": "http://example.com/schema", "ce_exbinary": "AAECAw==", "ce_exbool": "true", "ce_exint": "42",
		"ce_exstring": "exstring", "ce_extime": "2020-03-21T12:34:56.78Z", "ce_exurl": "http://example.com/source",
		"ce_id": "full-event", "ce_partitionkey": "the key", "ce_source": "http://example.com/source", "ce_specversion": "1.0",
		"ce_subject": "topic", "ce_time": "2020-03-21T12:34:56.78Z", "ce_type": "com.example.FullEvent", "content-type": "text/json",
	}
	if len(record.Headers) != len(want) {
		t.Errorf("%d headers, not %d: %v", len(record.Headers), len(want), record.Headers)
	}
	for name, value := range want {
		if got := header(record, name); got != value {
			t.Errorf("header %s is %q, not %q", name, got, value)
		}
	}
	if !slices.IsSortedFunc(record.Headers, func(a, b kafka.Header) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("the headers are not sorted: %v", record.Headers)
	}
	if string(record.Key) != "the key" {
		t.Errorf("the key is %q", record.Key)
	}
	var data string
	if err := datacodec.Decode(t.Context(), "text/json", record.Value, &data); err != nil || data != "hello" {
		t.Errorf("the value is %q: %v", record.Value, err)
	}
}

// On reading, the record's key makes no partitionkey.
func TestNoPartitionKeyIsMadeUp(t *testing.T) {
	e := cetest.MinEvent()
	for name, ctx := range map[string]context.Context{
		"binary": binding.WithForceBinary(t.Context()), "structured": binding.WithForceStructured(t.Context()),
	} {
		record := write(ctx, t, (*binding.EventMessage)(&e))
		if record.Key != nil {
			t.Errorf("%s: the record has the key %q", name, record.Key)
		}
		record.Key = []byte("key")
		got := cetest.MustToEvent(t, t.Context(), kafkago.NewMessage(record))
		if len(got.Extensions()) != 0 {
			t.Errorf("%s: extensions are %v", name, got.Extensions())
		}
	}
}

// A binary event without data is a record without a value: on a compacted topic
// it deletes what has its key.
func TestTombstone(t *testing.T) {
	e := cetest.MinEvent()
	e.SetExtension("partitionkey", "gone")
	record := write(binding.WithForceBinary(t.Context()), t, (*binding.EventMessage)(&e))
	if record.Value != nil || string(record.Key) != "gone" {
		t.Errorf("the record has key %q and value %v", record.Key, record.Value)
	}
	got := cetest.MustToEvent(t, t.Context(), kafkago.NewMessage(record))
	if got.Data() != nil {
		t.Errorf("data is %q", got.Data())
	}
	cetest.AssertEventEquals(t, e, got)
}

func TestEncodingOfARecord(t *testing.T) {
	for name, test := range map[string]struct {
		headers map[string]string
		want    binding.Encoding
	}{
		"binary":                {map[string]string{"ce_specversion": "1.0"}, binding.EncodingBinary},
		"binary, older version": {map[string]string{"ce_specversion": "0.3"}, binding.EncodingBinary},
		"binary, capitals":      {map[string]string{"CE_SpecVersion": "1.0"}, binding.EncodingBinary},
		"binary, with type":     {map[string]string{"ce_specversion": "1.0", "content-type": "application/json"}, binding.EncodingBinary},
		"structured":            {map[string]string{"content-type": "application/cloudevents+json"}, binding.EncodingStructured},
		"structured, capitals":  {map[string]string{"Content-Type": "Application/CloudEvents+JSON"}, binding.EncodingStructured},
		"structured, charset":   {map[string]string{"content-type": " application/cloudevents+json ; charset=utf-8"}, binding.EncodingStructured},
		"structured protobuf":   {map[string]string{"content-type": "APPLICATION/cloudevents+PROTOBUF"}, binding.EncodingStructured},
		"structured over binary": {map[string]string{
			"content-type": "application/cloudevents+json", "ce_specversion": "1.0"}, binding.EncodingStructured},
		"batch":           {map[string]string{"content-type": "application/cloudevents-batch+json"}, binding.EncodingBatch},
		"unknown format":  {map[string]string{"content-type": "application/cloudevents+xml"}, binding.EncodingUnknown},
		"unknown version": {map[string]string{"ce_specversion": "2.0"}, binding.EncodingUnknown},
		"no event":        {map[string]string{"content-type": "application/json"}, binding.EncodingUnknown},
		"no headers":      {nil, binding.EncodingUnknown},
	} {
		record := &kafka.Message{Value: []byte("{}")}
		for k, v := range test.headers {
			record.Headers = append(record.Headers, kafka.Header{Key: k, Value: []byte(v)})
		}
		m := kafkago.NewMessage(record)
		if got := m.ReadEncoding(); got != test.want {
			t.Errorf("%s: encoding is %v, not %v", name, got, test.want)
		}
		if test.want != binding.EncodingBinary {
			if err := m.ReadBinary(t.Context(), &bindingtest.MockBinaryMessage{}); !errors.Is(err, binding.ErrNotBinary) {
				t.Errorf("%s: ReadBinary says %v", name, err)
			}
		}
		if test.want == binding.EncodingBinary || test.want == binding.EncodingUnknown {
			if err := m.ReadStructured(t.Context(), &bindingtest.MockStructuredMessage{}); !errors.Is(err, binding.ErrNotStructured) {
				t.Errorf("%s: ReadStructured says %v", name, err)
			}
		}
		if test.want == binding.EncodingUnknown {
			if _, err := binding.ToEvent(t.Context(), m); !errors.Is(err, binding.ErrUnknownEncoding) {
				t.Errorf("%s: ToEvent says %v", name, err)
			}
		}
	}
}

// Of headers of one name the last counts, whatever the case.
func TestRepeatedHeaders(t *testing.T) {
	record := &kafka.Message{Headers: []kafka.Header{
		{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte("first")}, {Key: "ce_source", Value: []byte("/s")},
		{Key: "ce_type", Value: []byte("t")}, {Key: "CE_ID", Value: []byte("last")}, {Key: "other", Value: []byte("not an attribute")},
	}}
	got := cetest.MustToEvent(t, t.Context(), kafkago.NewMessage(record))
	if got.ID() != "last" || len(got.Extensions()) != 0 {
		t.Errorf("id is %q, extensions are %v", got.ID(), got.Extensions())
	}
}

func TestBadAttributes(t *testing.T) {
	for name, bad := range map[string]kafka.Header{
		"time":             {Key: "ce_time", Value: []byte("yesterday")},
		"extension's name": {Key: "ce_not-a-name", Value: []byte("x")},
		"no name":          {Key: "ce_", Value: []byte("x")},
	} {
		record := &kafka.Message{Headers: []kafka.Header{{Key: "ce_specversion", Value: []byte("1.0")}, bad}}
		if _, err := binding.ToEvent(t.Context(), kafkago.NewMessage(record)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The metadata can be read without the rest, as transformers do.
func TestMetadata(t *testing.T) {
	e := cetest.FullEvent()
	record := write(binding.WithForceBinary(t.Context()), t, (*binding.EventMessage)(&e))
	m := kafkago.NewMessage(record)
	for kind, want := range map[spec.Kind]any{
		spec.ID: "full-event", spec.Type: "com.example.FullEvent", spec.DataContentType: "text/json",
		spec.Subject: "topic", spec.SpecVersion: "1.0",
	} {
		if a, got := m.GetAttribute(kind); a == nil || a.Kind() != kind || got != want {
			t.Errorf("%v is %v (%v), not %v", kind, got, a, want)
		}
	}
	if got := m.GetExtension("ExString"); got != "exstring" {
		t.Errorf("extension is %v", got)
	}
	if got := m.GetExtension("none"); got != nil {
		t.Errorf("an extension that is not there is %v", got)
	}
	min := cetest.MinEvent()
	if a, got := kafkago.NewMessage(write(binding.WithForceBinary(t.Context()), t, (*binding.EventMessage)(&min))).GetAttribute(spec.Subject); a == nil || got != nil {
		t.Errorf("a subject that is not there is %v (%v)", got, a)
	}
	if a, got := kafkago.NewMessage(&kafka.Message{}).GetAttribute(spec.ID); a != nil || got != nil {
		t.Errorf("the id of no event is %v (%v)", got, a)
	}
}

// The SDK's own suite of transformers, with a record as the message.
func TestTransformers(t *testing.T) {
	in := cetest.MinEvent()
	in.SetExtension("was", "here")
	changed := in.Clone()
	changed.SetSubject("added")
	changed.SetExtension("was", nil)
	record := write(binding.WithForceBinary(t.Context()), t, (*binding.EventMessage)(&in))
	bindingtest.RunTransformerTests(t, t.Context(), []bindingtest.TransformerTestArgs{{
		Name: "set and delete", InputMessage: kafkago.NewMessage(record), WantEvent: changed,
		Transformers: []binding.Transformer{
			transformer.SetAttribute(spec.Subject, func(any) (any, error) { return "added", nil }),
			transformer.DeleteExtension("was"),
		},
	}})
	out := write(binding.WithForceBinary(t.Context()), t, kafkago.NewMessage(record),
		transformer.DeleteExtension("was"),
		transformer.SetAttribute(spec.Subject, func(any) (any, error) { return "added", nil }))
	cetest.AssertEventEquals(t, changed, cetest.MustToEvent(t, t.Context(), kafkago.NewMessage(out)))
}

// Deleting the partitionkey takes the key back.
func TestDeletedPartitionKey(t *testing.T) {
	e := cetest.MinEvent()
	e.SetExtension("partitionkey", "key")
	record := write(binding.WithForceBinary(t.Context()), t, bindingtest.MustCreateMockBinaryMessage(e), transformer.DeleteExtension("partitionkey"))
	if record.Key != nil || header(record, "ce_partitionkey") != "" {
		t.Errorf("the key is %q, the headers are %v", record.Key, record.Headers)
	}
}

// Equal events make equal records, whatever order a map of extensions has.
func TestWritingIsDeterministic(t *testing.T) {
	e := cetest.FullEvent()
	first, err := json.Marshal(write(binding.WithForceBinary(t.Context()), t, (*binding.EventMessage)(&e)))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := json.Marshal(write(binding.WithForceBinary(t.Context()), t, (*binding.EventMessage)(&e)))
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%s, then %s: %v", first, again, err)
		}
	}
}

func TestUnknownMessageIsNotWritten(t *testing.T) {
	if err := kafkago.WriteMessage(t.Context(), bindingtest.UnknownMessage, &kafka.Message{}); !errors.Is(err, binding.ErrUnknownEncoding) {
		t.Errorf("error is %v", err)
	}
	if format.Lookup("application/cloudevents+protobuf") == nil {
		t.Error("the protobuf format is not registered")
	}
}
