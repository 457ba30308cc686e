package worker

import (
	"strings"
	"sync"
)

const (
	keptTail  = 64 << 10 // bytes kept of what a worker prints
	shownTail = 2 << 10  // bytes of it that an error shows
)

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-keptTail):]...)
	t.buf = append(t.buf[:0], t.buf[max(0, len(t.buf)-keptTail):]...)
	return len(p), nil
}

func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = t.buf[:0]
}

// String returns the last lines, without the stacks that Go adds after a crash:
// of native code they tell nothing.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, _, _ := strings.Cut(string(t.buf), "\n\ngoroutine ")
	return strings.TrimSpace(strings.ToValidUTF8(text[max(0, len(text)-shownTail):], "\uFFFD"))
}
