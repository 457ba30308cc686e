package event_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	protobuf "github.com/cloudevents/sdk-go/binding/format/protobuf/v2"
	ce "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

var update = flag.Bool("update", false, "write the golden records anew")

const prefix = churn.DefaultPrefix

func encode(t testing.TB, e event.Event) bus.Record {
	t.Helper()
	r, err := event.Encode(e, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decode(t testing.TB, r bus.Record) event.Event {
	t.Helper()
	e, err := event.Decode(r, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// with returns the record with a header set, or without it if value is nil.
func with(r bus.Record, key string, value []byte) bus.Record {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h bus.Header) bool { return h.Key == key })
	if value != nil {
		r.Headers = append(r.Headers, bus.Header{Key: key, Value: value})
	}
	return r
}

// structured returns a record of a structured-mode event.
func structured(topic churn.Topic, media string, value []byte) bus.Record {
	return bus.Record{
		Topic: topic.Name(prefix), Value: value, Headers: []bus.Header{{Key: "content-type", Value: []byte(media)}},
		Time: time.Date(2026, 1, 31, 13, 0, 0, 0, time.UTC),
	}
}

// refused fails the test unless the error is Invalid and says each of the words.
func refused(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if !churn.IsKind(err, churn.Invalid) {
		t.Errorf("%s: error is %v, not Invalid", what, err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: error does not say %q: %v", what, word, err)
		}
	}
}

// Each type of event, as binary record, JSON and batch, is the same event again.
func TestRoundTrips(t *testing.T) {
	for _, spec := range churn.Topology {
		e := eventOf(spec.Topic)
		same(t, "binary "+string(spec.Topic), decode(t, encode(t, e)), e)

		text, err := event.JSON(e)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(text, "\n") {
			t.Errorf("%s: JSON is not one line: %s", spec.Topic, text)
		}
		same(t, "JSON "+string(spec.Topic), decode(t, structured(spec.Topic, "application/cloudevents+json", text)), e)

		batch, err := event.EncodeBatch([]event.Event{e, e})
		if err != nil {
			t.Fatal(err)
		}
		events, err := event.DecodeBatch(batch)
		if err != nil || len(events) != 2 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		same(t, "batch "+string(spec.Topic), events[1], e)
	}
}

// golden is a record as text.
type golden struct {
	Topic   string      `json:"topic"`
	Key     string      `json:"key"`
	Headers [][2]string `json:"headers"`
	Value   []byte      `json:"value"`
}

// The bytes on the wire are part of the contract: other people's consumers read
// them, and digests are made of them.
func TestGoldenRecord(t *testing.T) {
	for _, topic := range []churn.Topic{churn.RetrainRequested, churn.ModelTrained} {
		r := encode(t, eventOf(topic))
		g := golden{Topic: r.Topic, Key: string(r.Key), Value: r.Value}
		for _, h := range r.Headers {
			g.Headers = append(g.Headers, [2]string{h.Key, string(h.Value)})
		}
		got, err := json.MarshalIndent(g, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		file := filepath.Join("testdata", string(topic)+".record.json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s has changed; if that is meant: go test ./event -run Golden -update\n%s", file, got)
		}
	}
}

// The attributes are those of the design, and no others.
func TestAttributes(t *testing.T) {
	r := encode(t, eventOf(churn.ModelTrained))
	want := map[string]string{
		"ce_specversion":   "1.0",
		"ce_id":            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
		"ce_type":          "com.asfotec.churn.model-trained.v1",
		"ce_source":        "/asfotec/churn/trainer",
		"ce_subject":       "run-1",
		"ce_time":          "2026-01-31T12:00:00.123456789Z",
		"ce_partitionkey":  "churn-classifier",
		"ce_correlationid": "run-1",
		"ce_causationid":   "2026-01-31-nightly",
		"ce_sequence":      "2",
		"ce_dataschema":    "https://asfotec.com/schemas/asfotec.churn.event.v1.ModelTrained",
		"ce_traceparent":   traceParent,
		"content-type":     "application/protobuf",
	}
	for _, h := range r.Headers {
		if got, ok := want[h.Key]; !ok || got != string(h.Value) {
			t.Errorf("header %s is %q, not %q", h.Key, h.Value, got)
		}
		delete(want, h.Key)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if r.Topic != "churn.model-trained" || string(r.Key) != "churn-classifier" {
		t.Errorf("topic %q, key %q", r.Topic, r.Key)
	}
	var data eventv1.ModelTrained
	if err := proto.Unmarshal(r.Value, &data); err != nil || !proto.Equal(&data, sample(churn.ModelTrained)) {
		t.Errorf("the value is not the message: %v", err)
	}
	// What is empty is left out.
	bare := eventOf(churn.RunFailed)
	bare.Key, bare.Subject, bare.Causation, bare.Correlation, bare.TraceParent, bare.Time, bare.Sequence = "", "", "", "", "", time.Time{}, 0
	r = encode(t, bare)
	for _, name := range []string{"ce_partitionkey", "ce_subject", "ce_causationid", "ce_correlationid", "ce_traceparent", "ce_time"} {
		if slices.ContainsFunc(r.Headers, func(h bus.Header) bool { return h.Key == name }) {
			t.Errorf("%s is there", name)
		}
	}
}

// The example of README.md, as kcat sends it.
func TestKcatRequest(t *testing.T) {
	text := `{"specversion":"1.0","id":"2026-01-31-nightly","source":"/cron","type":"com.asfotec.churn.retrain-requested.v1","datacontenttype":"application/json","data":{"dataset":{"uri":"s3://churn/datasets/telco_churn.csv"}}}` + "\n"
	r := structured(churn.RetrainRequested, "application/cloudevents+json", []byte(text))
	r.Key = []byte("churn-classifier")
	e := decode(t, r)
	same(t, "request", e, event.Event{
		Topic: churn.RetrainRequested, Key: "churn-classifier", ID: "2026-01-31-nightly", Source: "/cron",
		Type: "com.asfotec.churn.retrain-requested.v1", Time: r.Time,
		Data: &eventv1.RetrainRequested{Dataset: plain("s3://churn/datasets/telco_churn.csv")},
	})
	if err := event.Validate(e); err != nil {
		t.Error(err)
	}
	if e.Run() != churn.RunID("2026-01-31-nightly") {
		t.Errorf("the run is %s", e.Run())
	}
}

// What other producers send.
func TestDecodeAcceptsOtherForms(t *testing.T) {
	want := &eventv1.RetrainRequested{Dataset: plain("s3://b/k"), Training: &eventv1.TrainingOverrides{NumLeaves: proto.Int32(7)}}
	data, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString(data)
	attributes := `"specversion":"1.0","id":"1","source":"/s","type":"com.asfotec.churn.retrain-requested.v1"`
	inJSON := `{"dataset":{"uri":"s3://b/k"},"training":{"numLeaves":7}}`
	binary := bus.Record{Topic: "churn.retrain-requested", Headers: []bus.Header{
		{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte("1")}, {Key: "ce_source", Value: []byte("/s")},
		{Key: "ce_type", Value: []byte("com.asfotec.churn.retrain-requested.v1")},
	}}
	of := func(media, value string) bus.Record {
		r := with(binary, "content-type", []byte(media))
		r.Value = []byte(value)
		return r
	}
	cloud := ce.New()
	cloud.SetID("1")
	cloud.SetSource("/s")
	cloud.SetType("com.asfotec.churn.retrain-requested.v1")
	if err := cloud.SetData("application/protobuf", data); err != nil {
		t.Fatal(err)
	}
	inProtobuf, err := protobuf.Protobuf.Marshal(&cloud)
	if err != nil {
		t.Fatal(err)
	}
	const json, structuredPB = "application/cloudevents+json", "application/cloudevents+protobuf"
	for name, r := range map[string]bus.Record{
		"binary protobuf":                of("application/protobuf", string(data)),
		"binary x-protobuf":              of("application/x-protobuf; messageType=x", string(data)),
		"binary JSON":                    of("application/json; charset=utf-8", inJSON),
		"binary +json":                   of("application/vnd.asfotec+json", inJSON),
		"binary, other case":             with(with(of("application/json", inJSON), "ce_id", nil), "CE_ID", []byte("1")),
		"JSON object":                    structured(churn.RetrainRequested, json, []byte(`{`+attributes+`,"datacontenttype":"application/json","data":`+inJSON+`}`)),
		"JSON object, no type":           structured(churn.RetrainRequested, json, []byte(`{`+attributes+`,"data":`+inJSON+`}`)),
		"JSON, proto names":              structured(churn.RetrainRequested, json, []byte(`{`+attributes+`,"data":{"dataset":{"uri":"s3://b/k"},"training":{"num_leaves":7}}}`)),
		"JSON, data first":               structured(churn.RetrainRequested, json, []byte(`{"data":`+inJSON+`,`+attributes+`}`)),
		"JSON, unknown fields":           structured(churn.RetrainRequested, json, []byte(`{`+attributes+`,"data":{"new":{"x":[1]},`+inJSON[1:]+`}`)),
		"JSON, unknown extension":        structured(churn.RetrainRequested, json, []byte(`{`+attributes+`,"newone":true,"data":`+inJSON+`}`)),
		"JSON, base64":                   structured(churn.RetrainRequested, json, []byte(`{`+attributes+`,"datacontenttype":"application/protobuf","data_base64":"`+b64+`"}`)),
		"JSON, base64 first":             structured(churn.RetrainRequested, json, []byte(`{"data_base64":"`+b64+`","datacontenttype":"application/protobuf",`+attributes+`}`)),
		"JSON, base64 of JSON":           structured(churn.RetrainRequested, json, []byte(`{`+attributes+`,"datacontenttype":"application/json","data_base64":"`+base64.StdEncoding.EncodeToString([]byte(inJSON))+`"}`)),
		"JSON, media type with charset":  structured(churn.RetrainRequested, "Application/CloudEvents+JSON; charset=UTF-8", []byte(`{`+attributes+`,"data":`+inJSON+`}`)),
		"structured protobuf":            structured(churn.RetrainRequested, structuredPB, inProtobuf),
		"malformed traceparent":          with(of("application/json", inJSON), "ce_traceparent", []byte("00-00000000000000000000000000000000-00f067aa0ba902b7-01")),
		"traceparent that is no such":    with(of("application/json", inJSON), "ce_traceparent", []byte("x")),
		"an extension of another's name": with(of("application/json", inJSON), "ce_topicname", []byte("x")),
	} {
		e := decode(t, r)
		if !proto.Equal(e.Data, want) || e.ID != "1" || e.Source != "/s" || e.TraceParent != "" {
			t.Errorf("%s: %s", name, show(e))
		}
	}
}

// Fields of a newer version are kept in protobuf, so that what passes an event on
// passes them on.
func TestUnknownProtobufFieldsAreKept(t *testing.T) {
	r := encode(t, eventOf(churn.RunFailed))
	r.Value = append(r.Value, 0xfa, 0x3f, 0x03, 'n', 'e', 'w') // field 1023
	if again := encode(t, decode(t, r)); !bytes.Contains(again.Value, []byte("new")) {
		t.Errorf("the value is %q", again.Value)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := encode(t, eventOf(churn.ModelTrained))
	long := bytes.Repeat([]byte("x"), 1025)
	const json, structuredPB = "application/cloudevents+json", "application/cloudevents+protobuf"
	inJSON := func(more string) bus.Record {
		return structured(churn.RetrainRequested, json,
			[]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"com.asfotec.churn.retrain-requested.v1"`+more+`}`))
	}
	onTopic := func(r bus.Record, topic string) bus.Record { r.Topic = topic; return r }
	valued := func(r bus.Record, value []byte) bus.Record { r.Value = value; return r }
	keyed := func(r bus.Record, key string) bus.Record { r.Key = []byte(key); return r }
	for name, test := range map[string]struct {
		record bus.Record
		say    []string
	}{
		"nothing":               {bus.Record{Topic: good.Topic}, []string{"not a CloudEvent", "ce_specversion"}},
		"tombstone":             {bus.Record{Topic: good.Topic, Key: []byte("k")}, []string{"not a CloudEvent"}},
		"event without data":    {valued(good, nil), []string{"no data", "ModelTrained"}},
		"empty data":            {valued(good, []byte{}), []string{"no data"}},
		"other data":            {valued(good, []byte("\xff\xff")), []string{"data is not a", "ModelTrained"}},
		"invalid UTF-8 in data": {valued(good, []byte{0x0a, 0x02, 0x0a, 0x00, 0x2a, 0x03, 0x32, 0x01, 0xff}), []string{"data is not a"}},
		"other topic":           {onTopic(good, "churn.model-promoted"), []string{"com.asfotec.churn.model-trained.v1", "this topic holds", "com.asfotec.churn.model-promoted.v1"}},
		"other prefix":          {onTopic(good, "elsewhere.model-trained"), []string{"prefix", "CHURN_TOPIC_PREFIX"}},
		"no type":               {with(good, "ce_type", nil), []string{"type"}},
		"unknown type":          {with(onTopic(good, "churn.retry.trainer"), "ce_type", []byte("com.example.other")), []string{"com.example.other", "no such event"}},
		"no id":                 {with(good, "ce_id", nil), []string{"id"}},
		"blank id":              {with(good, "ce_id", []byte("  ")), []string{"id"}},
		"no source":             {with(good, "ce_source", nil), []string{"source"}},
		"no specversion":        {with(good, "ce_specversion", nil), []string{"not a CloudEvent"}},
		"specversion 2":         {with(good, "ce_specversion", []byte("2.0")), []string{"2.0", "1.0 is understood"}},
		"specversion 0.3":       {with(with(good, "ce_specversion", []byte("0.3")), "ce_dataschema", nil), []string{"0.3"}},
		"long id":               {with(good, "ce_id", long), []string{"id has 1025 bytes", "1024"}},
		"long source":           {with(good, "ce_source", long), []string{"source has 1025 bytes"}},
		"long subject":          {with(good, "ce_subject", long), []string{"subject has 1025 bytes"}},
		"long causation":        {with(good, "ce_causationid", long), []string{"causationid has 1025 bytes"}},
		"long key":              {keyed(good, string(long)), []string{"partitionkey has 1025 bytes"}},
		"control character":     {with(good, "ce_id", []byte("a\nb")), []string{`id is "a\nb"`, "control"}},
		"escape in the subject": {with(good, "ce_subject", []byte("a\x1b[31m")), []string{"subject", "control"}},
		"not UTF-8":             {with(good, "ce_id", []byte("\xff")), []string{"id", "UTF-8"}},
		"key not UTF-8":         {keyed(good, "\xff"), []string{"partitionkey", "UTF-8"}},
		"correlation, a path":   {with(good, "ce_correlationid", []byte("../../etc")), []string{"correlationid", "../../etc"}},
		"correlation, hidden":   {with(good, "ce_correlationid", []byte(".x")), []string{"correlationid"}},
		"correlation, long":     {with(good, "ce_correlationid", bytes.Repeat([]byte("a"), 129)), []string{"correlationid"}},
		"sequence in words":     {with(good, "ce_sequence", []byte("two")), []string{"sequence", "two"}},
		"sequence below 0":      {with(good, "ce_sequence", []byte("-1")), []string{"sequence is -1"}},
		"sequence too large":    {with(good, "ce_sequence", []byte(fmt.Sprint(math.MaxInt64))), []string{"sequence is 9223372036854775807"}},
		"sequence over 64 bits": {with(good, "ce_sequence", []byte("9223372036854775808")), []string{"sequence"}},
		"time in words":         {with(good, "ce_time", []byte("noon")), []string{"noon"}},
		"time long ago":         {with(good, "ce_time", []byte("1969-12-31T23:59:59Z")), []string{"1969"}},
		"extension's name":      {with(good, "ce_not-one", []byte("x")), nil},
		"media type of data":    {with(good, "content-type", []byte("text/csv")), []string{"text/csv", "application/protobuf"}},
		"media type malformed":  {with(good, "content-type", []byte("/")), []string{"media type"}},
		"large value":           {valued(good, make([]byte, event.MaxSize)), []string{"bytes", "1048576", "artifacts"}},
		"large header":          {with(good, "other", make([]byte, event.MaxSize)), []string{"bytes", "artifacts"}},
		"many headers":          {bus.Record{Topic: good.Topic, Headers: make([]bus.Header, event.MaxSize/10+1)}, []string{"bytes"}},
		"batch":                 {structured(churn.ModelTrained, "application/cloudevents-batch+json", []byte("[]")), []string{"batch", "one event a record"}},
		"structured XML":        {structured(churn.ModelTrained, "application/cloudevents+xml", []byte("<event/>")), []string{"application/cloudevents+xml", "JSON and protobuf"}},
		"JSON: not JSON":        {structured(churn.RetrainRequested, json, []byte("{")), nil},
		"JSON: empty":           {structured(churn.RetrainRequested, json, nil), nil},
		"JSON: null":            {structured(churn.RetrainRequested, json, []byte("null")), nil},
		"JSON: a list":          {structured(churn.RetrainRequested, json, []byte("[]")), nil},
		"JSON: no specversion":  {structured(churn.RetrainRequested, json, []byte(`{"id":"1"}`)), []string{"specversion"}},
		"JSON: specversion 2":   {structured(churn.RetrainRequested, json, []byte(`{"specversion":"2.0"}`)), []string{"specversion"}},
		"JSON: id is a number":  {structured(churn.RetrainRequested, json, []byte(`{"specversion":"1.0","id":1,"source":"/s","type":"t"}`)), nil},
		"JSON: spaces round id": {structured(churn.RetrainRequested, json, []byte(`{"specversion":"1.0","id":" 1","source":"/s","type":"com.asfotec.churn.retrain-requested.v1","data":{"reason":"r"}}`)), []string{`id is " 1"`, "white space"}},
		"JSON: no data":         {inJSON(""), []string{"no data"}},
		"JSON: data is null":    {inJSON(`,"data":null`), []string{"data"}},
		"JSON: data is text":    {inJSON(`,"data":"text"`), []string{"data is not a"}},
		"JSON: wrong type":      {inJSON(`,"data":{"training":{"num_leaves":"many"}}`), []string{"data is not a", "numLeaves"}},
		"JSON: too large":       {inJSON(`,"data":{"training":{"num_leaves":4294967296}}`), []string{"data is not a"}},
		"JSON: base64 of what":  {inJSON(`,"data_base64":"AAAA"`), []string{"media type"}},
		"JSON: bad base64":      {inJSON(`,"datacontenttype":"application/protobuf","data_base64":"!"`), nil},
		"JSON: base64, number":  {inJSON(`,"datacontenttype":"application/protobuf","data_base64":1`), nil},
		"JSON: base64, short":   {structured(churn.RetrainRequested, json, []byte(`{"data_base64":1,"specversion":"1.0"}`)), nil},
		"JSON: deep data":       {inJSON(`,"data":{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`), nil},
		"JSON: deep extension":  {inJSON(`,"x":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)), nil},
		"protobuf: garbage":     {structured(churn.RetrainRequested, structuredPB, []byte("\xff")), nil},
		"protobuf: empty":       {structured(churn.RetrainRequested, structuredPB, nil), nil},
		"protobuf: no values":   {structured(churn.RetrainRequested, structuredPB, []byte{0x2a, 0x03, 0x0a, 0x01, 'x'}), nil},
	} {
		_, err := event.Decode(test.record, prefix)
		refused(t, name, err, append(test.say, "topic "+test.record.Topic)...)
	}
}

// A request that says no time has that of its record.
func TestTimeOfTheRecord(t *testing.T) {
	e := eventOf(churn.RetrainRequested)
	e.Time = time.Time{}
	r := encode(t, e)
	r.Time = time.Date(2026, 2, 1, 1, 2, 3, 0, time.FixedZone("CET", 3600))
	if got := decode(t, r).Time; !got.Equal(r.Time) || got.Location() != time.UTC {
		t.Errorf("the time is %v", got)
	}
	r = with(r, "ce_time", []byte("2026-01-31T12:00:00+02:00"))
	if got := decode(t, r).Time; got.Format(time.RFC3339) != "2026-01-31T10:00:00Z" {
		t.Errorf("the time is %v", got)
	}
}

// The record's key is the event's; a structured event may say it itself.
func TestKeyOfTheRecord(t *testing.T) {
	e := eventOf(churn.RetrainRequested)
	r := encode(t, e)
	r.Key = nil
	if got := decode(t, r).Key; got != e.Key {
		t.Errorf("without a record key the key is %q", got)
	}
	r.Key = []byte("another")
	if got := decode(t, r).Key; got != "another" {
		t.Errorf("the key is %q", got)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*event.Event)
		say    string
	}{
		"no data":            {func(e *event.Event) { e.Data = nil }, "no data"},
		"no topic":           {func(e *event.Event) { e.Topic = "" }, "no topic"},
		"no id":              {func(e *event.Event) { e.ID = "" }, "id is missing"},
		"no source":          {func(e *event.Event) { e.Source = "" }, "source is missing"},
		"other type":         {func(e *event.Event) { e.Type = churn.ModelPromoted.Type() }, "ModelPromoted"},
		"unknown type":       {func(e *event.Event) { e.Type = "x" }, "no such event"},
		"other data":         {func(e *event.Event) { e.Data = sample(churn.RunFailed) }, "RunFailed"},
		"data of no event":   {func(e *event.Event) { e.Data = artifact("x") }, "Artifact"},
		"other topic":        {func(e *event.Event) { e.Topic = churn.RunFailed }, "run-failed"},
		"text not UTF-8":     {func(e *event.Event) { e.Data.(*eventv1.ModelTrained).Plan.Reason = "\xff" }, "UTF-8"},
		"spaces round id":    {func(e *event.Event) { e.ID = "x " }, "white space"},
		"traceparent":        {func(e *event.Event) { e.TraceParent = "x" }, "traceparent"},
		"zero traceparent":   {func(e *event.Event) { e.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01" }, "traceparent"},
		"version ff":         {func(e *event.Event) { e.TraceParent = "ff" + traceParent[2:] }, "traceparent"},
		"year 10000":         {func(e *event.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "10000"},
		"large":              {func(e *event.Event) { e.Data.(*eventv1.ModelTrained).Plan.Reason = strings.Repeat("x", event.MaxSize) }, "artifacts"},
		"correlation a path": {func(e *event.Event) { e.Correlation = "a/b" }, "correlationid"},
	} {
		e := eventOf(churn.ModelTrained)
		test.change(&e)
		_, err := event.Encode(e, prefix)
		refused(t, name, err, test.say)
	}
}

// Replies follow from the event alone.
func TestReply(t *testing.T) {
	e := eventOf(churn.FeaturesReady)
	got := e.Reply(churn.Trainer, churn.ModelTrained, 3, "key", sample(churn.ModelTrained))
	same(t, "reply", got, event.Event{
		Topic: churn.ModelTrained, Key: "key", ID: churn.EventID(e.ID, churn.ModelTrained.Type(), 3), Source: "/asfotec/churn/trainer",
		Type: churn.ModelTrained.Type(), Subject: "run-1", Time: e.Time, Correlation: "run-1", Causation: e.ID, Sequence: 3,
		TraceParent: e.TraceParent, Data: sample(churn.ModelTrained),
	})
	// Whatever was sent can be answered.
	e.Sequence = 1<<53 - 1
	e.ID = strings.Repeat("x", 1024)
	decode(t, encode(t, decode(t, encode(t, e)).Reply(churn.Trainer, churn.RunFailed, 0, e.Run(), sample(churn.RunFailed))))
}

// An event of the table says in a batch which of the two topics of its type it
// is for; one of another producer follows from its type.
func TestBatchKnowsTheTopic(t *testing.T) {
	row := eventOf(churn.ModelCurrent)
	batch, err := event.EncodeBatch([]event.Event{row})
	if err != nil {
		t.Fatal(err)
	}
	events, err := event.DecodeBatch(batch)
	if err != nil || events[0].Topic != churn.ModelCurrent {
		t.Errorf("%v: %v", events, err)
	}
	foreign := bytes.Replace(batch, []byte(`"topic": "model-current",`), nil, 1)
	if bytes.Equal(foreign, batch) {
		foreign = bytes.Replace(batch, []byte(`"topic":"model-current",`), nil, 1)
	}
	events, err = event.DecodeBatch(foreign)
	if err != nil || events[0].Topic != churn.ModelPromoted {
		t.Errorf("%v: %v\n%s", events, err, foreign)
	}
}

// Stored outputs are compared byte for byte.
func TestBatchIsDeterministic(t *testing.T) {
	var events []event.Event
	for _, spec := range churn.Topology {
		events = append(events, eventOf(spec.Topic))
	}
	first, err := event.EncodeBatch(events)
	if err != nil {
		t.Fatal(err)
	}
	again, err := event.DecodeBatch(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := event.EncodeBatch(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v: the batch has changed\n%s\n%s", err, first, second)
	}
	empty, err := event.EncodeBatch(nil)
	if err != nil {
		t.Fatal(err)
	}
	if none, err := event.DecodeBatch(empty); err != nil || len(none) != 0 {
		t.Errorf("no events are %v: %v", none, err)
	}
}

func TestBatchRefuses(t *testing.T) {
	if _, err := event.EncodeBatch([]event.Event{eventOf(churn.RunFailed), {}}); true {
		refused(t, "encode", err, "event 2 of 2")
	}
	for name, text := range map[string]string{
		"empty":        "",
		"object":       "{}",
		"number":       "[1]",
		"null event":   "[null]",
		"no event":     "[{}]",
		"no data":      `[{"specversion":"1.0","id":"1","source":"/s","type":"com.asfotec.churn.run-failed.v1"}]`,
		"base64":       `[{"data_base64":1,"specversion":"1.0"}]`,
		"cut off":      `[{"specversion":"1.0"`,
		"unknown type": `[{"specversion":"1.0","id":"1","source":"/s","type":"x","data":{}}]`,
	} {
		_, err := event.DecodeBatch([]byte(text))
		refused(t, name, err)
	}
}

func TestJSONIsForPeople(t *testing.T) {
	text, err := event.JSON(eventOf(churn.RunFailed))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID   string          `json:"id"`
		Type string          `json:"datacontenttype"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var data eventv1.RunFailed
	if err := protojson.Unmarshal(got.Data, &data); err != nil || data.GetMessage() != "line 4: no" || got.Type != "application/json" {
		t.Errorf("%s: %v", text, err)
	}
	again, err := event.JSON(eventOf(churn.RunFailed))
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("%v: %s, then %s", err, text, again)
	}
	if _, err := event.JSON(event.Event{ID: "x"}); true {
		refused(t, "no data", err, "no data")
	}
}
