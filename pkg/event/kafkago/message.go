package kafkago

import (
	"bytes"
	"context"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/segmentio/kafka-go"
)

// Message is a record as a binding.Message. It may be read any number of times.
type Message struct {
	value   []byte
	headers []header // names in lower case; of equal names the last counts
	format  format.Format
	version spec.Version
}

type header struct{ name, value string }

var (
	_ binding.Message               = (*Message)(nil)
	_ binding.MessageMetadataReader = (*Message)(nil)
)

// NewMessage returns the record as a Message, which shares the record's value.
func NewMessage(record *kafka.Message) *Message {
	m := &Message{value: record.Value}
	at := map[string]int{}
	for _, h := range record.Headers {
		name := strings.ToLower(h.Key)
		if i, ok := at[name]; ok {
			m.headers[i].value = string(h.Value)
			continue
		}
		at[name] = len(m.headers)
		m.headers = append(m.headers, header{name, string(h.Value)})
	}
	media, _ := m.header(contentType)
	if isStructured(media) {
		m.format = format.Lookup(media)
		return m
	}
	if v, ok := m.header(specs.PrefixedSpecVersionName()); ok {
		m.version = specs.Version(v)
	}
	return m
}

func (m *Message) header(name string) (string, bool) {
	for _, h := range m.headers {
		if h.name == name {
			return h.value, true
		}
	}
	return "", false
}

// ReadEncoding implements binding.MessageReader. It is unknown for a record
// that is no event, and for an event format that is not registered.
func (m *Message) ReadEncoding() binding.Encoding {
	switch {
	case m.version != nil:
		return binding.EncodingBinary
	case m.format == format.JSONBatch:
		return binding.EncodingBatch
	case m.format != nil:
		return binding.EncodingStructured
	}
	return binding.EncodingUnknown
}

// ReadStructured implements binding.MessageReader.
func (m *Message) ReadStructured(ctx context.Context, w binding.StructuredWriter) error {
	if m.format == nil {
		return binding.ErrNotStructured
	}
	return w.SetStructuredEvent(ctx, m.format, bytes.NewReader(m.value))
}

// ReadBinary implements binding.MessageReader.
func (m *Message) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	if m.version == nil {
		return binding.ErrNotBinary
	}
	for _, h := range m.headers {
		if err := m.readHeader(h, w); err != nil {
			return err
		}
	}
	if m.value == nil {
		return nil
	}
	return w.SetData(bytes.NewBuffer(m.value))
}

func (m *Message) readHeader(h header, w binding.BinaryWriter) error {
	if h.name == contentType {
		return w.SetAttribute(m.version.AttributeFromKind(spec.DataContentType), h.value)
	}
	name, ok := strings.CutPrefix(h.name, prefix)
	if !ok {
		return nil
	}
	if a := m.version.Attribute(h.name); a != nil {
		return w.SetAttribute(a, h.value)
	}
	return w.SetExtension(name, h.value)
}

// GetAttribute implements binding.MessageMetadataReader.
func (m *Message) GetAttribute(k spec.Kind) (spec.Attribute, any) {
	if m.version == nil {
		return nil, nil
	}
	a := m.version.AttributeFromKind(k)
	if a == nil {
		return nil, nil
	}
	name := a.PrefixedName()
	if k == spec.DataContentType {
		name = contentType
	}
	if v, ok := m.header(name); ok {
		return a, v
	}
	return a, nil
}

// GetExtension implements binding.MessageMetadataReader.
func (m *Message) GetExtension(name string) any {
	if v, ok := m.header(prefix + strings.ToLower(name)); ok {
		return v
	}
	return nil
}

// Finish implements binding.Message. There is nothing to release: offsets are
// the consumer's matter.
func (m *Message) Finish(error) error { return nil }
