package test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
)

// told is an HTTP server that keeps the notices that it is told of, by path.
type told struct {
	*httptest.Server

	mu  sync.Mutex
	got map[string][]aNotice
}

type aNotice struct{ id, body string }

func newTold(t *testing.T) *told {
	r := &told{got: map[string][]aNotice{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got[in.URL.Path] = append(r.got[in.URL.Path], aNotice{in.Header.Get("Webhook-Id"), string(body)})
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *told) of(path string) []aNotice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got[path])
}

// settings are the notifier's, with both channels here.
func (r *told) settings() []string {
	return []string{
		"NOTIFY_SLACK_URL=" + r.URL + "/slack", "NOTIFY_WEBHOOK_URL=" + r.URL + "/hook",
		"NOTIFY_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}
}

// A run that is promoted is told of once on each channel, though its event comes
// again, and again after a restart.
func TestPromotedIsToldOnce(t *testing.T) {
	t.Parallel()
	to := newTold(t)
	s := newStack(t, to.settings()...)
	up := s.background("churnctl", "--env-file", "", "up", "--serve=false")
	stack := s.awaitStack()
	var d runDetail
	s.want(0, &d, request("same")...)
	again(t, stack.Broker, churn.ModelPromoted, 2)
	if err := up.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := up.Wait(); err != nil {
		t.Errorf("the all-in-one ended with %v", err)
	}
	s.up("--serve=false")
	s.want(3, nil, request("rejected", "--min-auc", "0.99")...)
	eventually(t, "the rejection to be told", func() error {
		for _, path := range []string{"/slack", "/hook"} {
			if n := len(to.of(path)); n < 2 {
				return fmt.Errorf("%d notices to %s", n, path)
			}
		}
		return nil
	})
	for _, path := range []string{"/slack", "/hook"} {
		got := to.of(path)
		if len(got) != 2 || !strings.Contains(got[0].body, d.Run) || !strings.Contains(got[0].body, "version 1 is now in Production") {
			t.Errorf("told %s of %v", path, got)
		}
	}
}

// Who is killed between a send and its receipt sends again, under the same id; who
// is killed after the receipt does not.
func TestNotifierKilled(t *testing.T) {
	t.Parallel()
	for point, times := range map[string]int{"sent": 2, "handled": 1} {
		t.Run(point, func(t *testing.T) {
			to := newTold(t)
			s := newStack(t, to.settings()[1:]...) // the webhook alone
			s.killedAt("notifier."+point, request("same")...)
			s.up("--serve=false")
			s.want(3, nil, request("rejected", "--min-auc", "0.99")...)
			eventually(t, "the rejection to be told", func() error {
				got := to.of("/hook")
				if len(got) == 0 || !strings.Contains(got[len(got)-1].body, "churn.rejected") || !strings.Contains(got[0].body, "churn.promoted") {
					return fmt.Errorf("told of %v", got)
				}
				return nil
			})
			var ids, want []string
			for _, n := range to.of("/hook") {
				ids = append(ids, n.id)
			}
			for range times {
				want = append(want, ids[0])
			}
			if promoted := ids[:len(ids)-1]; !slices.Equal(promoted, want) {
				t.Errorf("the promotion was told under %v, want %d times", promoted, times)
			}
		})
	}
}

// again publishes the topic's newest record n more times.
func again(t *testing.T, broker string, topic churn.Topic, n int) {
	t.Helper()
	b, err := kafka.New(kafka.Config{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var newest bus.Record
	err = b.Read(t.Context(), topic.Name(churn.DefaultPrefix), nil, false, func(_ context.Context, r bus.Record) error { newest = r; return nil })
	if err == nil {
		newest = bus.Record{Topic: newest.Topic, Key: newest.Key, Value: newest.Value, Headers: newest.Headers}
		err = b.Publish(t.Context(), slices.Repeat([]bus.Record{newest}, n)...)
	}
	if err != nil {
		t.Fatal(err)
	}
}
