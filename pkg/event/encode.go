package event

import (
	"context"
	"strconv"

	"github.com/cloudevents/sdk-go/v2/binding"
	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event/kafkago"
)

// MaxSize is the most bytes that the record of one event may have; see Size.
const MaxSize = 1 << 20

// The extension attributes of the pipeline's events.
const (
	extPartitionKey = "partitionkey"
	extCorrelation  = "correlationid"
	extCausation    = "causationid"
	extSequence     = "sequence"
	extTraceParent  = "traceparent"
	extTopic        = "topic" // in batches only: a type may be in two topics
)

const (
	protobufMedia = "application/protobuf"
	jsonMedia     = "application/json"
)

// Encode returns the event as a record of its topic: a CloudEvent in binary
// mode, whose value is the protobuf message in its deterministic form. Equal
// events make equal records. An event that Decode would not take is an Invalid
// error.
func Encode(e Event, prefix string) (bus.Record, error) {
	const op = "event.Encode"
	if e.Topic == "" {
		return bus.Record{}, churn.Errorf(op, churn.Invalid, "event %s has no topic", e.ID)
	}
	out, err := toSDK(e)
	if err != nil {
		return bus.Record{}, churn.E(op, churn.Invalid, err)
	}
	var m kafka.Message
	if err := kafkago.WriteMessage(binding.WithForceBinary(context.Background()), binding.ToMessage(&out), &m); err != nil {
		return bus.Record{}, churn.E(op, churn.Invalid, err)
	}
	r := bus.Record{Topic: e.Topic.Name(prefix), Key: []byte(e.Key), Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, bus.Header{Key: h.Key, Value: h.Value})
	}
	if n := Size(r); n > MaxSize {
		return bus.Record{}, churn.Errorf(op, churn.Invalid, "event %s has %d bytes: at most %d are allowed; large things belong in artifacts", e.ID, n, MaxSize)
	}
	return r, nil
}

// headerOverhead bounds what the lengths of a header's key and value take, so
// that many empty headers are not nothing.
const headerOverhead = 10

// Size returns the bytes that the record's key, value and headers take, at most.
func Size(r bus.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += headerOverhead + len(h.Key) + len(h.Value)
	}
	return n
}

// toSDK returns the event as the SDK's, its data in protobuf.
func toSDK(e Event) (ce.Event, error) {
	const op = "event.envelope"
	if e.Data == nil {
		return ce.Event{}, churn.Errorf(op, churn.Invalid, "event %s has no data", e.ID)
	}
	if err := checkEnvelope(op, e); err != nil {
		return ce.Event{}, err
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Data)
	if err != nil {
		return ce.Event{}, churn.E(op, churn.Invalid, err)
	}
	out := envelope(e)
	out.DataEncoded, out.DataBase64 = data, true
	out.SetDataContentType(protobufMedia)
	out.SetDataSchema(schema(e.Data))
	if err := out.Validate(); err != nil {
		return ce.Event{}, churn.E(op, churn.Invalid, err)
	}
	return out, nil
}

// envelope returns the event's attributes.
func envelope(e Event) ce.Event {
	out := ce.New(ce.CloudEventsVersionV1)
	out.SetID(e.ID)
	out.SetSource(e.Source)
	out.SetType(e.Type)
	if e.Subject != "" {
		out.SetSubject(e.Subject)
	}
	if !e.Time.IsZero() {
		out.SetTime(e.Time.UTC())
	}
	set := func(name, value string) {
		if value != "" {
			out.SetExtension(name, value)
		}
	}
	set(extPartitionKey, e.Key)
	set(extCorrelation, e.Correlation)
	set(extCausation, e.Causation)
	set(extSequence, strconv.FormatInt(e.Sequence, 10))
	set(extTraceParent, e.TraceParent)
	return out
}
