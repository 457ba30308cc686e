package notifier_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
	"github.com/asfotec/churn/services/notifier"
)

// everything returns settings with every channel.
func everything(chat, hook *receiver, box *mailbox) config.Notify {
	c := mailing("smtp+plain", box)
	c.SlackURL, c.WebhookURL, c.WebhookSecret = slacking(chat).SlackURL, hooked(hook).WebhookURL, secret
	return c
}

// Every outcome is told once on every channel, however often its event comes, to
// this notifier or to one that is started later.
func TestEveryOutcomeOnceOnEveryChannel(t *testing.T) {
	t.Parallel()
	chat, hook, box := newReceiver(t), newReceiver(t), newMailbox(t, "smtp+plain")
	store := memory.New("churn")
	var records []bus.Record
	for name, outcome := range outcomes {
		r := record(t, outcome("request of "+name))
		records = append(records, r, r)
	}
	for range 2 {
		if got := start(t, store, everything(chat, hook, box)).run(t, records...); len(got) > 0 {
			t.Errorf("published to %v", got)
		}
	}
	n := len(outcomes)
	if len(chat.got()) != n || len(hook.got()) != n || len(box.got()) != n {
		t.Errorf("told %d times by Slack, %d by webhook, %d by e-mail; there are %d outcomes", len(chat.got()), len(hook.got()), len(box.got()), n)
	}
	if got := receipts(t, store); len(got[notifier.Slack]) != n || len(got[notifier.Webhook]) != n || len(got[notifier.Email]) != n {
		t.Errorf("receipts: %v", got)
	}
}

// A remote that cannot now is asked again, and the others are not told again.
func TestOneChannelIsTriedAgainWithoutTheOthers(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]answer{
		"in place":    {{code: 500}},
		"put aside":   {{code: 503}, {code: 429, header: http.Header{"Retry-After": {"0"}}}, {code: 502}},
		"slows it":    {{code: 429, header: http.Header{"Retry-After": {"1"}}}},
		"no HTTP day": {{code: 408}, {code: 425}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chat, hook, box := newReceiver(t, answers...), newReceiver(t), newMailbox(t, "smtp+plain")
			n := start(t, memory.New("churn"), everything(chat, hook, box))
			started := time.Now()
			topics := n.run(t, record(t, promoted("request")))
			if len(chat.got()) != len(answers)+1 || len(hook.got()) != 1 || len(box.got()) != 1 {
				t.Errorf("asked Slack %d times, told %d by webhook, %d by e-mail\n%s", len(chat.got()), len(hook.got()), len(box.got()), n.log)
			}
			if slices.Contains(topics, "churn.dlq.notifier") || n.count(t, notifier.Sent) != 3 {
				t.Errorf("published to %v, %v sent", topics, n.count(t, notifier.Sent))
			}
			if answers[0].header != nil && time.Since(started) < time.Second {
				t.Error("it does not wait as long as it is told to")
			}
		})
	}
}

// What a remote will never take is noted, said and counted, and not sent again. No
// run fails over it.
func TestRefused(t *testing.T) {
	t.Parallel()
	for code, says := range map[int]string{400: "400 Bad Request (invalid_payload)", 403: "403 Forbidden", 404: "404 Not Found", 410: "410 Gone"} {
		to := newReceiver(t, answer{code: code, body: map[bool]string{true: "invalid_payload", false: "Cannot POST /services/T000/B000/s3cr3t"}[code == 400]})
		store := memory.New("churn")
		n := start(t, store, slacking(to))
		r := record(t, failed("request"))
		topics := n.run(t, r, r)
		got := receipts(t, store)[notifier.Slack]
		if len(topics) > 0 || len(to.got()) != 1 || len(got) != 1 || !strings.Contains(got[0], says) || n.count(t, notifier.Refused) != 1 {
			t.Errorf("%d: published to %v, asked %d times, receipts %s", code, topics, len(to.got()), got)
		}
		if strings.Contains(n.log.String()+got[0], "s3cr3t") {
			t.Errorf("%d: the URL is told\n%s", code, n.log)
		}
	}
}

// What cannot be told becomes a dead letter of the notifier's own; tried anew, it
// is told to those who do not know. The run has its end already.
func TestGivenUpAndTriedAnew(t *testing.T) {
	t.Parallel()
	down := slices.Repeat([]answer{{code: 500}}, 6) // 2 attempts, and 2 in each of 2 rounds
	chat, hook := newReceiver(t, down...), newReceiver(t)
	store := memory.New("churn")
	c := slacking(chat)
	c.WebhookURL, c.WebhookSecret, c.MaxAge = hooked(hook).WebhookURL, secret, 24*time.Hour
	n := start(t, store, c)
	topics := n.run(t, record(t, promoted("request")))
	if want := []string{"churn.retry.notifier", "churn.retry.notifier", "churn.dlq.notifier"}; !slices.Equal(topics, want) {
		t.Fatalf("published to %v", topics)
	}
	letter := record(t, promoted("request"))
	letter.Topic = "churn.retry.notifier" // as who redrives puts it there, days later
	letter.Headers = append(letter.Headers,
		bus.Header{Key: "dlq_topic", Value: []byte("churn.model-promoted")},
		bus.Header{Key: "dlq_time", Value: []byte(time.Now().Add(-72 * time.Hour).Format(time.RFC3339))})
	if topics := n.run(t, letter); len(topics) > 0 {
		t.Errorf("published to %v", topics)
	}
	if len(chat.got()) != 7 || len(hook.got()) != 1 || n.count(t, notifier.Sent) != 2 {
		t.Errorf("asked Slack %d times, told %d by webhook\n%s", len(chat.got()), len(hook.got()), n.log)
	}
}

// An event that is wrong ends no run: the notifier is no part of one.
func TestWrongEventsFailNoRun(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	wrong := promoted("request")
	wrong.Data.(*eventv1.ModelPromoted).Version = 0
	n := start(t, memory.New("churn"), slacking(to))
	topics := n.run(t, record(t, wrong), bus.Record{Topic: "churn.run-failed", Value: []byte("\xff")})
	if want := []string{"churn.dlq.notifier", "churn.dlq.notifier"}; !slices.Equal(topics, want) || len(to.got()) > 0 {
		t.Errorf("published to %v, told %d times", topics, len(to.got()))
	}
}

// At a first start nobody is told of what is long over.
func TestOldOutcomesAreLeftAlone(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	c := slacking(to)
	c.MaxAge = 24 * time.Hour
	n := start(t, memory.New("churn"), c)
	old := recordAt(t, promoted("old"), time.Now().Add(-25*time.Hour))
	n.run(t, old, recordAt(t, promoted("new"), time.Now().Add(-23*time.Hour)), old)
	if got := to.got(); len(got) != 1 || !strings.Contains(got[0].body, churn.RunID("new")) || n.count(t, notifier.TooOld) != 1 {
		t.Errorf("told %d times, %v too old", len(got), n.count(t, notifier.TooOld))
	}
}

// Outcomes go where routes say, and those that no route names everywhere.
func TestRoutes(t *testing.T) {
	t.Parallel()
	chat, hook, box := newReceiver(t), newReceiver(t), newMailbox(t, "smtp+plain")
	c := everything(chat, hook, box)
	c.Routes = "failed=email,webhook rejected= approval-requested=slack"
	start(t, memory.New("churn"), c).run(t,
		record(t, failed("1")), record(t, rejected("2")), record(t, approvalRequested("3")), record(t, promoted("4")))
	if len(chat.got()) != 2 || len(hook.got()) != 2 || len(box.got()) != 2 {
		t.Errorf("told %d times by Slack, %d by webhook, %d by e-mail", len(chat.got()), len(hook.got()), len(box.got()))
	}
}

// Without a channel it runs, and says once that it tells nobody.
func TestNobody(t *testing.T) {
	t.Parallel()
	n := start(t, memory.New("churn"), config.Notify{})
	topics := n.run(t, record(t, promoted("1")), record(t, failed("2")))
	if said := strings.Count(n.log.String(), "tells nobody"); len(topics) > 0 || said != 1 {
		t.Errorf("published to %v, said %d times that nobody is told", topics, said)
	}
}

// forgetful is a store in which the first receipts cannot be written.
type forgetful struct {
	*memory.Store
	mu   sync.Mutex
	left int
}

func (f *forgetful) Put(ctx context.Context, key, media string, body io.ReadSeeker) (*blob.Artifact, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(key, "/notices/") && f.left > 0 {
		f.left--
		return nil, churn.Errorf("test", churn.Transient, "away")
	}
	return f.Store.Put(ctx, key, media, body)
}

// A notice that was sent while the store went away is noted when it is back, and
// not sent again.
func TestTheStoreIsAwayAfterASend(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	store := &forgetful{Store: memory.New("churn"), left: 5}
	n := start(t, store, slacking(to))
	n.run(t, record(t, promoted("request")))
	if len(to.got()) != 1 || len(receipts(t, store)[notifier.Slack]) != 1 || n.count(t, notifier.Sent) != 1 {
		t.Errorf("told %d times, receipts %v", len(to.got()), receipts(t, store))
	}
}

// Two copies of an event at once, one from its topic and one from the retry topic,
// make one notice.
func TestTwoCopiesAtOnce(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	n := start(t, memory.New("churn"), hooked(to))
	var both sync.WaitGroup
	for range 8 {
		both.Go(func() {
			if _, err := n.stage.Handler.Handle(t.Context(), promoted("request")); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if len(to.got()) != 1 {
		t.Errorf("told %d times", len(to.got()))
	}
}

// A notifier that is stopped while it sends ends what it has begun, so that the
// next one does not repeat it; and begins nothing more.
func TestStoppedWhileSending(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	to := newReceiver(t)
	to.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop()
		time.Sleep(50 * time.Millisecond) // a request that is given up ends before
		if r.Context().Err() == nil {
			to.ServeHTTP(w, r)
		}
	})
	store := memory.New("churn")
	c := slacking(to)
	c.WebhookURL, c.WebhookSecret = hooked(to).WebhookURL, secret
	if _, err := start(t, store, c).stage.Handler.Handle(ctx, promoted("request")); err == nil {
		t.Error("it says that it is done")
	}
	if got := receipts(t, store); len(to.got()) != 1 || len(got[notifier.Slack]) != 1 || len(got[notifier.Webhook]) != 0 {
		t.Fatalf("told %d times, receipts %v", len(to.got()), got)
	}
	start(t, store, c).run(t, record(t, promoted("request")))
	if len(to.got()) != 2 || to.got()[1].path != "/hooks/s3cr3t-path" {
		t.Errorf("told %d times", len(to.got()))
	}
}

// Who is killed between the send and the receipt sends again: under the same id,
// and the same body, by which receivers can tell.
func TestKilledBetweenSendAndReceipt(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	r := record(t, promoted("request"))
	for range 2 { // each with a store in which nothing is noted
		start(t, memory.New("churn"), hooked(to)).run(t, r)
	}
	got := to.got()
	if len(got) != 2 || got[0].header.Get("Webhook-Id") != got[1].header.Get("Webhook-Id") || got[0].body != got[1].body {
		t.Errorf("sent %v", got)
	}
	other := record(t, promoted("other"))
	start(t, memory.New("churn"), hooked(to)).run(t, other)
	if got := to.got(); got[2].header.Get("Webhook-Id") == got[0].header.Get("Webhook-Id") {
		t.Error("another event has the same id")
	}
}
