package stage_test

import (
	"testing"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

// What a letter says is what the original was, and redriven it is tried anew as
// that, whatever headers its producer has given it.
func TestLettersAreReadAndRedriven(t *testing.T) {
	simulate(t, func(w *world) {
		h, attempts := failing(2, invalid())
		_, stop := w.start(featurizer(h))
		defer stop()
		original := w.record(request("1"))
		original.Headers = append(original.Headers,
			bus.Header{Key: "retry_topic", Value: []byte("test.elsewhere")}, bus.Header{Key: "retry_not_before", Value: []byte("2999-01-01T00:00:00Z")})
		w.publish(original)
		w.settle()
		record := w.count(dead, 1)[0]
		l := stage.ReadLetter(record)
		if l.Original.Topic != in || l.Original.Offset != 0 || string(l.Original.Value) != string(original.Value) {
			t.Errorf("the original is %+v", l.Original)
		}
		if l.Kind != "invalid" || l.Message != "test.Do: line 4: change it" || l.Attempts != 1 || l.LeftOut != 0 || l.Last.IsZero() {
			t.Errorf("the letter says %+v", l)
		}
		w.publish(stage.Redriven(churn.Featurizer, prefix, record))
		w.settle()
		w.count(out, 2)
		if attempts.Load() != 2 {
			t.Errorf("%d attempts", attempts.Load())
		}
	})
}

// Anyone may write into a dead-letter topic.
func TestALetterOfSomebodyElse(t *testing.T) {
	l := stage.ReadLetter(bus.Record{Topic: dead, Value: []byte("x"), Headers: []bus.Header{
		{Key: "dlq_attempts", Value: []byte("-1")}, {Key: "dlq_left_out", Value: []byte("1e9")}, {Key: "dlq_message", Value: make([]byte, 1<<20)},
		{Key: "dlq_last_time", Value: []byte("yesterday")}, {Key: "dlq_kind", Value: []byte("\xff")},
	}})
	if l.Attempts != 0 || l.LeftOut != 0 || len(l.Message) > 5<<10 || !l.Last.IsZero() || l.Kind != "\uFFFD" || l.Original.Topic != dead {
		t.Errorf("it says %+v", l)
	}
}
