package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A rollback goes from the command to what ModelService answers with; so does the
// override of a dry run, and what cannot be is refused in words. On the log are who
// asked, and why.
func TestRollbackAndOverrideAreServed(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	url := s.up().ModelService
	var dry runDetail
	s.want(0, nil, request("1")...)
	s.want(0, nil, request("2")...)
	s.want(0, &dry, append(request("dry"), "--dry-run")...)
	awaitServed(t, url, 2)

	started := time.Now()
	var back runDetail
	s.want(0, &back, "rollback", "churn-classifier", "--by", "olga", "--reason", "complaints")
	decided := time.Since(started)
	awaitServed(t, url, 1)
	t.Logf("rolled back: decided after %.2f s, served after %.2f s, the start of the command included", decided.Seconds(), time.Since(started).Seconds())
	if back.Status != "promoted" || back.Version != 1 {
		t.Errorf("the rollback ended as %+v", back)
	}
	if a, err := ask(url, jsonRow(t, 0)); err != nil || a.Model.Version != 1 {
		t.Errorf("answer %+v, %v", a, err)
	}
	r := s.want(4, nil, "rollback", "churn-classifier", "--to", "1", "--by", "olga", "--reason", "again")
	if !strings.Contains(r.stderr, "version 1 of churn-classifier is in Production already") {
		t.Errorf("refused with\n%s", r.stderr)
	}
	r = s.want(4, nil, "rollback", "churn-classifier", "--by", "olga", "--reason", "further")
	if !strings.Contains(r.stderr, "there is no earlier one") {
		t.Errorf("refused with\n%s", r.stderr)
	}
	s.want(2, nil, "rollback", "churn-classifier", "--by", "olga")
	s.want(2, nil, "rollback", "unknown", "--by", "olga", "--reason", "none")
	r = s.want(2, nil, "approve", dry.Run, "--by", "adam", "--reason", "none")
	if !strings.Contains(r.stderr, "waits for no approval: it is rejected") {
		t.Errorf("refused with\n%s", r.stderr)
	}

	var over runDetail
	s.want(0, &over, "override", dry.Run[:8], "--by", "olga", "--reason", "it was good")
	if over.Status != "promoted" || over.Version != 3 {
		t.Errorf("the override ended as %+v", over)
	}
	awaitServed(t, url, 3)
	r = s.want(0, nil, "history", "churn-classifier")
	for _, say := range []string{"rollback", "olga", "complaints", "override", "it was good"} {
		if !strings.Contains(r.stdout, say) {
			t.Errorf("%q is not in the history:\n%s", say, r.stdout)
		}
	}
}

// awaitServed waits until ModelService serves the version, and no other.
func awaitServed(t *testing.T, url string, version int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("version %d to be served", version), func() error {
		res, err := http.Get(url + "/model")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		var m struct {
			Version int64 `json:"version"`
		}
		if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
			return err
		}
		if m.Version != version {
			return fmt.Errorf("version %d is served", m.Version)
		}
		return nil
	})
}
