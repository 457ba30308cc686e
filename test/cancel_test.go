package test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// A long search on one model leaves room for a run of another, and ends within
// seconds when it is cancelled: once, by whom and why, and with no trial begun
// afterwards.
func TestSearchLeavesRoomAndIsCancelled(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.up("--serve=false")
	const trials = 400
	run := churn.RunID("long")
	s.want(0, nil, search("long", "--trials", fmt.Sprint(trials), "--parallel", "4", "--wait=false")...)
	var d runDetail
	eventually(t, "some trials to be answered", func() error {
		s.want(0, &d, "show", run)
		if answered(d) < 4 {
			return errors.New("not yet")
		}
		return nil
	})

	var other runDetail
	before := answered(d)
	s.want(0, &other, request("other", "--register-name", "other-model")...)
	s.want(0, &d, "show", run)
	if other.Status != "promoted" || d.Status != "training" || answered(d)-before > trials/4 {
		t.Errorf("the run of another model is %s after %d more trials of %d; the search is %s", other.Status, answered(d)-before, trials, d.Status)
	}

	started := time.Now()
	s.want(0, &d, "cancel", run[:8], "--by", "ada", "--reason", "wrong file")
	t.Logf("cancelled in %v, after %d trials", time.Since(started).Round(100*time.Millisecond), answered(d))
	if d.Status != "failed" || d.Reason != "cancelled by ada: wrong file" {
		t.Errorf("the run is %s: %s", d.Status, d.Reason)
	}
	if again := s.want(2, nil, "cancel", run[:8], "--by", "ada", "--reason", "again"); !strings.Contains(again.stderr, "has ended") {
		t.Errorf("again: %s", again.stderr)
	}

	s.want(0, nil, request("another")...) // trainers are free again
	stream := unique(s.stream())
	if ends := stream[churn.RunFailed.Type()]; len(ends) != 1 {
		t.Errorf("%d runs failed:\n%s", len(ends), strings.Join(ends, "\n"))
	}
	if begun, done := len(stream[churn.FeaturesReady.Type()]), len(stream[churn.ModelTrained.Type()]); begun != done || begun > trials/2 {
		t.Errorf("%d trainings were begun and %d answered, of a search of %d trials that was cancelled", begun, done, trials)
	}
}

// answered counts the trials that have come to an end.
func answered(d runDetail) (n int) {
	for _, t := range d.Trials {
		if t.AUC > 0 || t.Failure != "" {
			n++
		}
	}
	return n
}
