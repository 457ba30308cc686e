package test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A kill -9 of the all-in-one at any point of any stage loses nothing and does
// nothing twice: started again, the run ends promoted as version 1 with the
// digests of an undisturbed run.
func TestKilledInEachStage(t *testing.T) {
	t.Parallel()
	undisturbed := newStack(t)
	var want runDetail
	undisturbed.want(0, &want, request("same")...)
	events := unique(undisturbed.stream())

	for _, service := range services {
		for _, point := range []string{"received", "handled", "stored", "published"} {
			t.Run(service+"."+point, func(t *testing.T) {
				s := newStack(t)
				s.killedAt(service+"."+point, request("same")...)
				var got runDetail
				s.want(0, &got, request("same")...)
				if got.Status != "promoted" || got.Version != 1 || !maps.Equal(got.digests(), want.digests()) {
					t.Errorf("status %s, version %d, digests equal: %v", got.Status, got.Version, maps.Equal(got.digests(), want.digests()))
				}
				compareStreams(t, unique(s.stream()), events)
			})
		}
	}
}

// killedAt runs the request on an all-in-one with a fault that kills it at point.
func (s *aStack) killedAt(point string, request ...string) {
	s.t.Helper()
	once := filepath.Join(s.dir, "fault")
	s.env = append(s.env, fmt.Sprintf("CHURN_FAULT=%s:1", point), "CHURN_FAULT_ONCE="+once)
	up := s.background("churnctl", "--env-file", "", "up", "--serve=false")
	s.awaitStack()
	s.want(0, nil, append(request, "--wait=false")...)
	watchdog := time.AfterFunc(time.Minute, func() { _ = up.Process.Signal(syscall.SIGQUIT) })
	defer watchdog.Stop()
	_ = up.Wait() // how it ended is in its state
	if status, ok := up.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		s.t.Fatalf("the all-in-one ended with %v, want a kill at %s", up.ProcessState, point)
	}
	if _, err := os.Stat(once); errors.Is(err, os.ErrNotExist) {
		s.t.Fatalf("the fault at %s did not happen", point)
	}
}
