package test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// link passes connections on to a server, and can cut them.
type link struct {
	addr, to string
	listener net.Listener

	mu   sync.Mutex
	open map[net.Conn]bool
	down bool
}

func newLink(t *testing.T, addr, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: addr, to: to, listener: listener, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
	})
	go l.serve()
	return l
}

func (l *link) serve() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.pass(c)
	}
}

func (l *link) pass(from net.Conn) {
	to, err := net.Dial("tcp", l.to)
	if err != nil {
		_ = from.Close()
		return
	}
	if !l.hold(from, to) {
		return
	}
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = from.Close(), to.Close() // half a connection is of no use
		})
	}
	both.Wait()
	l.mu.Lock()
	delete(l.open, from)
	delete(l.open, to)
	l.mu.Unlock()
}

// hold keeps the connections to be cut, or closes them if the link is down.
func (l *link) hold(cs ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range cs {
		if l.down {
			_ = c.Close()
		} else {
			l.open[c] = true
		}
	}
	return !l.down
}

// cut closes every connection, and refuses new ones until restore.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.open {
		_ = c.Close()
	}
}

func (l *link) restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
