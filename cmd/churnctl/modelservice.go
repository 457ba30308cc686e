package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// modelService supervises the Python ModelService: it is started again when it
// dies, and dies with this process, however that ends.
type modelService struct {
	python string   // interpreter of its virtual environment
	dir    string   // folder of the Python package
	env    []string // how it reaches broker and store
	state  string   // folder of its log and port file
	port   int      // 0: any
	log    *zap.Logger

	mu  sync.Mutex
	url string
}

// findModelService returns the interpreter and folder of the installed
// ModelService: CHURN_MODELSERVICE, or services/modelservice below the working
// directory or beside the program's folder.
func findModelService() (python, dir string, err error) {
	places := nearby("services/modelservice", os.Getenv("CHURN_MODELSERVICE"))
	for i, d := range places {
		places[i] = filepath.Join(d, ".venv", "bin", "python")
	}
	python, err = find(places)
	if err != nil {
		return "", "", fmt.Errorf("ModelService is not installed (%w): run `make modelservice`, or leave it out with `churnctl up --serve=false`", err)
	}
	return python, filepath.Join(filepath.Dir(python), "..", ".."), nil
}

// run keeps ModelService running until ctx is done.
func (m *modelService) run(ctx context.Context) {
	pause := 500 * time.Millisecond
	for ctx.Err() == nil {
		started := time.Now()
		err := m.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > time.Minute {
			pause = 500 * time.Millisecond
		}
		m.log.Warn("ModelService ended; starting it again", zap.Error(err), zap.Duration("in", pause), zap.String("log", m.logFile()))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 30*time.Second)
	}
}

func (m *modelService) logFile() string  { return filepath.Join(m.state, "modelservice.log") }
func (m *modelService) portFile() string { return filepath.Join(m.state, "modelservice.port") }

// once runs it until it ends or ctx is done.
func (m *modelService) once(ctx context.Context) error {
	if err := os.Remove(m.portFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	log, err := os.OpenFile(m.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, m.python, "-m", "modelservice", "--host", "127.0.0.1",
		"--port", fmt.Sprint(m.port), "--port-file", m.portFile(), "--exit-with-parent")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = m.dir, append(os.Environ(), m.env...), log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe() // held open: its end tells the child that this process is gone
	if err != nil {
		return err
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		return err
	}
	go m.findPort(ctx)
	return cmd.Wait()
}

// findPort waits for the port file and remembers the address, and the port for
// the next start.
func (m *modelService) findPort(ctx context.Context) {
	for ctx.Err() == nil {
		if text, err := os.ReadFile(m.portFile()); err == nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.url = "http://127.0.0.1:" + strings.TrimSpace(string(text))
			return
		}
		sleep(ctx, 20*time.Millisecond)
	}
}

func (m *modelService) address() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.url
}

// waitListening returns its address once it answers at all.
func (m *modelService) waitListening(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if url := m.address(); url != "" {
			if status, _, err := get(ctx, url+"/healthz"); err == nil && status == http.StatusOK {
				return url, nil
			}
		}
		sleep(ctx, 20*time.Millisecond)
	}
	return "", fmt.Errorf("ModelService did not start; its log is %s", m.logFile())
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// get returns status and body of a GET.
func get(ctx context.Context, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	return do(req)
}

func do(req *http.Request) (int, []byte, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	return res.StatusCode, body, err
}
