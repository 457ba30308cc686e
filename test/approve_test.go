package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asking writes the built-in rules with a demand for a person's approval.
func (s *aStack) asking(approval string) string {
	s.t.Helper()
	text := s.want(0, nil, "policy", "show", "refresh").stdout
	path := filepath.Join(s.t.TempDir(), "asking.yaml")
	if err := os.WriteFile(path, []byte(strings.TrimRight(text, "\n")+"\napproval: "+approval+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// A policy of one's own asks for approval: approve, deny, approve twice, by the
// requester, too late, and while nothing runs.
func TestApproval(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	policy := s.asking("{expires: 1h, not_by_requester: true}")
	stack := s.background("churnctl", "--env-file", "", "up", "--serve=false")
	s.awaitStack()
	var d runDetail
	pending := func(id, policy string) string {
		t.Helper()
		s.want(5, &d, append(request(id), "--policy", policy)...)
		if d.Status != "pending" || d.Version != 0 {
			t.Fatalf("%s is %s, version %d", id, d.Status, d.Version)
		}
		return d.Run
	}
	answer := func(code int, verb, run, by, say string) {
		t.Helper()
		r := s.want(code, nil, verb, run, "--by", by, "--reason", "looked at the slices")
		if !strings.Contains(r.stdout+r.stderr, say) {
			t.Errorf("%s by %s does not say %q:\n%s%s", verb, by, say, r.stdout, r.stderr)
		}
	}
	first := pending("first", policy)
	answer(2, "approve", first, "test", "its policy wants somebody else to decide") // who asked
	answer(0, "approve", first, "olga", "version 1")
	answer(2, "deny", first, "adam", "is decided: approved by olga")

	second := pending("second", policy)
	answer(3, "deny", second, "adam", "looked at the slices")

	// Two wait at once; the promotion of the one makes the other's comparison stale.
	third, fourth := pending("third", policy), pending("fourth", policy)
	answer(0, "approve", third, "olga", "version 2")
	answer(5, "approve", fourth, "olga", "asks for approval")
	answer(0, "approve", fourth, "adam", "version 3")

	late := pending("late", s.asking("{expires: 1s}"))
	eventually(t, "the approval to lapse", func() error {
		s.want(0, &d, "show", late)
		if d.Status != "rejected" || !strings.Contains(d.Reason, "nobody decided in time") {
			return fmt.Errorf("it is %s: %s", d.Status, d.Reason)
		}
		return nil
	})
	answer(2, "approve", late, "olga", "nobody decided in time")

	// The answer comes while the stack is down: it is found at its next start.
	fifth := pending("fifth", policy)
	if err := stack.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = stack.Wait()
	answer(0, "approve", fifth, "olga", "version 4")
}
