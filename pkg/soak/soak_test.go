package soak

import (
	"os"
	"strings"
	"testing"
)

func TestWhatIsLeftBehind(t *testing.T) {
	var kept [][]byte
	end := make(chan struct{})
	defer close(end)
	for name, c := range map[string]struct {
		call func()
		left bool
	}{
		"nothing":    {func() { _ = make([]byte, 1<<20) }, false},
		"goroutines": {func() { go func() { <-end }() }, true},
		"open files": {func() {
			file, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = file.Close() })
		}, true},
		"memory": {func() { kept = append(kept, make([]byte, 3<<20)) }, true},
	} {
		w, err := &watch{first: 64}, error(nil)
		for range 2 * w.first {
			c.call()
			if err = w.called(); err != nil {
				break
			}
		}
		if (err != nil) != c.left || err != nil && (w.calls != 2*w.first || !strings.Contains(err.Error(), "calls leave something behind")) {
			t.Errorf("%s: after %d calls: %v", name, w.calls, err)
		}
	}
	if len(kept) == 0 {
		t.Error("nothing was kept")
	}
}

func TestAllocations(t *testing.T) {
	before := allocated()
	large := make([]byte, 1<<20)
	if got := allocated() - before; got < uint64(len(large)) {
		t.Errorf("%d bytes were allocated", got)
	}
	if within(mostAllocated) != nil || within(mostAllocated+1) == nil {
		t.Error("the limit is not kept")
	}
}
