package test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
)

// Each file is either read rightly or the run fails with a message that names
// the place; then the next request goes through.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	header, rows := telcoLines(t)
	file := func(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
	all := append([]string{header}, rows...)
	body := func(change func(lines []string)) string {
		lines := append([]string{}, all...)
		change(lines)
		return file(lines...)
	}
	tests := map[string]struct {
		content string
		code    int
		say     []string // in the reason
	}{
		"empty":          {"", 4, []string{"empty"}},
		"header only":    {file(header), 4, []string{"no rows"}},
		"missing column": {file("customerID,gender,Churn", "a,b,Yes"), 4, []string{"SeniorCitizen"}},
		"ragged row":     {body(func(l []string) { l[3] += ",more" }), 4, []string{"line 4"}},
		"one class":      {strings.ReplaceAll(file(all...), ",Yes\n", ",No\n"), 4, []string{"class"}},
		"bad label":      {body(func(l []string) { l[2] = l[2][:strings.LastIndex(l[2], ",")] + ",Maybe" }), 4, []string{"line 3", "Churn", "Maybe"}},
		"not UTF-8": {body(func(l []string) {
			l[5] = strings.Replace(l[5], ",Male,", ",M\xffle,", 1)
			l[5] = strings.Replace(l[5], ",Female,", ",F\xff,", 1)
		}), 4, []string{"line 6", "UTF-8"}},
		"NUL byte":       {body(func(l []string) { l[4] = "\x00" + l[4] }), 4, []string{"line 5", "NUL"}},
		"huge field":     {body(func(l []string) { l[7] = strings.Repeat("x", 10<<20) + l[7] }), 4, []string{"line 8"}},
		"bad number":     {body(func(l []string) { l[1] = strings.Replace(l[1], ",29.85,", ",many,", 1) }), 4, []string{"line 2", "MonthlyCharges", "many"}},
		"BOM":            {"\ufeff" + file(all...), 0, nil},
		"CRLF":           {strings.ReplaceAll(file(all...), "\n", "\r\n"), 0, nil},
		"CR":             {strings.ReplaceAll(file(all...), "\n", "\r"), 0, nil},
		"quoted newline": {body(func(l []string) { cut := strings.Index(l[1], ","); l[1] = "\"a\nb\"" + l[1][cut:] }), 0, nil},
	}
	if !strings.Contains(all[1], ",29.85,") {
		delete(tests, "bad number") // the generated file: covered with its own values in pkg/dataset
	}
	s := newStack(t)
	s.up("--serve=false")
	for name, test := range tests {
		// Each a model of its own: a champion on other data would be in the way.
		model := strings.ReplaceAll(name, " ", "-")
		t.Run(name, func(t *testing.T) {
			of := *s
			of.t = t
			var d runDetail
			of.want(test.code, &d, "retrain", "--data", writeCSV(t, test.content), "--register-name", model, "--timeout", "1m")
			for _, word := range test.say {
				if !strings.Contains(d.Reason, word) {
					t.Errorf("the reason does not say %q: %s", word, d.Reason)
				}
			}
			t.Log(d.Reason)
		})
	}
	s.want(0, nil, request("after")...)
}

// A malformed event on each topic goes to the dead letters of each group that
// reads it, with its bytes and the reason, and the next event flows.
func TestMalformedEvents(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	stack := s.up("--serve=false")
	b, err := kafka.New(kafka.Config{Brokers: []string{stack.Broker}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, spec := range churn.Topology {
		for _, group := range spec.Consumers {
			if group == churn.ModelService || group == churn.Gate && spec.Topic == churn.ApprovalRequested {
				continue // reads without a group; see services/modelservice and services/gate
			}
			original := bus.Record{
				Topic: spec.Topic.Name(churn.DefaultPrefix), Key: []byte("key"), Value: []byte("\xff not an event of " + spec.Topic),
				Headers: []bus.Header{{Key: "ce_type", Value: []byte("nonsense")}, {Key: "other", Value: []byte{0, 1, 2}}},
			}
			if err := b.Publish(t.Context(), original); err != nil {
				t.Fatal(err)
			}
			dead := awaitRecord(t, b, group.DeadLetterTopic().Name(churn.DefaultPrefix), original.Value)
			if string(dead.Key) != "key" || header(dead, "other") != "\x00\x01\x02" {
				t.Errorf("%s: key or headers were changed: %q %v", spec.Topic, dead.Key, dead.Headers)
			}
			if header(dead, "dlq_message") == "" || header(dead, "dlq_topic") != original.Topic {
				t.Errorf("%s: the reason is not there: %v", spec.Topic, dead.Headers)
			}
		}
	}
	s.want(0, nil, request("after")...)
}

// awaitRecord returns the record of the topic with the given value.
func awaitRecord(t *testing.T, b bus.Bus, topic string, value []byte) (found bus.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx, done := context.WithCancel(ctx)
	err := b.Read(ctx, topic, nil, true, func(_ context.Context, r bus.Record) error {
		if string(r.Value) == string(value) {
			found = r
			done()
		}
		return nil
	})
	done()
	if err != nil || found.Topic == "" {
		t.Fatalf("no dead letter in %s: %v", topic, err)
	}
	return found
}

func header(r bus.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
