package test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
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

// all returns the spans once there is one of the name.
func (c *collector) all(t *testing.T, until string) (spans []collected) {
	t.Helper()
	eventually(t, "the span "+until, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		spans = slices.Clone(c.spans)
		if !slices.ContainsFunc(spans, func(s collected) bool { return s.GetName() == until }) {
			return fmt.Errorf("%d spans, and not that one", len(spans))
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
}

// From request to promoted is one trace, in one process and in many.
func TestOneTraceFromRequestToPromoted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stack   func(t *testing.T) *aStack
		service func(step string) string // whose span it is
	}{
		"one process": {func(t *testing.T) *aStack { return newStack(t) }, func(string) string { return "churnctl" }},
		"four processes": {func(t *testing.T) *aStack { return clusterStack(t) }, func(step string) string {
			switch first, _, _ := strings.Cut(step, " "); first {
			case "retrain":
				return "churnctl"
			default:
				return first
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collector := newCollector(t)
			s := c.stack(t)
			s.env = append(s.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.url, "OTEL_BSP_SCHEDULE_DELAY=100")
			if name == "one process" {
				s.up("--serve=false") // outlives the run: the gate comes to its end
			} else {
				for _, service := range services {
					s.background(service, "--env-file", "")
				}
			}
			var d runDetail
			s.want(0, &d, request("same", "--register-name", "churn-classifier")...)
			spans := collector.all(t, "gate model-evaluated")
			above := map[string]collected{} // spans by id
			for _, span := range spans {
				above[string(span.GetSpanId())] = span
			}
			seen := map[string]collected{}
			names := map[string]int{}
			for _, span := range spans {
				if id := hex.EncodeToString(span.GetTraceId()); id != strings.ReplaceAll(d.Run, "-", "") {
					t.Errorf("%s is of trace %s, not of run %s", span.GetName(), id, d.Run)
				}
				if _, there := above[string(span.GetParentSpanId())]; !there && span.GetName() != steps[0] {
					t.Errorf("what %s is below was not collected", span.GetName())
				}
				if span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
					t.Errorf("%s: %s", span.GetName(), span.GetStatus().GetMessage())
				}
				if seen[span.GetName()] = span; span.GetEndTimeUnixNano() < span.GetStartTimeUnixNano() {
					t.Errorf("%s ends before it begins", span.GetName())
				}
				names[span.GetName()]++
			}
			for i, step := range steps {
				span, there := seen[step]
				switch {
				case !there || names[step] != 1:
					t.Errorf("%d spans %q", names[step], step)
				case i > 0 && above[string(span.GetParentSpanId())].GetName() != steps[i-1]:
					t.Errorf("%s is below %s, not %s", step, above[string(span.GetParentSpanId())].GetName(), steps[i-1])
				case !strings.HasPrefix(step, "send") && span.service != c.service(step):
					t.Errorf("%s is of the service %s", step, span.service)
				}
			}
			for _, name := range []string{"train", "store.Put", "store.Get", "registry.Register", "registry.Promote", "tracker.Track"} {
				if names[name] == 0 {
					t.Errorf("no span %q among %v", name, names)
				}
			}
		})
	}
}
