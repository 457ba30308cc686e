package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/stage"
)

// Checks are made at the same time, in time, whether or not they heed it.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got := Run(t.Context(),
			Check{"quick", func(context.Context) Finding { return ok("found %d", 1) }},
			Check{"heeds", func(ctx context.Context) Finding { <-ctx.Done(); return fail(ctx.Err()) }},
			Check{"deaf", func(context.Context) Finding { time.Sleep(time.Hour); return ok("late") }},
		)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		want := []Finding{
			{Check: "quick", Status: OK, Found: "found 1"},
			{Check: "heeds", Status: Fail, Found: "context deadline exceeded"},
			{Check: "deaf", Status: Fail, Found: "no answer within 8s"},
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %+v", got)
		}
		if failed := Failed(got); !slices.Equal(failed, []string{"heeds", "deaf"}) {
			t.Errorf("failed: %q", failed)
		}
		time.Sleep(time.Hour) // the deaf one's
	})
}

func TestPrint(t *testing.T) {
	findings := []Finding{{"broker", OK, "there", ""}, {"clock", Warn, "off by 3s", "keep it"}, {"registry", Fail, "gone", ""}}
	var people bytes.Buffer
	Print(&people, findings)
	const want = "ok    broker        there\n" +
		"warn  clock         off by 3s\n" +
		"                      → keep it\n" +
		"FAIL  registry      gone\n"
	if people.String() != want {
		t.Errorf("for people:\n%s", &people)
	}
	machines, err := json.Marshal(findings[1:])
	if err != nil || string(machines) != `[{"check":"clock","status":"warn","found":"off by 3s","advice":"keep it"},{"check":"registry","status":"fail","found":"gone"}]` {
		t.Errorf("for machines: %s, %v", machines, err)
	}
}

// Every topic is somebody's.
func TestTopicsOfEveryone(t *testing.T) {
	if got := TopicsOf("x.", churn.Users()...); !slices.Equal(got, stage.Topics("x.")) {
		t.Errorf("got %+v", got)
	}
}

// careless writes over what is there.
type careless struct{ *memory.Store }

func (careless) Put(context.Context, string, string, io.ReadSeeker) (*blob.Artifact, error) {
	return &blob.Artifact{}, nil
}

// stern lets nobody write.
type stern struct {
	*memory.Store
	kind churn.Kind
}

func (s stern) Put(context.Context, string, string, io.ReadSeeker) (*blob.Artifact, error) {
	return nil, churn.Errorf("test.Put", s.kind, "no")
}

func TestConditionalWrites(t *testing.T) {
	honours := memory.New("churn")
	for _, test := range []struct {
		name  string
		store blob.Store
		want  Status
	}{
		{"honours", honours, OK},
		{"honours, again", honours, OK},
		{"careless", careless{honours}, Fail},
		{"not allowed", stern{honours, churn.Internal}, Warn},
		{"denied", stern{honours, churn.Denied}, Fail},
		{"away", stern{honours, churn.Transient}, Fail},
	} {
		if f := ConditionalWrites(test.store).Try(t.Context()); f.Status != test.want || f.Found == "" {
			t.Errorf("%s: %+v", test.name, f)
		}
	}
}

func TestClock(t *testing.T) {
	for ahead, want := range map[time.Duration]Status{
		0: OK, 2 * time.Second: OK, -2 * time.Second: OK, 2001 * time.Millisecond: Warn, -time.Minute: Warn,
		15*time.Minute - time.Second: Warn, 15 * time.Minute: Fail, -24 * time.Hour: Fail,
	} {
		if f := judgeClock(ahead); f.Status != want || f.Found == "" || (f.Advice == "") != (want == OK) {
			t.Errorf("%v ahead: %+v", ahead, f)
		}
	}
}

func TestDisk(t *testing.T) {
	f := Disk(t.TempDir(), filepath.Join(t.TempDir(), "not", "yet")).Try(t.Context())
	if f.Status == Fail || strings.Count(f.Found, "MiB in ") != 2 {
		t.Errorf("%+v", f)
	}
	if f := Disk("/proc/self/status/x").Try(t.Context()); f.Status != Fail || !strings.Contains(f.Found, "/proc/self/status") {
		t.Errorf("below a file: %+v", f)
	}
}

func TestSettings(t *testing.T) {
	closed, shared := filepath.Join(t.TempDir(), ".env"), filepath.Join(t.TempDir(), ".env")
	for file, mode := range map[string]os.FileMode{closed: 0o600, shared: 0o644} {
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	secure := config.Config{
		Brokers: []string{"kafka.example:9093"}, S3Endpoint: "https://s3.example", TrackingURI: "https://mlflow.example",
		Kafka: config.Kafka{TLS: true, Mechanism: "PLAIN", Username: "u", Password: "hunter2", SessionTimeout: 10 * time.Second},
	}
	change := func(f func(*config.Config)) config.Config { c := secure; f(&c); return c }
	for name, test := range map[string]struct {
		c     config.Config
		file  string
		names string // empty: nothing is wrong
	}{
		"secure":            {secure, closed, ""},
		"no file":           {secure, "/no/such/.env", ""},
		"loopback":          {config.Config{Brokers: []string{"127.0.0.1:9092", "[::1]:9092", "localhost:1"}, S3Endpoint: "http://localhost:9000", Kafka: config.Kafka{Mechanism: "PLAIN", SessionTimeout: time.Minute}}, closed, ""},
		"file for all":      {secure, shared, "chmod 600"},
		"password in clear": {change(func(c *config.Config) { c.Kafka.TLS = false }), closed, "KAFKA_PASSWORD"},
		"TLS by its CA":     {change(func(c *config.Config) { c.Kafka.TLS, c.Kafka.CA = false, "ca.pem" }), closed, ""},
		"store in clear":    {change(func(c *config.Config) { c.S3Endpoint = "http://s3.example" }), closed, "MLFLOW_S3_ENDPOINT_URL"},
		"MLflow in clear":   {change(func(c *config.Config) { c.TrackingURI = "http://10.0.0.1:5000" }), closed, "MLFLOW_TRACKING_URI"},
		"CA without TLS":    {change(func(c *config.Config) { c.S3Endpoint, c.S3CA = "http://localhost:1", "ca.pem" }), closed, "AWS_CA_BUNDLE"},
		"half a cluster":    {change(func(c *config.Config) { c.Brokers = nil }), closed, "KAFKA_BROKERS"},
		"short session":     {change(func(c *config.Config) { c.Kafka.SessionTimeout = time.Second }), closed, "KAFKA_SESSION_TIMEOUT"},
	} {
		f := Settings(test.c, test.file).Try(t.Context())
		if test.names == "" && (f.Status != OK || f.Advice != "") {
			t.Errorf("%s: %+v", name, f)
		}
		if test.names != "" && (f.Status != Warn || f.Advice == "" || !strings.Contains(f.Found+f.Advice, test.names)) {
			t.Errorf("%s: %+v does not name %s", name, f, test.names)
		}
		if strings.Contains(f.Found, "hunter2") {
			t.Errorf("%s: a secret is shown", name)
		}
	}
}
