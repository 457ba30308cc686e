package stage

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/asfotec/churn/pkg/event"
)

// The attributes of OpenTelemetry's conventions for messaging.

// processing returns the attributes of a span in which a record is handled, or an
// event that is handled without a broker.
func processing(d *delivery, e event.Event, group string) []attribute.KeyValue {
	attributes := []attribute.KeyValue{
		attribute.String("churn.run", e.Run()),
		attemptKey.Int(d.attempts + 1),
		attribute.Int("churn.retry.round", d.rounds),
		semconv.CloudEventsEventID(e.ID),
	}
	if d.byHand() {
		return attributes
	}
	return append(attributes,
		semconv.MessagingSystemKafka,
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingConsumerGroupName(group),
		semconv.MessagingDestinationName(d.record.Topic),
		semconv.MessagingDestinationPartitionID(strconv.Itoa(d.record.Partition)),
		semconv.MessagingKafkaOffset(int(d.record.Offset)),
		semconv.MessagingKafkaMessageKey(string(d.record.Key)),
	)
}

// sending returns the attributes of a span in which events are published: topic and
// key if they are of one, and otherwise how many they are.
func sending(prefix string, events ...event.Event) []attribute.KeyValue {
	attributes := []attribute.KeyValue{
		semconv.MessagingSystemKafka,
		semconv.MessagingOperationName("send"),
		semconv.MessagingOperationTypeSend,
	}
	if names := topics(events); len(names) == 1 {
		attributes = append(attributes, semconv.MessagingDestinationName(names[0].Name(prefix)))
	}
	if len(events) == 1 {
		return append(attributes, semconv.MessagingKafkaMessageKey(events[0].Key))
	}
	return append(attributes, semconv.MessagingBatchMessageCount(len(events)))
}

// attemptKey is which attempt at an event it is, from 1, those before it came back
// from the retry topic included.
const attemptKey = attribute.Key("churn.attempt")
