package realstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds the wait for a part to answer: MLflow takes 6 s on an idle
	// machine, and tests run beside one another.
	patience = 3 * time.Minute
	// grace is how long a part may take to stop by itself.
	grace = 20 * time.Second
	// logTail is how much of the log of a failed test is shown, in bytes.
	logTail = 8000
)

// Process is one part as a process, which can be stopped and started again on
// the same port and data.
type Process struct {
	name    string
	command func() *exec.Cmd
	healthy func(context.Context) error
	log     *os.File

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// Start starts the part and waits until it answers.
func (p *Process) Start() error {
	p.cmd = p.command()
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	own(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	p.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(p.cmd, p.exited)
	if err := p.await(); err != nil {
		p.Kill()
		return fmt.Errorf("%s: %w\n%s", p.name, err, p.tail())
	}
	return nil
}

func (p *Process) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		once, done := context.WithTimeout(ctx, 5*time.Second)
		err := p.healthy(once)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the part to stop and waits until it has.
func (p *Process) Stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(grace):
	}
	p.Kill() // its children, too
}

// Kill ends the part at once: nothing is cleaned up.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// Pause stops the part's clock, as it were: it holds its connections, and does
// not answer until Resume.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a paused part go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// signal reaches the part's children, too.
func (p *Process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

func (p *Process) tail() string {
	text, _ := os.ReadFile(p.log.Name())
	return strings.ToValidUTF8(string(text[max(0, len(text)-logTail):]), "?")
}

// start starts the part for a test, whose end it does not outlive.
func (p *Process) start(t testing.TB) {
	t.Helper()
	var err error
	if p.log, err = os.CreateTemp(t.TempDir(), p.name+"-*.log"); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", p.name, p.tail())
		}
		_ = p.log.Close()
	})
}

// freePort returns a loopback port that nothing listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Run starts a program as a part, which is there when healthy returns nil. It
// ends with the test.
func Run(t testing.TB, name string, command func() *exec.Cmd, healthy func(context.Context) error) *Process {
	t.Helper()
	p := &Process{name: name, command: command, healthy: healthy}
	p.start(t)
	return p
}
