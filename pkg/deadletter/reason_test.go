package deadletter_test

import (
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/deadletter"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func letterThatSays(message string) deadletter.Letter {
	return deadletter.Letter{ID: deadletter.ID{Service: churn.Featurizer}, Letter: stage.Letter{Kind: "invalid", Message: message}}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		`dataset.Read: line 3: Churn is "Maybe": it must be "Yes" or "No"`:                 `dataset.Read: line N: Churn is "…": it must be "…" or "…"`,
		`s3.Stat: s3://churn/datasets/none.csv: it is not there`:                           `s3.Stat: URI: it is not there`,
		`run 3f2a9c10-8c4b-5d0e-9f00-0123456789ab has no plan`:                             `run ID has no plan`,
		`the SHA-256 is 0123456789abcdef0123456789abcdef, not fedcba9876543210fedcba98`:    `the SHA-N is DIGEST, not DIGEST`,
		`no progress within 15m0s (CHURN_TIMEOUT): 0.25 of 1e-6 at 2026-01-31T12:00:00.5Z`: `no progress within TIME (CHURN_TIMEOUT): N of N at TIME`,
		"a\nb\x1b[31mc\tin utf8":      "a b [31mc in utf8",
		`an escape "\"" and more "x"`: `an escape "…" and more "…"`,
		"":                            "",
	} {
		r := deadletter.ReasonOf(letterThatSays(message))
		if r.Text != want {
			t.Errorf("%q has reason %q, not %q", message, r.Text, want)
		}
		if id := r.ID(); len(id) != 8 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("%q has the name %q", message, id)
		}
	}
	same, other := letterThatSays("line 3 is bad"), letterThatSays("line 40 is bad")
	if deadletter.ReasonOf(same).ID() != deadletter.ReasonOf(other).ID() {
		t.Error("one reason has two names")
	}
	other.ID.Service = churn.Trainer
	if deadletter.ReasonOf(same).ID() == deadletter.ReasonOf(other).ID() {
		t.Error("two reasons have one name")
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	id := deadletter.ID{Service: churn.Gate, Partition: 3, Offset: 1 << 40}
	if got, err := deadletter.ParseID(id.String()); err != nil || got != id {
		t.Errorf("%s is read as %s, %v", id, got, err)
	}
	for _, text := range []string{"", "gate", "gate/1", "gate/1/2/3", "client/0/0", "gate/-1/0", "gate/0/-1", "gate/x/0", "gate/0/9223372036854775808", "gate/2147483648/0", "gate//"} {
		if _, err := deadletter.ParseID(text); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("%q is an id: %v", text, err)
		}
	}
}

// Each kind of letter has advice that names what to do.
func TestAdvice(t *testing.T) {
	t.Parallel()
	letter := func(kind string, topic churn.Topic, undecodable error) deadletter.Letter {
		l := letterThatSays("x")
		l.Kind, l.Event, l.Undecodable = kind, event.Event{Topic: topic}, undecodable
		return l
	}
	trial := letter("internal", churn.FeaturesReady, nil)
	trial.Event.Data = &eventv1.FeaturesReady{Trial: 1, Trials: 4}
	for name, test := range map[string]struct {
		letter deadletter.Letter
		say    string
	}{
		"a trial":   {trial, "gone on without it"},
		"not found": {letter("not found", churn.RetrainRequested, nil), "Put it there"},
		"invalid":   {letter("invalid", churn.RetrainRequested, nil), "churnctl retrain"},
		"internal":  {letter("internal", churn.RetrainRequested, nil), "log of the featurizer"},
		"an answer": {letter("invalid", churn.ApprovalDecided, nil), "churnctl approve"},
		"no event":  {letter("invalid", "", churn.Errorf("x", churn.Invalid, "y")), "newer featurizer"},
	} {
		if got := test.letter.Advice(); !strings.Contains(got, test.say) {
			t.Errorf("%s: %q does not say %q", name, got, test.say)
		}
	}
}
