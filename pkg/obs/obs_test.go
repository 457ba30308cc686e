package obs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/obs"
)

// lines are the log's, decoded.
func lines(t *testing.T, out fmt.Stringer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, m)
	}
	return all
}

func TestLevels(t *testing.T) {
	for level, want := range map[zapcore.Level][]string{
		zapcore.DebugLevel: {"debug", "info", "warn", "error"}, zapcore.InfoLevel: {"info", "warn", "error"},
		zapcore.WarnLevel: {"warn", "error"}, zapcore.ErrorLevel: {"error"},
	} {
		var out bytes.Buffer
		log := obs.NewLogger(obs.Config{Service: "trainer", Level: level, Format: "json", Output: &out})
		log.Debug("m")
		log.Info("m")
		log.Warn("m")
		log.Error("m")
		var got []string
		for _, m := range lines(t, &out) {
			got = append(got, m["level"].(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("at %s the log holds %v", level, got)
		}
	}
}

func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	log := obs.NewLogger(obs.Config{Service: "trainer", Format: "json", Output: &out})
	log.Info("two\nlines", zap.Duration("took", 1500*time.Millisecond), zap.Error(churn.Errorf("a.B", churn.Invalid, "x\x1b[31m")))
	got := lines(t, &out)
	if len(got) != 1 {
		t.Fatalf("%d lines: %s", len(got), out.String())
	}
	m := got[0]
	if m["logger"] != "trainer" || m["msg"] != "two\nlines" || m["took"] != "1.5s" || m["error"] != "a.B: x\x1b[31m" {
		t.Errorf("the line is %v", m)
	}
	if _, err := time.Parse(time.RFC3339Nano, m["time"].(string)); err != nil {
		t.Error(err)
	}
}

// For people: no JSON, no colours where there is no terminal.
func TestConsole(t *testing.T) {
	var out bytes.Buffer
	obs.NewLogger(obs.Config{Service: "trainer", Format: "console", Output: &out}).Warn("careful")
	if s := out.String(); !strings.Contains(s, "WARN\ttrainer\tcareful") || strings.Contains(s, "\x1b") || strings.HasPrefix(s, "{") {
		t.Errorf("it says %q", s)
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	var out bytes.Buffer
	log := obs.NewLogger(obs.Config{Format: "json", Output: &out})
	c := config.Config{S3SecretKey: "hunter2", Kafka: config.Kafka{Password: "hunter2"}}
	log.Info("started", zap.Object("config", c), zap.Any("any", c), zap.Any("kafka", c.Kafka), zap.Reflect("reflect", c))
	log.Sugar().Infof("%v %+v %#v", c, c, c)
	if s := out.String(); strings.Contains(s, "hunter2") || !strings.Contains(s, "********") {
		t.Errorf("it says %s", s)
	}
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

// collector is a collector of traces over HTTP.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	bytes int
	paths []string
	spans []string // as service/version/name
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req coltracepb.ExportTraceServiceRequest
		if err := errors.Join(err, proto.Unmarshal(body, &req)); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bytes += len(body)
		c.paths = append(c.paths, r.URL.Path)
		for _, rs := range req.GetResourceSpans() {
			var resource []string
			for _, a := range rs.GetResource().GetAttributes() {
				resource = append(resource, a.GetKey()+"="+a.GetValue().GetStringValue())
			}
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					c.spans = append(c.spans, strings.Join(resource, " ")+" "+s.GetName())
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// Spans that wait are handed over by Close.
func TestTracesReachTheCollector(t *testing.T) {
	c := newCollector(t)
	o, err := obs.New(t.Context(), obs.Config{Service: "trainer", Version: "v1", Format: "json", Endpoint: c.URL, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		_, span := o.Tracer.Tracer("test").Start(t.Context(), name)
		span.End()
	}
	if err := o.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"service.name=trainer service.version=v1 one", "service.name=trainer service.version=v1 two"}
	if !slices.Equal(c.spans, want) || !slices.Equal(c.paths, []string{"/v1/traces"}) {
		t.Errorf("the collector has %q at %q", c.spans, c.paths)
	}
}

// Texts of spans are from events, and anyone may send events: one that is long or not
// UTF-8 does not lose the spans that are exported along with its own.
func TestHostileTextsAreExported(t *testing.T) {
	bad := strings.Repeat("x", 1<<20) + "\xff"
	for name, write := range map[string]func(trace.Span){
		"attribute": func(s trace.Span) { s.SetAttributes(attribute.String("key", "\xff"+bad), attribute.Int("n", 1)) },
		"event":     func(s trace.Span) { s.AddEvent("attempt", trace.WithAttributes(attribute.String("key", "\xff"+bad))) },
		"error":     func(s trace.Span) { s.RecordError(errors.New("\xff" + bad)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			o, err := obs.New(t.Context(), obs.Config{Service: "trainer", Version: "v1", Format: "json", Endpoint: c.URL, Output: io.Discard})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"hostile", "other"} {
				_, span := o.Tracer.Tracer("test").Start(t.Context(), name)
				if name == "hostile" {
					write(span)
				}
				span.End()
			}
			if err := o.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(c.spans) != 2 || c.bytes > 10<<10 {
				t.Errorf("%d spans in %d bytes", len(c.spans), c.bytes)
			}
		})
	}
}

// A collector that is away loses traces, and nothing else: Close keeps within its
// time, and the log says it once.
func TestACollectorThatIsAway(t *testing.T) {
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer broken.Close()
	for name, endpoint := range map[string]string{
		"refuses": "http://127.0.0.1:1", "hangs": "http://" + hanging.Addr().String(), "is overloaded": broken.URL,
	} {
		t.Run(name, func(t *testing.T) {
			var out lockedBuffer
			o, err := obs.New(t.Context(), obs.Config{Format: "json", Endpoint: endpoint, Output: &out})
			if err != nil {
				t.Fatal(err)
			}
			_, span := o.Tracer.Tracer("test").Start(t.Context(), "lost")
			span.End()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- o.Close(ctx) }()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Close: %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("Close hangs")
			}
			said := lines(t, &out)
			if len(said) > 1 || len(said) == 0 && name == "refuses" {
				t.Errorf("%d lines of one thing: %s", len(said), out.String())
			}
			if len(said) == 1 && !strings.Contains(said[0]["msg"].(string), "OTEL_EXPORTER_OTLP_ENDPOINT") {
				t.Errorf("it says %v", said)
			}
		})
	}
}

func TestWithoutACollector(t *testing.T) {
	o, err := obs.New(t.Context(), obs.Config{Format: "json", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	_, span := o.Tracer.Tracer("test").Start(t.Context(), "x")
	if span.IsRecording() {
		t.Error("spans are recorded for nobody")
	}
	span.End()
	families, err := o.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not measured", name)
		}
	}
	if err := o.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
