package event

import (
	"encoding/json"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/asfotec/churn/pkg/churn"
)

// BatchMedia is the media type of EncodeBatch's result.
const BatchMedia = ce.ApplicationCloudEventsBatchJSON

// EncodeBatch returns the events, in their order, as a CloudEvents JSON batch
// with protobuf data in base64. Each has its topic in an extension attribute.
// Equal events make equal bytes.
func EncodeBatch(events []Event) ([]byte, error) {
	const op = "event.EncodeBatch"
	batch := make([]ce.Event, len(events))
	for i, e := range events {
		out, err := toSDK(e)
		if err != nil {
			return nil, churn.Errorf(op, churn.Invalid, "event %d of %d: %w", i+1, len(events), err)
		}
		setTopic(&out, e.Topic)
		batch[i] = out
	}
	text, err := json.MarshalIndent(batch, "", "  ")
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	return append(text, '\n'), nil
}

func setTopic(out *ce.Event, t churn.Topic) {
	if t != "" {
		out.SetExtension(extTopic, string(t))
	}
}

// DecodeBatch is EncodeBatch's inverse. Events of other producers may be in the
// batch: their topic follows from their type.
func DecodeBatch(text []byte) ([]Event, error) {
	const op = "event.DecodeBatch"
	batch, err := readBatch(text)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "not a CloudEvents JSON batch: %w", err)
	}
	events := make([]Event, len(batch))
	for i := range batch {
		e, err := fromSDK(&batch[i])
		if err == nil && e.Topic == "" {
			e.Topic = topicOf(e.Type)
		}
		if err == nil {
			err = checkEnvelope("event.envelope", e)
		}
		if err != nil {
			return nil, churn.Errorf(op, churn.Invalid, "event %d of %d: %w", i+1, len(batch), err)
		}
		events[i] = e
	}
	return events, nil
}

func readBatch(text []byte) (batch []ce.Event, err error) {
	defer recovered(&err)
	err = json.Unmarshal(text, &batch)
	return batch, err
}

// JSON returns the event for people, on one line: a CloudEvent in structured
// mode whose data is the message in protobuf's JSON form. Equal events make
// equal bytes. Published as application/cloudevents+json it is the event again.
func JSON(e Event) ([]byte, error) {
	const op = "event.JSON"
	if e.Data == nil {
		return nil, churn.Errorf(op, churn.Invalid, "event %s has no data", e.ID)
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(e.Data)
	if err != nil {
		return nil, churn.E(op, churn.Invalid, err)
	}
	out := envelope(e)
	setTopic(&out, e.Topic)
	out.DataEncoded = data
	out.SetDataContentType(jsonMedia)
	out.SetDataSchema(schema(e.Data))
	text, err := json.Marshal(out) // removes the white space that protojson adds at random
	return text, churn.E(op, churn.Internal, err)
}
