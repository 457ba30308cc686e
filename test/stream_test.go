package test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// What the design exempts from being equal between two runs of one request: the
// plain traceparent header (the context of one hop), the broker's own offsets
// and timestamps, and the run-progress topic (telemetry). None of them is in
// what `churnctl events -o json` prints.

// stream returns the events of each topic, as JSON lines, sorted.
func (s *aStack) stream() map[string][]string {
	s.t.Helper()
	r := s.want(0, nil, "events", "-o", "json")
	stream := map[string][]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(r.stdout), "\n") {
		var e struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Type == "" {
			s.t.Fatalf("event %q: %v", line, err)
		}
		stream[e.Type] = append(stream[e.Type], line)
	}
	for _, lines := range stream {
		slices.Sort(lines)
	}
	return stream
}

func compareStreams(t *testing.T, a, b map[string][]string) {
	t.Helper()
	if len(a) < 5 || len(a) != len(b) {
		t.Errorf("%d and %d types of event, want at least 5", len(a), len(b))
	}
	for kind := range a {
		if !slices.Equal(a[kind], b[kind]) {
			t.Errorf("%s differs:\n%s\n%s", kind, strings.Join(a[kind], "\n"), strings.Join(b[kind], "\n"))
		}
	}
}

// unique drops duplicates of events: delivery is at least once.
func unique(stream map[string][]string) map[string][]string {
	for kind, lines := range stream {
		stream[kind] = slices.Compact(lines)
	}
	return stream
}
