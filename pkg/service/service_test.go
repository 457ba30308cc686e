package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// answering builds a featurizer that answers with an empty features-ready.
func answering(context.Context, Parts) (stage.Stage, error) {
	return stage.Stage{Service: churn.Featurizer, Topics: []churn.Topic{churn.RetrainRequested},
		Handler: stage.HandlerFunc(func(_ context.Context, e event.Event) ([]event.Event, error) {
			return []event.Event{e.Reply(churn.Featurizer, churn.FeaturesReady, 0, "k", &eventv1.FeaturesReady{})}, nil
		}),
	}, nil
}

// lockedBuffer can be read while others write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ran is how a program ended.
type ran struct {
	code     int
	out, err string
}

// execute runs the program to its end.
func execute(ctx context.Context, build Build, args ...string) ran {
	var out, errs lockedBuffer
	code := program{churn.Featurizer, build, &out, &errs}.run(ctx, append([]string{"--env-file="}, args...))
	return ran{code, out.String(), errs.String()}
}

// background runs the program until stop, which returns how it ended.
func background(t *testing.T, build Build, args ...string) (stop func() ran) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan ran, 1)
	go func() { done <- execute(ctx, build, args...) }()
	stopped := sync.OnceValue(func() ran {
		cancel()
		select {
		case r := <-done:
			return r
		case <-time.After(grace):
			return ran{code: -1, err: "it does not stop"}
		}
	})
	t.Cleanup(func() { stopped() })
	return stopped
}

// environment sets the settings, and unsets all others.
func environment(t *testing.T, env map[string]string) {
	t.Helper()
	for _, kv := range (config.Config{}).Environ() {
		name, _, _ := strings.Cut(kv, "=")
		t.Setenv(name, env[name])
	}
	if env["LOG_LEVEL"] == "" {
		t.Setenv("LOG_LEVEL", "error")
	}
}

// stack starts a broker and a store, and returns the settings that lead there.
func stack(t *testing.T) map[string]string {
	t.Helper()
	b, err := embedded.StartBroker(context.Background(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	env := store(t)
	env["KAFKA_BROKERS"] = b.Addr()
	return env
}

// store starts a store.
func store(t *testing.T) map[string]string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s, err := embedded.StartStore(context.Background(), t.TempDir(), "127.0.0.1:0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		_ = os.Chdir(wd)
	})
	return map[string]string{
		"MLFLOW_S3_ENDPOINT_URL": s.Endpoint(), "AWS_ACCESS_KEY_ID": s.AccessKey(), "AWS_SECRET_ACCESS_KEY": s.SecretKey(),
		"KAFKA_SESSION_TIMEOUT": "2s",
	}
}

// freeAddr returns a loopback address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get returns the status and body of a page; 0 if nobody answers.
func get(addr, path string) (int, string) {
	res, err := http.Get("http://" + addr + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// eventually waits until a page has the status and says the words, and returns
// its body.
func eventually(t *testing.T, addr, path string, status int, words ...string) string {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got, body := get(addr, path)
		missing := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.Contains(body, w) })
		if got == status && len(missing) == 0 {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s says %d %s, not %d and %q", path, got, body, status, missing)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func open(t *testing.T, addr string) *kafka.Bus {
	t.Helper()
	b, err := kafka.New(kafka.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask publishes a request and waits for the answer to it.
func ask(t *testing.T, b *kafka.Bus, id string) {
	t.Helper()
	r, err := event.Encode(event.Event{
		Topic: churn.RetrainRequested, ID: id, Source: "/test", Type: churn.RetrainRequested.Type(),
		Data: &eventv1.RetrainRequested{Dataset: &artifactv1.Artifact{Uri: "s3://churn/d.csv"}},
	}, churn.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx, found := context.WithCancel(ctx)
	defer found()
	answered := false
	err = b.Read(ctx, churn.FeaturesReady.Name(churn.DefaultPrefix), nil, true, func(_ context.Context, r bus.Record) error {
		for _, h := range r.Headers {
			if h.Key == "ce_causationid" && string(h.Value) == id {
				answered = true
				found()
			}
		}
		return nil
	})
	if err != nil || !answered {
		t.Fatalf("no answer to %s: %v", id, err)
	}
}

func TestHelpAndVersion(t *testing.T) {
	environment(t, nil)
	for _, flag := range []string{"--help", "-h"} {
		r := execute(t.Context(), answering, flag)
		if r.code != 0 || r.err != "" {
			t.Errorf("%s: exit code %d, %s", flag, r.code, r.err)
		}
		for _, words := range []string{
			"Usage: featurizer", "reads retrain-requested\n", "answers on features-ready, run-failed, run-progress.", "SIGTERM",
			"--kafka-brokers", "--check", "--version", "--env-file", "KAFKA_BROKERS\n", "AWS_SECRET_ACCESS_KEY\n", "(required)", "Exit codes: 0",
		} {
			if !strings.Contains(r.out, words) {
				t.Errorf("%s does not say %q:\n%s", flag, words, r.out)
			}
		}
		if strings.Contains(r.out, "--aws-secret") || strings.Contains(r.out, "%!") {
			t.Errorf("%s says\n%s", flag, r.out)
		}
	}
	if r := execute(t.Context(), answering, "--version"); r.code != 0 || !strings.HasPrefix(r.out, "featurizer "+config.Version+" (go1.") {
		t.Errorf("exit code %d, %q %q", r.code, r.out, r.err)
	}
}

func TestUsageErrors(t *testing.T) {
	good := map[string]string{
		"KAFKA_BROKERS": "127.0.0.1:1", "MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hunter2",
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, test := range map[string]struct {
		env  map[string]string
		args []string
		say  []string
	}{
		"unknown flag":    {good, []string{"--no-such"}, []string{"--no-such"}},
		"argument":        {good, []string{"start"}, []string{`"start"`}},
		"flag's value":    {good, []string{"--concurrency=many"}, []string{"--concurrency", "many", "1 to 1024"}},
		"missing":         {nil, nil, []string{"KAFKA_BROKERS", "MLFLOW_S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "--help"}},
		"missing, check":  {nil, []string{"--check"}, []string{"KAFKA_BROKERS"}},
		"variable":        {with(good, "CHURN_TIMEOUT", "soon"), nil, []string{"CHURN_TIMEOUT", "soon"}},
		"broker":          {with(good, "KAFKA_BROKERS", "broker"), nil, []string{"KAFKA_BROKERS", `"broker"`}},
		"password alone":  {with(good, "KAFKA_PASSWORD", "hunter2"), nil, []string{"KAFKA_SASL_MECHANISM"}},
		"endpoint's path": {with(good, "MLFLOW_S3_ENDPOINT_URL", "http://s3/path"), []string{"--check"}, []string{"MLFLOW_S3_ENDPOINT_URL"}},
		"file":            {good, []string{"--env-file=/no/such.env"}, []string{"/no/such.env"}},
		"address":         {good, []string{"--http-addr", taken.Addr().String()}, []string{"HTTP_ADDR", "in use"}},
	} {
		environment(t, test.env)
		r := execute(t.Context(), answering, test.args...)
		if r.code != 2 || r.out != "" {
			t.Errorf("%s: exit code %d, %q", name, r.code, r.out)
		}
		for _, words := range append(test.say, "featurizer: ", "See 'featurizer --help'") {
			if !strings.Contains(r.err, words) {
				t.Errorf("%s: it does not say %q: %s", name, words, r.err)
			}
		}
		if strings.Contains(r.err, "hunter2") {
			t.Errorf("%s: a secret is shown: %s", name, r.err)
		}
	}
}

// with is the environment with one more variable.
func with(env map[string]string, name, value string) map[string]string {
	more := map[string]string{name: value}
	for k, v := range env {
		if k != name {
			more[k] = v
		}
	}
	return more
}

func TestAStageThatCannotBeBuilt(t *testing.T) {
	environment(t, map[string]string{
		"KAFKA_BROKERS": "127.0.0.1:1", "MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s",
	})
	r := execute(t.Context(), func(context.Context, Parts) (stage.Stage, error) {
		return stage.Stage{}, churn.Errorf("test.Build", churn.NotFound, "no library")
	})
	if r.code != 1 || !strings.Contains(r.err, "featurizer: test.Build: no library") || strings.Contains(r.err, "--help") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// --check says of each part whether it answers, and fails if one does not.
func TestCheck(t *testing.T) {
	env := stack(t)
	environment(t, env)
	r := execute(t.Context(), answering, "--check")
	if r.code != 1 || !strings.Contains(r.err, "not ready: topics, object store") {
		t.Errorf("on bare parts: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	for _, topic := range []string{"churn.retrain-requested", "churn.features-ready", "churn.run-failed", "churn.retry.featurizer", "churn.dlq.featurizer"} {
		if !strings.Contains(r.out, topic) {
			t.Errorf("it does not say that %s is missing:\n%s", topic, r.out)
		}
	}
	if strings.Contains(r.out, "churn.model-trained") {
		t.Errorf("it names topics that are not the featurizer's:\n%s", r.out)
	}

	addr := freeAddr(t)
	stop := background(t, answering, "--http-addr", addr)
	ask(t, open(t, env["KAFKA_BROKERS"]), "1") // the service has made what was missing
	if r := stop(); r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	r = execute(t.Context(), answering, "--check")
	if r.code != 0 || strings.Contains(r.out, "FAIL") || strings.Count(r.out, "ok  ") != 6 {
		t.Errorf("when all is there: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	for _, words := range []string{"broker", "topics", "object store", "registry", "stage", env["KAFKA_BROKERS"], "bucket churn"} {
		if !strings.Contains(r.out, words) {
			t.Errorf("it does not say %q:\n%s", words, r.out)
		}
	}

	failing := func(context.Context, Parts) (stage.Stage, error) { return stage.Stage{}, fmt.Errorf("no library") }
	if r := execute(t.Context(), failing, "--check"); r.code != 1 || !strings.Contains(r.out, "FAIL  stage         no library") {
		t.Errorf("without the library: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	environment(t, with(env, "AWS_SECRET_ACCESS_KEY", "wrong-hunter2"))
	if r := execute(t.Context(), answering, "--check"); r.code != 1 || !strings.Contains(r.err, "object store") || strings.Contains(r.out+r.err, "hunter2") {
		t.Errorf("with a wrong key: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// Parts that are away are named, each, at once.
func TestCheckOfWhatIsAway(t *testing.T) {
	environment(t, map[string]string{
		"KAFKA_BROKERS": "127.0.0.1:1", "MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hunter2",
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	r := execute(ctx, answering, "--check")
	if r.code != 1 || !strings.Contains(r.err, "not ready: broker, topics, permissions, object store, registry") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	for _, words := range []string{"KAFKA_BROKERS", "MLFLOW_S3_ENDPOINT_URL", "ok    stage"} {
		if !strings.Contains(r.out, words) {
			t.Errorf("it does not say %q:\n%s", words, r.out)
		}
	}
	if strings.Contains(r.out+r.err, "hunter2") {
		t.Errorf("a secret is shown:\n%s%s", r.out, r.err)
	}
}

// A service that runs: it answers events, says how it is, and stops when told.
func TestServe(t *testing.T) {
	env := stack(t)
	environment(t, env)
	addr := freeAddr(t)
	stop := background(t, answering, "--http-addr", addr)
	ask(t, open(t, env["KAFKA_BROKERS"]), "1")

	if got := eventually(t, addr, "/healthz", http.StatusOK); got != "ok\n" {
		t.Errorf("/healthz says %q", got)
	}
	if got := eventually(t, addr, "/readyz", http.StatusOK); got != "ready\n" {
		t.Errorf("/readyz says %q", got)
	}
	eventually(t, addr, "/metrics", http.StatusOK, "go_goroutines ", `churn_event_seconds_count{service="featurizer"} 1`,
		`churn_events_total{outcome="done",service="featurizer",topic="churn.retrain-requested"} 1`)
	if status, _ := get(addr, "/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("another path says %d", status)
	}
	res, err := http.Post("http://"+addr+"/metrics", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST says %d", res.StatusCode)
	}

	if r := stop(); r.code != 0 || r.err != "" || r.out != "" {
		t.Errorf("exit code %d, %q %q", r.code, r.out, r.err)
	}
	if status, _ := get(addr, "/healthz"); status != 0 {
		t.Error("the listener is still there")
	}
}

// A stage that cannot get past a record is not ready, and says why.
func TestReadinessOfAStageThatIsStuck(t *testing.T) {
	env := stack(t)
	environment(t, env)
	addr := freeAddr(t)
	stop := background(t, func(ctx context.Context, p Parts) (stage.Stage, error) {
		s, err := answering(ctx, p)
		s.Ordered = true
		s.Handler = stage.HandlerFunc(func(context.Context, event.Event) ([]event.Event, error) {
			return nil, churn.Errorf("test.Do", churn.Transient, "the part is away")
		})
		return s, err
	}, "--http-addr", addr)
	eventually(t, addr, "/readyz", http.StatusOK)
	b := open(t, env["KAFKA_BROKERS"])
	if err := b.Ensure(t.Context(), stage.Topics(churn.DefaultPrefix)...); err != nil {
		t.Fatal(err)
	}
	r, err := event.Encode(event.Event{
		Topic: churn.RetrainRequested, ID: "1", Source: "/test", Type: churn.RetrainRequested.Type(),
		Data: &eventv1.RetrainRequested{Dataset: &artifactv1.Artifact{Uri: "s3://churn/d.csv"}},
	}, churn.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	eventually(t, addr, "/readyz", http.StatusServiceUnavailable, "test.Do: the part is away")
	if r := stop(); r.code != 0 {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// A service that is started before its broker waits for it, lives, is not ready,
// and goes to work once the broker is there.
func TestABrokerThatComesLater(t *testing.T) {
	env := store(t)
	broker, addr := freeAddr(t), freeAddr(t)
	env["KAFKA_BROKERS"] = broker
	environment(t, env)
	stop := background(t, answering, "--http-addr", addr)
	eventually(t, addr, "/healthz", http.StatusOK)
	got := eventually(t, addr, "/readyz", http.StatusServiceUnavailable, broker, "KAFKA_BROKERS")
	if strings.Contains(got, env["AWS_SECRET_ACCESS_KEY"]) {
		t.Errorf("/readyz says %q", got)
	}
	b, err := embedded.StartBroker(context.Background(), t.TempDir(), broker)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ask(t, open(t, broker), "1")
	eventually(t, addr, "/readyz", http.StatusOK)
	if r := stop(); r.code != 0 {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// Also while it waits it stops when told.
func TestStopWhileWaiting(t *testing.T) {
	environment(t, map[string]string{
		"KAFKA_BROKERS": "127.0.0.1:1", "MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
	})
	addr := freeAddr(t)
	stop := background(t, answering, "--http-addr", addr)
	eventually(t, addr, "/healthz", http.StatusOK)
	if r := stop(); r.code != 0 || r.err != "" {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// Without an address nothing is served.
func TestNoListener(t *testing.T) {
	stop, err := listen(t.Context(), "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	stop()
}
