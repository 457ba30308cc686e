package event

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/asfotec/churn/pkg/churn"
	// Registers the payloads.
	_ "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	messages = "asfotec.churn.event.v1."
	// schemas is the base of the dataschema attribute; the full name of the
	// protobuf message, which ends in its version's package, follows.
	schemas = "https://asfotec.com/schemas/"
)

// payloads holds the payload of each CloudEvent type of the topology.
var payloads = func() map[string]protoreflect.MessageType {
	m := map[string]protoreflect.MessageType{}
	for _, s := range churn.Topology {
		t, err := protoregistry.GlobalTypes.FindMessageByName(messages + protoreflect.FullName(s.Message))
		if err != nil {
			panic("event: the topology names an unknown message: " + s.Message) // a programming error
		}
		m[s.Topic.Type()] = t
	}
	return m
}()

func newMessage(eventType string) (proto.Message, bool) {
	t, ok := payloads[eventType]
	if !ok {
		return nil, false
	}
	return t.New().Interface(), true
}

func schema(m proto.Message) string {
	return schemas + string(m.ProtoReflect().Descriptor().FullName())
}

// topicOf returns the topic of a type's events; for a promotion, which is in two
// topics, model-promoted.
func topicOf(eventType string) churn.Topic {
	for _, s := range churn.Topology {
		if s.Topic.Type() == eventType {
			return s.Topic
		}
	}
	return ""
}
