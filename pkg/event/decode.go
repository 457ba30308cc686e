package event

import (
	"context"
	"fmt"
	"mime"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	ce "github.com/cloudevents/sdk-go/v2/event"
	cetypes "github.com/cloudevents/sdk-go/v2/types"
	"github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event/kafkago"
)

// Decode returns the event in a record of a topic under prefix: a CloudEvent in
// binary mode, or structured as JSON or protobuf, with its data in protobuf or
// JSON. Fields that this version does not know are kept in protobuf and dropped
// from JSON. The time of an event that has none is the record's. Anything else
// is an Invalid error that says what is wrong; the values of fields are looked
// at by Validate.
func Decode(r bus.Record, prefix string) (Event, error) {
	const op = "event.Decode"
	e, err := decode(r, prefix)
	if err != nil {
		return Event{}, churn.Errorf(op, churn.Invalid, "topic %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return e, nil
}

func decode(r bus.Record, prefix string) (_ Event, err error) {
	defer recovered(&err)
	if n := Size(r); n > MaxSize {
		return Event{}, fmt.Errorf("%d bytes: at most %d are allowed; large things belong in artifacts", n, MaxSize)
	}
	name, ok := strings.CutPrefix(r.Topic, prefix)
	if !ok || name == "" {
		return Event{}, fmt.Errorf("the topic is not under the prefix %q (CHURN_TOPIC_PREFIX)", prefix)
	}
	in, err := readRecord(r)
	if err != nil {
		return Event{}, err
	}
	e, err := fromSDK(in)
	if err != nil {
		return Event{}, err
	}
	e.Topic = churn.Topic(name)
	if spec, ok := e.Topic.Spec(); ok && e.Type != spec.Topic.Type() {
		return Event{}, fmt.Errorf("type is %q: this topic holds %q", e.Type, spec.Topic.Type())
	}
	if len(r.Key) > 0 {
		e.Key = string(r.Key)
	}
	if e.Time.IsZero() {
		e.Time = r.Time.UTC()
	}
	return e, checkEnvelope("event.envelope", e)
}

// readRecord reads the record as the SDK's event.
func readRecord(r bus.Record) (*ce.Event, error) {
	m := kafkago.NewMessage(toMessage(r))
	switch m.ReadEncoding() {
	case binding.EncodingBinary, binding.EncodingStructured:
		return binding.ToEvent(context.Background(), m)
	case binding.EncodingBatch:
		return nil, fmt.Errorf("a batch of events: send one event a record")
	}
	return nil, notAnEvent(r)
}

// recovered turns a panic of the parsers, which some malformed events bring
// about in the SDK's, into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("malformed CloudEvent: %v", p)
	}
}

func toMessage(r bus.Record) *kafka.Message {
	m := &kafka.Message{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	return m
}

// notAnEvent says why a record is no CloudEvent.
func notAnEvent(r bus.Record) error {
	media, version := "", ""
	for _, h := range r.Headers {
		switch strings.ToLower(h.Key) {
		case "content-type":
			media = string(h.Value)
		case "ce_specversion":
			version = string(h.Value)
		}
	}
	switch {
	case strings.HasPrefix(strings.ToLower(media), "application/cloudevents"):
		return fmt.Errorf("content-type is %.100q: of structured events, JSON and protobuf are understood", media)
	case version != "":
		return fmt.Errorf("ce_specversion is %.20q: 1.0 is understood", version)
	}
	return fmt.Errorf("not a CloudEvent: there is neither a ce_specversion header nor a content-type of application/cloudevents+json")
}

// fromSDK returns the SDK's event as ours, its data unpacked.
func fromSDK(in *ce.Event) (Event, error) {
	if err := in.Validate(); err != nil {
		return Event{}, err
	}
	if v := in.SpecVersion(); v != ce.CloudEventsVersionV1 {
		return Event{}, fmt.Errorf("specversion is %q: 1.0 is understood", v)
	}
	e := Event{
		ID:      in.ID(),
		Source:  in.Source(),
		Type:    in.Type(),
		Subject: in.Subject(),
		Time:    in.Time().UTC(),
	}
	if in.Time().IsZero() {
		e.Time = in.Time()
	}
	if err := readExtensions(in.Extensions(), &e); err != nil {
		return Event{}, err
	}
	var err error
	e.Data, err = unpack(in)
	return e, err
}

func readExtensions(ext map[string]any, e *Event) error {
	text := func(name string) string {
		s, err := cetypes.Format(ext[name])
		if ext[name] == nil || err != nil {
			return ""
		}
		return s
	}
	e.Key = text(extPartitionKey)
	e.Topic = churn.Topic(text(extTopic))
	e.Correlation = text(extCorrelation)
	e.Causation = text(extCausation)
	if p := text(extTraceParent); isTraceParent(p) {
		e.TraceParent = p // a malformed one is ignored, as W3C asks
	}
	if s := text(extSequence); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("sequence is %.20q: it must be a whole number", s)
		}
		e.Sequence = n
	}
	return nil
}

// unpack returns the event's data.
func unpack(in *ce.Event) (proto.Message, error) {
	m, ok := newMessage(in.Type())
	if !ok {
		return nil, fmt.Errorf("type is %.200q: no such event is known", in.Type())
	}
	data := in.Data()
	if len(data) == 0 {
		return nil, fmt.Errorf("the event has no data: %s is expected", m.ProtoReflect().Descriptor().FullName())
	}
	media, err := dataMedia(in)
	if err != nil {
		return nil, err
	}
	if media == protobufMedia {
		err = proto.Unmarshal(data, m)
	} else {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, m)
	}
	if err != nil {
		return nil, fmt.Errorf("data is not a %s in %s: %w", m.ProtoReflect().Descriptor().FullName(), media, err)
	}
	return m, nil
}

// dataMedia returns the media type of the data, either protobuf's or JSON's. A
// structured JSON event without one has JSON data.
func dataMedia(in *ce.Event) (string, error) {
	given := in.DataContentType()
	if given == "" && !in.DataBase64 {
		return jsonMedia, nil
	}
	media, _, err := mime.ParseMediaType(given)
	switch {
	case err != nil:
		return "", fmt.Errorf("the media type of the data is %.100q: %s or %s is expected", given, protobufMedia, jsonMedia)
	case media == protobufMedia, media == "application/x-protobuf":
		return protobufMedia, nil
	case media == jsonMedia, strings.HasSuffix(media, "+json"):
		return jsonMedia, nil
	}
	return "", fmt.Errorf("the media type of the data is %.100q: %s or %s is expected", given, protobufMedia, jsonMedia)
}
