package stage

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Pauses double up to the longest, each shortened by up to half, whatever the
// number of attempts.
func TestPauses(t *testing.T) {
	for _, b := range []Backoff{
		{First: 100 * time.Millisecond, Longest: 5 * time.Second},
		{First: 30 * time.Second, Longest: time.Hour},
		{First: time.Second, Longest: time.Second},
		{First: time.Hour, Longest: time.Minute},
		{First: 1, Longest: math.MaxInt64},
		{First: 3, Longest: 1},
		{},
	} {
		longest := min(b.First, b.Longest)
		for n := 1; n < 200; n++ {
			for range 20 {
				if d := b.pause(n); d > longest || d < longest/2 {
					t.Fatalf("%+v: pause %d is %v, not from %v to %v", b, n, d, longest/2, longest)
				}
			}
			if longest > b.Longest/2 {
				longest = b.Longest
			} else {
				longest *= 2
			}
		}
	}
	if b := (Backoff{First: time.Second, Longest: time.Hour}); func() bool {
		first := b.pause(10)
		for range 100 {
			if b.pause(10) != first {
				return false
			}
		}
		return true
	}() {
		t.Error("the pauses have no jitter")
	}
}

// What goes to the retry topic comes back as it was, any number of times.
func TestComeback(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 5, time.UTC)
	original := bus.Record{
		Topic: "churn.features-ready", Partition: 3, Offset: 1 << 40, Key: []byte("k"), Value: []byte("v"), Time: now.Add(-time.Hour),
		Headers: []bus.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "retry_mine"}, {Key: "dlq"}},
	}
	d := arrival(original)
	for round := 1; round <= 3; round++ {
		d.failed(now)
		r := d.again("churn.retry.trainer", now.Add(time.Minute), now.Add(2*time.Minute))
		if r.Topic != "churn.retry.trainer" || !r.Time.Equal(now.Add(time.Minute)) {
			t.Errorf("it goes to %s at %v", r.Topic, r.Time)
		}
		r.Partition, r.Offset = 0, int64(round)
		d = comeback(r)
		if d.attempts != round || d.rounds != round || !d.first.Equal(now) || !d.due.Equal(now.Add(2*time.Minute)) {
			t.Errorf("round %d: %+v", round, d)
		}
		if got := d.record; got.Topic != original.Topic || got.Partition != 3 || got.Offset != 1<<40 || !got.Time.Equal(original.Time) ||
			!slices.EqualFunc(got.Headers, original.Headers, func(a, b bus.Header) bool { return a.Key == b.Key && string(a.Value) == string(b.Value) }) {
			t.Errorf("round %d: the record is %+v", round, got)
		}
	}
	letter := deadLetter(d, "churn.dlq.trainer", "churn.trainer", errors.New("x"), now)
	back := comeback(letter)
	if back.attempts != 0 || back.rounds != 0 || !back.first.IsZero() || !back.due.IsZero() {
		t.Errorf("a redriven letter is not tried anew: %+v", back)
	}
	if len(back.record.Headers) != len(original.Headers) || back.record.Offset != original.Offset {
		t.Errorf("a redriven letter is %+v", back.record)
	}
}

func TestMessage(t *testing.T) {
	for name, text := range map[string]string{
		"long": strings.Repeat("é", maxMessage), "not UTF-8": "a\xffb", "long, not UTF-8": strings.Repeat("\xff", maxMessage), "short": "x", "empty": "",
	} {
		got := message(errors.New(text))
		if !utf8.ValidString(got) || len(got) > maxMessage+len("…") {
			t.Errorf("%s: %d bytes, UTF-8: %v", name, len(got), utf8.ValidString(got))
		}
		if utf8.ValidString(text) && len(text) <= maxMessage && got != text {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestFailureKinds(t *testing.T) {
	for kind, want := range map[churn.Kind]string{
		churn.Internal: "transient", churn.Invalid: "invalid", churn.Transient: "transient", churn.NotFound: "invalid", churn.Conflict: "transient",
	} {
		err := churn.Errorf("op", kind, "x")
		if got := failureKind(err); got != want || permanent(err) != (want == "invalid") {
			t.Errorf("%s: %s, permanent %v", kind, got, permanent(err))
		}
	}
	if err := Foreign(churn.Errorf("op", churn.Invalid, "x")); !isForeign(err) || !permanent(err) || churn.OpOf(err) != "op" {
		t.Errorf("%v is not foreign", err)
	}
}

func TestModelOf(t *testing.T) {
	for name, test := range map[string]struct {
		e    event.Event
		want string
	}{
		"request":        {event.Event{Data: &eventv1.RetrainRequested{Model: "m"}}, "m"},
		"plan":           {event.Event{Data: &eventv1.FeaturesReady{Plan: &eventv1.Plan{Model: "m"}}}, "m"},
		"plan is first":  {event.Event{Data: &eventv1.ModelPromoted{Plan: &eventv1.Plan{Model: "m"}, Model: "other"}}, "m"},
		"no plan":        {event.Event{Data: &eventv1.FeaturesReady{}}, ""},
		"names none":     {event.Event{Data: &eventv1.RunProgress{}}, ""},
		"nothing":        {event.Event{}, ""},
		"cannot be one":  {event.Event{Data: &eventv1.RetrainRequested{Model: "../m"}}, ""},
		"newline behind": {event.Event{Data: &eventv1.RetrainRequested{Model: "m\n"}}, ""},
	} {
		if got := modelOf(test.e); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestParseCount(t *testing.T) {
	for _, test := range []struct {
		text string
		bits int
		want int64
	}{
		{"0", 31, 0}, {"7", 31, 7}, {"-1", 31, 0}, {"", 31, 0}, {"x", 31, 0}, {"1.5", 31, 0},
		{"1073741823", 31, 1<<30 - 1}, {"1073741824", 31, 0}, {"9223372036854775807", 64, math.MaxInt64}, {"9223372036854775808", 64, 0},
	} {
		if got := parseCount(test.text, test.bits); got != test.want {
			t.Errorf("%q is %d, not %d", test.text, got, test.want)
		}
	}
}
