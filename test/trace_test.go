package test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
)

// collector takes traces by OTLP over HTTP, and keeps them in memory.
type collector struct {
	url string

	mu    sync.Mutex
	spans []collected
}

type collected struct {
	service string
	*tracepb.Span
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &coltracepb.ExportTraceServiceRequest{}
		if err != nil || proto.Unmarshal(body, request) != nil || r.URL.Path != "/v1/traces" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rs := range request.GetResourceSpans() {
			service := ""
			for _, a := range rs.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					service = a.GetValue().GetStringValue()
				}
			}
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					c.spans = append(c.spans, collected{service, s})
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// all returns the spans of some traces, once there is one of each name. A process exports a span after those below it.
func (c *collector) all(t *testing.T, of func(trace string) bool, until ...string) (spans []collected) {
	t.Helper()
	eventually(t, fmt.Sprintf("the spans %q", until), func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		spans = slices.DeleteFunc(slices.Clone(c.spans), func(s collected) bool { return !of(hex.EncodeToString(s.GetTraceId())) })
		for _, name := range until {
			if !slices.ContainsFunc(spans, func(s collected) bool { return s.GetName() == name }) {
				return fmt.Errorf("%d spans, and not %s", len(spans), name)
			}
		}
		return nil
	})
	return spans
}

// steps are the spans of a run's way from its request to its promotion, each under
// the one before.
var steps = []string{
	"retrain churn-classifier",
	"featurizer retrain-requested", "send features-ready",
	"trainer features-ready", "send model-trained",
	"evaluator model-trained", "send model-evaluated",
	"gate model-evaluated", "send model-promoted model-current",
	"notifier model-promoted",
}

// tree is what is below what, each once: how often an artifact is read is for a
// stage to know.
const tree = `> retrain churn-classifier
evaluator model-trained > registry.Champion
evaluator model-trained > send model-evaluated
evaluator model-trained > store.Get
evaluator model-trained > store.Open
evaluator model-trained > store.Put
evaluator model-trained > store.Stat
evaluator model-trained > tracker.Track
featurizer retrain-requested > send features-ready
featurizer retrain-requested > store.Open
featurizer retrain-requested > store.Put
featurizer retrain-requested > store.Stat
featurizer retrain-requested > tracker.Track
gate model-evaluated > registry.Champion
gate model-evaluated > registry.Promote
gate model-evaluated > registry.Register
gate model-evaluated > send model-promoted model-current
gate model-evaluated > store.Get
gate model-evaluated > store.Put
gate model-evaluated > store.Stat
gate model-evaluated > tracker.Track
notifier model-promoted > store.Put
notifier model-promoted > store.Stat
retrain churn-classifier > featurizer retrain-requested
send features-ready > trainer features-ready
send model-evaluated > gate model-evaluated
send model-promoted model-current > notifier model-promoted
send model-trained > evaluator model-trained
trainer features-ready > send model-trained
trainer features-ready > store.Get
trainer features-ready > store.Open
trainer features-ready > store.Put
trainer features-ready > store.Stat
trainer features-ready > tracker.Track
trainer features-ready > train`

// shape returns the tree of the spans.
func shape(spans []collected) string {
	names := map[string]string{}
	for _, s := range spans {
		names[string(s.GetSpanId())] = s.GetName()
	}
	var lines []string
	for _, s := range spans {
		lines = append(lines, strings.TrimSpace(names[string(s.GetParentSpanId())]+" > "+s.GetName()))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// From request to promoted, and to who is told, is one trace, the same in one process and in many. A stage
// that is repeated by hand has one of its own, with a link to the run's.
func TestOneTraceFromRequestToPromoted(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, env ...string) *aStack{
		"one process": func(t *testing.T, env ...string) *aStack {
			s := newStack(t, env...)
			s.up("--serve=false") // outlives the run: the gate comes to its end
			return s
		},
		"five processes": func(t *testing.T, env ...string) *aStack {
			s := clusterStack(t)
			s.env = append(s.env, env...)
			for _, service := range churn.Stages() {
				s.background(string(service), "--env-file", "")
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collector := newCollector(t)
			s := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.url, "OTEL_BSP_SCHEDULE_DELAY=100")
			var d runDetail
			s.want(0, &d, request("same", "--register-name", "churn-classifier")...)
			id := strings.ReplaceAll(d.Run, "-", "")
			spans := collector.all(t, func(string) bool { return true }, steps...)
			checkTrace(t, spans, id)
			checkServices(t, spans, name == "five processes")
			checkLog(t, s, d.Run, id)

			s.want(0, nil, "stage", "train", "--run", d.Run)
			again := collector.all(t, func(trace string) bool { return trace != id }, "trainer features-ready")
			for _, span := range again {
				links := span.GetLinks()
				if len(span.GetParentSpanId()) > 0 { // of an artifact that is read
					continue
				}
				if len(links) != 1 || hex.EncodeToString(links[0].GetTraceId()) != id || span.GetKind() != tracepb.Span_SPAN_KIND_INTERNAL {
					t.Errorf("%s by hand is a %s, linked to %v", span.GetName(), span.GetKind(), links)
				}
			}
		})
	}
}

// checkTrace checks that the spans are one trace: of this id, each below another but
// the first, and each step once.
func checkTrace(t *testing.T, spans []collected, id string) {
	t.Helper()
	above, names := map[string]bool{}, map[string]int{}
	for _, span := range spans {
		above[string(span.GetSpanId())] = true
		names[span.GetName()]++
	}
	for _, span := range spans {
		switch {
		case hex.EncodeToString(span.GetTraceId()) != id:
			t.Errorf("%s is of trace %x, not of run %s", span.GetName(), span.GetTraceId(), id)
		case !above[string(span.GetParentSpanId())] && span.GetName() != steps[0]:
			t.Errorf("what %s is below was not collected", span.GetName())
		case span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR:
			t.Errorf("%s: %s", span.GetName(), span.GetStatus().GetMessage())
		case span.GetEndTimeUnixNano() < span.GetStartTimeUnixNano():
			t.Errorf("%s ends before it begins", span.GetName())
		case len(span.GetLinks()) > 0:
			t.Errorf("%s is linked to %v", span.GetName(), span.GetLinks())
		}
	}
	for _, step := range steps {
		if names[step] != 1 {
			t.Errorf("%d spans %q", names[step], step)
		}
	}
	if got := shape(spans); got != tree {
		t.Errorf("the spans are\n%s\nnot\n%s", got, tree)
	}
}

// checkServices checks that each step is of the service that does it, or of the one
// process that does all, and that records are produced and consumed.
func checkServices(t *testing.T, spans []collected, separate bool) {
	t.Helper()
	for _, span := range spans {
		service, _, _ := strings.Cut(span.GetName(), " ")
		switch kind := span.GetKind(); {
		case service == "retrain" || service == "send":
			if kind != tracepb.Span_SPAN_KIND_PRODUCER {
				t.Errorf("%s is a %s", span.GetName(), kind)
			}
		case slices.Contains(churn.Stages(), churn.Service(service)):
			if want := map[bool]string{true: service, false: "churnctl"}[separate]; span.service != want || kind != tracepb.Span_SPAN_KIND_CONSUMER {
				t.Errorf("%s is a %s of the service %s", span.GetName(), kind, span.service)
			}
		}
	}
}

// checkLog checks that the lines about events say of which run and trace they are,
// and that each service has such.
func checkLog(t *testing.T, s *aStack, run, id string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var l struct {
				Msg, Service, Run, Event string
				TraceID                  string `json:"trace_id"`
				SpanID                   string `json:"span_id"`
			}
			if json.Unmarshal([]byte(line), &l) != nil || l.Event == "" {
				continue
			}
			if seen[l.Service] = true; l.Run != run || l.TraceID != id || len(l.SpanID) != 16 {
				t.Errorf("the line is %s", line)
			}
		}
	}
	for _, service := range churn.Stages() {
		if !seen[string(service)] {
			t.Errorf("there is no line of the %s about an event in %v", service, files)
		}
	}
}
