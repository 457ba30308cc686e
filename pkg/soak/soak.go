// Package soak is how parsers are fuzzed: as testing does it, and whatever comes
// in, a call must allocate within limits, and leave nothing behind. That it comes to
// an end within 10 s, the engine sees to.
package soak

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

const (
	// mostAllocated is how many bytes a call may allocate, if they are freed again.
	mostAllocated = 1 << 30

	// From this call on, all of which have filled caches and pools, there may be
	// no more of anything than slack says. It is looked at whenever the number of
	// calls has doubled.
	firstLook = 1 << 10
	// patience is for how long it is looked again, after a pause each time, whether
	// goroutines end that a call has begun: the engine takes it for the call's.
	patience = 5 * time.Second
	pause    = 10 * time.Millisecond
)

// slack is by how much a process may grow: runtime and caches breathe, and the engine
// takes 100 MiB when it first changes an input, which may be late: it can have a worker
// make inputs smaller before.
var slack = mark{goroutines: 16, files: 16, heap: 132 << 20}

// Fuzz is f.Fuzz for a target that is watched.
func Fuzz(f *testing.F, target any) {
	f.Helper()
	call, w := reflect.ValueOf(target), &watch{first: firstLook, patience: patience}
	f.Fuzz(reflect.MakeFunc(call.Type(), func(args []reflect.Value) []reflect.Value {
		before := allocated()
		call.Call(args)
		if err := errors.Join(within(allocated()-before), w.called()); err != nil {
			args[0].Interface().(*testing.T).Fatal(err)
		}
		return nil
	}).Interface())
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func within(bytes uint64) error {
	if bytes > mostAllocated {
		return fmt.Errorf("soak: the call allocated %d bytes, more than %d", bytes, mostAllocated)
	}
	return nil
}

// watch compares what the process has early and late.
type watch struct {
	first    int // calls before the first look
	patience time.Duration
	calls    int
	next     int // calls at the next look
	early    mark
}

// called counts a call and returns an error if calls leave something behind.
func (w *watch) called() error {
	w.calls++
	switch w.calls {
	case w.first:
		w.early, w.next = look(), 2*w.calls
	case w.next:
		w.next *= 2
		return w.compare()
	}
	return nil
}

func (w *watch) compare() error {
	late := look()
	for over := time.After(w.patience); late.above(w.early); late = look() {
		select {
		case <-time.After(pause):
		case <-over:
			stacks := make([]byte, 16<<10)
			return fmt.Errorf("soak: calls leave something behind: %v after %d, %v after %d\n%s",
				w.early, w.first, late, w.calls, stacks[:runtime.Stack(stacks, true)])
		}
	}
	return nil
}

// mark is what a process has at a time.
type mark struct {
	goroutines, files int
	heap              uint64 // bytes in use
}

func look() mark {
	runtime.GC() // what pools let go of
	runtime.GC() // is gone after the second
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd") // none where there is no such folder
	return mark{runtime.NumGoroutine(), len(files), memory.HeapAlloc}
}

func (m mark) above(early mark) bool {
	return m.goroutines > early.goroutines+slack.goroutines || m.files > early.files+slack.files || m.heap > early.heap+slack.heap
}

func (m mark) String() string {
	return fmt.Sprintf("%d goroutines, %d open files, %d bytes", m.goroutines, m.files, m.heap)
}
