package event_test

import (
	"encoding/json"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// previous is the release before this one. testdata/releases holds its schemas
// (buf build proto --exclude-source-info -o v….binpb) and a record of each topic
// that anyone wrote to.
const previous = "testdata/releases/v0.1"

func previousSchemas(t *testing.T) *protoregistry.Files {
	t.Helper()
	image, err := os.ReadFile(previous + ".binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(image, &set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// This release's services read what the previous one's wrote.
func TestOldEventsAreRead(t *testing.T) {
	text, err := os.ReadFile(previous + ".records.json")
	if err != nil {
		t.Fatal(err)
	}
	var records []golden
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	for _, g := range records {
		r := bus.Record{Topic: g.Topic, Key: []byte(g.Key), Value: g.Value}
		for _, h := range g.Headers {
			r.Headers = append(r.Headers, bus.Header{Key: h[0], Value: []byte(h[1])})
		}
		e := decode(t, r)
		if err := event.Validate(e); err != nil {
			t.Errorf("%s: %v", g.Topic, err)
		}
		if unknown := e.Data.ProtoReflect().GetUnknown(); len(unknown) > 0 {
			t.Errorf("%s: %d bytes of %s are not known any more", g.Topic, len(unknown), e.Type)
		}
	}
	if len(records) < 10 {
		t.Errorf("%d records", len(records))
	}
}

// The previous release's services read what this one's write: what they know of
// it is as it was written, and what they do not know goes through them unharmed.
func TestNewEventsAreReadByThePreviousRelease(t *testing.T) {
	schemas := previousSchemas(t)
	read := 0
	for _, spec := range churn.Topology {
		now := sample(spec.Topic)
		d, err := schemas.FindDescriptorByName(now.ProtoReflect().Descriptor().FullName())
		if err != nil {
			continue // a topic that it does not read
		}
		read++
		wire, err := proto.Marshal(now)
		if err != nil {
			t.Fatal(err)
		}
		then := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
		if err := proto.Unmarshal(wire, then); err != nil {
			t.Errorf("%s: %v", spec.Topic, err)
			continue
		}
		for fd, v := range then.Range {
			field := now.ProtoReflect().Descriptor().Fields().ByNumber(fd.Number())
			if field == nil || field.Name() != fd.Name() || field.Kind() != fd.Kind() {
				t.Errorf("%s: field %d was %s", spec.Topic, fd.Number(), fd.FullName())
				continue
			}
			if fd.Message() == nil && !fd.IsList() && !v.Equal(now.ProtoReflect().Get(field)) {
				t.Errorf("%s: %s is %v", spec.Topic, fd.Name(), v)
			}
		}
		passed, err := proto.Marshal(then)
		if err != nil {
			t.Fatal(err)
		}
		back := now.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(passed, back); err != nil || !proto.Equal(back, now) {
			t.Errorf("%s: what it passes on is not what it was given: %v", spec.Topic, err)
		}
	}
	if read < 11 {
		t.Errorf("it reads %d topics", read)
	}
}
