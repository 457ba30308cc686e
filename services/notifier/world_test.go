package notifier_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/services/notifier"
)

var update = flag.Bool("update", false, "accept what is made as golden")

const (
	model = "churn-classifier"
	// secret is what webhooks are signed with: 24 bytes or more, in base64.
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// at is when every outcome of the tests happened.
var at = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// receiver is an HTTP server that keeps what it is sent. It answers as it is told
// to, in turn, and then that all is well.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	requests []request
	answers  []answer
}

type request struct {
	path   string
	header http.Header
	body   string
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func newReceiver(t testing.TB, answers ...answer) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, _ := io.ReadAll(in.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request{in.URL.Path, in.Header.Clone(), string(body)})
	a := answer{code: http.StatusOK, body: "ok"}
	if len(r.answers) > 0 {
		a, r.answers = r.answers[0], r.answers[1:]
	}
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.code)
	_, _ = io.WriteString(w, a.body)
}

func (r *receiver) got() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// tape is a log that plays records to its one subscriber, and then what comes into
// the retry topic.
type tape struct {
	play []bus.Record
	end  func()

	mu        sync.Mutex
	published []bus.Record
}

func (l *tape) Publish(_ context.Context, records ...bus.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published = append(l.published, records...)
	for _, r := range records {
		if r.Topic == churn.Notifier.RetryTopic().Name(churn.DefaultPrefix) {
			l.play = append(l.play, r)
		}
	}
	return nil
}

func (l *tape) next() (r bus.Record, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.play) == 0 {
		return r, false
	}
	r, l.play = l.play[0], l.play[1:]
	return r, true
}

func (l *tape) Subscribe(ctx context.Context, _ string, _ []string, _ int, handle bus.Handle) error {
	defer l.end()
	for r, ok := l.next(); ok; r, ok = l.next() {
		if err := handle(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// notifying is a notifier behind a tape, with what it leaves.
type notifying struct {
	stage   stage.Stage
	store   blob.Store
	metrics *prometheus.Registry
	log     *bytes.Buffer
}

// start builds a notifier as a new process would.
func start(t testing.TB, store blob.Store, c config.Notify) *notifying {
	t.Helper()
	n := &notifying{store: store, metrics: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	s, err := notifier.Build(t.Context(), service.Parts{
		Config: config.Config{Notify: c}, Store: store, Log: n.logger(), Metrics: n.metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.stage = s
	return n
}

func (n *notifying) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(zapcore.AddSync(n.log)), zap.DebugLevel))
}

// run plays records to it, and returns the topics of what it published.
func (n *notifying) run(t testing.TB, records ...bus.Record) []string {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), time.Minute) // one that waits would wait for ever
	defer end()
	log := &tape{play: records, end: end}
	fast := stage.Backoff{Attempts: 2, First: time.Millisecond, Longest: time.Millisecond}
	r := stage.NewRunner(n.stage, stage.Options{
		Log: log, Store: n.store, Prefix: churn.DefaultPrefix, InPlace: fast, Delay: time.Millisecond, Rounds: 2, Logger: n.logger(),
	})
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() == context.DeadlineExceeded {
		t.Fatalf("it does not get past a record:\n%s", n.log)
	}
	var topics []string
	for _, r := range log.published {
		topics = append(topics, r.Topic)
	}
	return topics
}

// count returns how often notices had the result.
func (n *notifying) count(t testing.TB, result notifier.Result) (sum float64) {
	t.Helper()
	families, err := n.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" && l.GetValue() == string(result) {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// receipts returns the receipts by channel.
func receipts(t testing.TB, store blob.Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for key, err := range store.List(t.Context(), "runs/") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(key, "/notifier/notices/") {
			continue
		}
		a, err := store.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.Get(t.Context(), a, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, channel := range []string{notifier.Slack, notifier.Email, notifier.Webhook} {
			if strings.Contains(string(body), `"channel": "`+channel+`"`) {
				all[channel] = append(all[channel], string(body))
			}
		}
	}
	return all
}

// record returns the event as it was written to the log just now.
func record(t testing.TB, e event.Event) bus.Record {
	t.Helper()
	return recordAt(t, e, time.Now())
}

func recordAt(t testing.TB, e event.Event, at time.Time) bus.Record {
	t.Helper()
	r, err := event.Encode(e, churn.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	r.Time = at
	return r
}

// golden holds what was made against a file of testdata.
func golden(t *testing.T, name string, made []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, want) {
		t.Errorf("%s: go test . -update accepts\n%s", file, made)
	}
}
