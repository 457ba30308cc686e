package notifier_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/config"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// slacking returns the settings of the channel alone.
func slacking(r *receiver) config.Notify {
	return config.Notify{SlackURL: config.Secret(r.URL + "/services/T000/B000/s3cr3t")}
}

// Payloads hold no markup of events: nobody is mentioned and nothing is linked.
func TestSlackGolden(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	for name, outcome := range outcomes {
		n := start(t, memory.New("churn"), slacking(to))
		n.run(t, recordAt(t, outcome("request"), at))
		got := to.got()
		if len(got) == 0 {
			t.Fatalf("%s: nothing came\n%s", name, n.log)
		}
		body := got[len(got)-1].body
		made := &bytes.Buffer{}
		if err := json.Indent(made, []byte(body), "", "  "); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".slack.json", append(made.Bytes(), '\n'))
		for _, markup := range []string{"<!", "<https", "<@", "\u202e"} {
			if strings.Contains(unescape(t, body), markup) {
				t.Errorf("%s: %q is in\n%s", name, markup, body)
			}
		}
	}
}

// unescape returns what Slack reads: encoding/json writes < as \u003c.
func unescape(t *testing.T, body string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	out := &bytes.Buffer{}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Whatever an event holds, Slack takes it: a section has at most 3000 characters.
func TestSlackIsNotTooLong(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	n := start(t, memory.New("churn"), slacking(to))
	e := rejected("request")
	m := e.Data.(*eventv1.ModelRejected)
	for range 100 {
		m.Rules = append(m.Rules, &eventv1.Rule{Name: strings.Repeat("ä<", 90), Explanation: strings.Repeat("&", 1000)})
	}
	n.run(t, record(t, e))
	var body struct {
		Blocks []struct{ Text struct{ Text string } }
	}
	if got := to.got(); len(got) != 1 {
		t.Fatalf("%d requests\n%s", len(got), n.log)
	} else if err := json.Unmarshal([]byte(got[0].body), &body); err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCountInString(body.Blocks[1].Text.Text); n < 1000 || n > 3000 {
		t.Errorf("the section has %d characters", n)
	}
}
