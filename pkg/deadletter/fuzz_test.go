package deadletter

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/soak"
	"github.com/asfotec/churn/pkg/stage"
)

// Anybody who may write to a dead-letter topic can have written a letter. It can be
// shown all the same, in one line that no terminal obeys, and be redriven.
func FuzzLetter(f *testing.F) {
	f.Add("dlq_kind", "internal", "dlq_message", "op 17: it is away", []byte("k"), []byte("v"))
	f.Add("dlq_original_topic", "churn.model-trained", "dlq_original_partition", "-1", []byte(nil), []byte(nil))
	f.Add("dlq_original_offset", "9223372036854775808", "dlq_attempts", "1e9", []byte("k"), []byte("v"))
	f.Add("dlq_left_out", "4194304", "dlq_first_time", "2026-13-01T00:00:00Z", []byte("k"), []byte("v"))
	f.Add("retry_attempts", "\xff", "content-type", "application/cloudevents+json", []byte(nil), []byte(`{"specversion":"1.0"}`))
	f.Add("dlq_message", "\x1b[2J\x1b[H \"", "dlq_kind", "\u202e", []byte("k"), []byte("v"))
	soak.Fuzz(f, func(t *testing.T, name, value, other, another string, key, body []byte) {
		l := open(churn.Trainer, "churn.", bus.Record{
			Topic: churn.Trainer.DeadLetterTopic().Name("churn."), Partition: 1, Offset: 2, Key: key, Value: body,
			Headers: []bus.Header{{Key: name, Value: []byte(value)}, {Key: other, Value: []byte(another)}},
		})
		groups := Groups{}
		groups.Add(l)
		for _, text := range []string{groups.Sorted()[0].Text, Plain(l.Kind), Plain(l.Run()), l.Advice(), Plain(l.Original.Topic)} {
			if len(text) > 16<<10 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", text)
			}
		}
		if l.Attempts < 0 || l.LeftOut < 0 {
			t.Errorf("%d attempts, %d bytes left out", l.Attempts, l.LeftOut)
		}
		again := stage.Redriven(churn.Trainer, "churn.", l.Record)
		if again.Topic != churn.Trainer.RetryTopic().Name("churn.") || !slices.Equal(again.Value, body) {
			t.Errorf("%+v", again)
		}
		if back := stage.ReadLetter(again); back.Attempts != l.Attempts || back.Kind != l.Kind {
			t.Errorf("redriven, %+v is %+v", l.Letter, back)
		}
	})
}

// A name is that of one letter, or of one mark, or of none.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"featurizer/0/12", "gate/2147483648/0", "trainer/0/-1", "a/b/c", "0.json", "7.redriven.json", "7.dropped.json", "1048576.json", "1.begun.json", "1..json"} {
		f.Add(seed)
	}
	soak.Fuzz(f, func(t *testing.T, name string) {
		if id, err := ParseID(name); err == nil {
			if again, err := ParseID(id.String()); err != nil || again != id {
				t.Errorf("%q is %v and %v: %v", name, id, again, err)
			}
		} else if !churn.IsKind(err, churn.Invalid) {
			t.Errorf("%q: %v", name, err)
		}
		if n, state, ok := parseMark(name); ok {
			want := strconv.Itoa(n) + suffix
			if state != Begun {
				want = strconv.Itoa(n) + "." + string(state) + suffix
			}
			if n2, state2, ok := parseMark(want); !ok || n2 != n || state2 != state {
				t.Errorf("%q is %d, %s and %d, %s", name, n, state, n2, state2)
			}
		}
	})
}
