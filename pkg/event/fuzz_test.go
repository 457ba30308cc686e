package event_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/soak"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Whatever a record holds: no panic; an error is Invalid; an event is the same
// after it was written and read again; and there is an answer to it.
func FuzzDecode(f *testing.F) {
	for _, spec := range churn.Topology {
		e := eventOf(spec.Topic)
		r := encode(f, e)
		f.Add(uint8(0), r.Topic, r.Key, r.Value, e.ID, e.Source, e.Type, e.Subject, "2", traceParent, "application/protobuf")
		text, err := event.JSON(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(1), r.Topic, r.Key, text, "", "", "", "", "", "", "application/cloudevents+json")
	}
	f.Add(uint8(1), "churn.retrain-requested", []byte("k"), []byte(`{"data_base64":1,"specversion":"1.0"}`), "", "", "", "", "", "", "application/cloudevents+json")
	f.Add(uint8(1), "churn.retrain-requested", []byte(nil), []byte{0x0a, 0x01, 'x', 0x1a, 0x03, '1', '.', '0'}, "", "", "", "", "", "", "application/cloudevents+protobuf")
	soak.Fuzz(f, func(t *testing.T, mode uint8, topic string, key, value []byte, id, source, typ, subject, sequence, trace, media string) {
		r := bus.Record{Topic: topic, Key: key, Value: value, Time: time.UnixMilli(1769860800000)}
		add := func(name, value string) {
			r.Headers = append(r.Headers, bus.Header{Key: name, Value: []byte(value)})
		}
		add("content-type", media)
		if mode%2 == 0 {
			add("ce_specversion", "1.0")
			add("ce_id", id)
			add("ce_source", source)
			add("ce_type", typ)
			add("ce_subject", subject)
			add("ce_sequence", sequence)
			add("ce_correlationid", subject)
			add("ce_causationid", id)
			add("ce_traceparent", trace)
		}
		e, err := event.Decode(r, prefix)
		if err != nil {
			refused(t, "decode", err)
			return
		}
		_ = event.Validate(e)
		again, err := event.Encode(e, prefix)
		if err != nil {
			// Only what takes more room in our form than in the sender's.
			if event.Size(r) < event.MaxSize/8 {
				t.Fatalf("an event that was read cannot be written: %v\n%s", err, show(e))
			}
			return
		}
		same(t, "written and read again", decode(t, again), e)
		failed := &eventv1.RunFailed{Run: e.Run(), Stage: "trainer", Message: "m"}
		decode(t, encode(t, e.Reply(churn.Trainer, churn.RunFailed, 0, e.Run(), failed)))
	})
}

// Whatever is stored: no panic, an error is Invalid, and a batch that was read is
// the same once it was written and read again.
func FuzzDecodeBatch(f *testing.F) {
	for _, spec := range churn.Topology {
		batch, err := event.EncodeBatch([]event.Event{eventOf(spec.Topic)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(batch)
		text, err := event.JSON(eventOf(spec.Topic))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Join([][]byte{[]byte("["), text, []byte("]")}, nil))
	}
	f.Add([]byte(`[]`))
	f.Add([]byte(`[null]`))
	f.Add([]byte(`[{"data_base64":1,"specversion":"1.0"}]`))
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		events, err := event.DecodeBatch(text)
		if err != nil {
			refused(t, "decode", err)
			return
		}
		batch, err := event.EncodeBatch(events)
		if err != nil {
			t.Fatalf("events that were read cannot be written: %v", err)
		}
		again, err := event.DecodeBatch(batch)
		if err != nil || len(again) != len(events) {
			t.Fatalf("%d events are %d: %v", len(events), len(again), err)
		}
		for i, e := range again {
			same(t, "event", e, events[i])
		}
	})
}
