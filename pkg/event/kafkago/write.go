package kafkago

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/segmentio/kafka-go"
)

// WriteMessage fills the record's headers, value and, from the partitionkey
// extension of a binary event, key with the message. The context may ask for an
// encoding, see binding.WithForceStructured. Headers are sorted by name, so that
// equal events make equal records.
func WriteMessage(ctx context.Context, m binding.Message, record *kafka.Message, transformers ...binding.Transformer) error {
	w := (*writer)(record)
	_, err := binding.Write(ctx, m, w, w, transformers...)
	return err
}

type writer kafka.Message

var (
	_ binding.StructuredWriter = (*writer)(nil)
	_ binding.BinaryWriter     = (*writer)(nil)
)

// SetStructuredEvent implements binding.StructuredWriter.
func (w *writer) SetStructuredEvent(_ context.Context, f format.Format, event io.Reader) error {
	w.Headers = nil
	w.set(contentType, f.MediaType())
	return w.SetData(event)
}

// Start implements binding.BinaryWriter.
func (w *writer) Start(context.Context) error {
	w.Headers, w.Value = nil, nil
	return nil
}

// SetAttribute implements binding.BinaryWriter.
func (w *writer) SetAttribute(a spec.Attribute, value any) error {
	if a.Kind() == spec.DataContentType {
		return w.format(contentType, value)
	}
	return w.format(prefix+a.Name(), value)
}

// SetExtension implements binding.BinaryWriter.
func (w *writer) SetExtension(name string, value any) error {
	if err := w.format(prefix+name, value); err != nil || name != partitionKey {
		return err
	}
	w.Key = nil
	if value == nil {
		return nil
	}
	key, err := types.Format(value)
	w.Key = []byte(key)
	return err
}

// SetData implements binding.BinaryWriter.
func (w *writer) SetData(data io.Reader) (err error) {
	w.Value, err = io.ReadAll(data)
	return err
}

// End implements binding.BinaryWriter.
func (w *writer) End(context.Context) error {
	slices.SortStableFunc(w.Headers, func(a, b kafka.Header) int { return cmp.Compare(a.Key, b.Key) })
	return nil
}

// format sets a header to an attribute's canonical string, or removes it.
func (w *writer) format(name string, value any) error {
	if value == nil {
		w.remove(name)
		return nil
	}
	s, err := types.Format(value)
	if err != nil {
		return err
	}
	w.set(name, s)
	return nil
}

func (w *writer) set(name, value string) {
	w.remove(name)
	w.Headers = append(w.Headers, kafka.Header{Key: name, Value: []byte(value)})
}

func (w *writer) remove(name string) {
	w.Headers = slices.DeleteFunc(w.Headers, func(h kafka.Header) bool { return h.Key == name })
}
