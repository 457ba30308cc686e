// Package event is the pipeline's CloudEvent: envelope and protobuf payload.
package event

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
)

// Event is one event of the pipeline.
type Event struct {
	Topic       churn.Topic   // where it was read from or goes to; not an attribute
	Key         string        // record key and the partitionkey extension
	ID          string        // derived, see churn.EventID
	Source      string        // /asfotec/churn/<service>
	Type        string        // com.asfotec.churn.<topic>.v1
	Subject     string        // run id; on a request it may be empty
	Time        time.Time     // when the run was requested
	Correlation string        // run id
	Causation   string        // id of the event answered; empty on a request
	Sequence    int64         // steps from the request: 0 for the request itself
	TraceParent string        // W3C trace context of the run's origin
	Data        proto.Message // one of the messages of asfotec.churn.event.v1
}

// Run returns the id of the run that the event belongs to.
func (e Event) Run() string {
	if e.Correlation != "" {
		return e.Correlation
	}
	return churn.RunID(e.ID)
}

// Reply returns an event that follows from e. Index tells apart events of one
// topic that follow from the same event.
func (e Event) Reply(s churn.Service, t churn.Topic, index int, key string, data proto.Message) Event {
	return Event{
		Topic:       t,
		Key:         key,
		ID:          churn.EventID(e.ID, t.Type(), index),
		Source:      s.Source(),
		Type:        t.Type(),
		Subject:     e.Run(),
		Time:        e.Time,
		Correlation: e.Run(),
		Causation:   e.ID,
		Sequence:    min(e.Sequence+1, maxSequence), // whatever was sent has an answer
		TraceParent: e.TraceParent,
		Data:        data,
	}
}
