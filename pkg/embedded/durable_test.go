package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
)

// stackIn is the variable that makes the test binary a process with both parts
// in that folder.
const stackIn = "CHURN_TEST_STACK_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(stackIn); dir != "" {
		fmt.Fprintln(os.Stderr, writer(context.Background(), dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// stack is both parts and their clients.
type stack struct {
	broker *embedded.Broker
	store  *embedded.Store
	bus    *kafka.Bus
	blobs  *s3.Store
}

func startStack(ctx context.Context, dir string) (_ stack, err error) {
	var s stack
	if s.broker, err = embedded.StartBroker(ctx, filepath.Join(dir, "broker"), anyPort); err != nil {
		return s, err
	}
	if s.store, err = embedded.StartStore(ctx, filepath.Join(dir, "store"), anyPort, "", ""); err != nil {
		return s, err
	}
	s.bus, err = kafka.New(kafka.Config{Brokers: []string{s.broker.Addr()}, SessionTimeout: 2 * time.Second})
	if err != nil {
		return s, err
	}
	s.blobs, err = s3.New(s3.Config{
		Endpoint: s.store.Endpoint(), AccessKey: s.store.AccessKey(), SecretKey: s.store.SecretKey(), Bucket: "churn",
	})
	return s, err
}

func (s stack) close() error { return errors.Join(s.bus.Close(), s.broker.Close(), s.store.Close()) }

// write does the n-th write: an object and a record.
func (s stack) write(ctx context.Context, n int) error {
	if _, err := s.blobs.Put(ctx, key(n), "text/plain", bytes.NewReader(data(n))); err != nil {
		return err
	}
	return s.bus.Publish(ctx, bus.Record{Topic: "t", Key: []byte{byte(n)}, Value: fmt.Append(nil, n)})
}

func key(n int) string  { return fmt.Sprintf("runs/%04d/object", n) }
func data(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%04d", n), 10_000) }

func (s stack) provision(ctx context.Context) error {
	return errors.Join(s.bus.Ensure(ctx, bus.TopicConfig{Name: "t", Partitions: 3}), s.blobs.EnsureBucket(ctx))
}

// writer writes without end, and prints the number of each write that was
// acknowledged.
func writer(ctx context.Context, dir string) error {
	s, err := startStack(ctx, dir)
	if err != nil {
		return err
	}
	if err := s.provision(ctx); err != nil {
		return err
	}
	go func() { // consumes, so that the group is there when the process is not
		_ = s.bus.Subscribe(ctx, "g", []string{"t"}, 3, func(context.Context, bus.Record) error { return nil })
	}()
	for n := 0; ; n++ {
		if err := s.write(ctx, n); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKilled kills a process that writes: everything that was acknowledged is
// there, the group goes on, and what is written again is as if for the first
// time.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	process := exec.CommandContext(t.Context(), must[string](t)(os.Executable()))
	process.Dir = dir // this process's own may be that of a store that is gone
	process.Env = append(os.Environ(), stackIn+"="+dir)
	process.Stderr = os.Stderr
	out := must[io.ReadCloser](t)(process.StdoutPipe())
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	lines, n := bufio.NewScanner(out), 0
	for ; n < 50 && lines.Scan(); n++ {
		if n == 10 { // it is at work
			_, err := embedded.StartBroker(t.Context(), filepath.Join(dir, "broker"), anyPort)
			refused(t, "a folder of another process", err, churn.Conflict, fmt.Sprint(process.Process.Pid))
		}
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it still said before it was killed
		n++
	}
	_ = process.Wait()
	if n < 50 {
		t.Fatalf("it ended after %d writes", n)
	}
	s := must[stack](t)(startStack(t.Context(), dir))
	defer s.close()
	s.holds(t, n)
	for i := n - 1; i < n+2; i++ { // the last, the one that was under way, and one more
		if err := s.write(t.Context(), i); err != nil {
			t.Error(err)
		}
	}
	s.holds(t, n+2)
	s.consumes(t, "last of all")
}

// TestClosed closes both parts under clients that go on.
func TestClosed(t *testing.T) {
	dir := t.TempDir()
	s := must[stack](t)(startStack(t.Context(), dir))
	if err := s.provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	const n = 20
	for i := range n {
		if err := s.write(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	nothing := func(context.Context, bus.Record) error { return nil }
	done := make(chan error, 2)
	go func() { done <- s.bus.Subscribe(ctx, "g", []string{"t"}, 3, nothing) }()
	go func() { done <- s.bus.Read(ctx, "t", nil, true, nothing) }()
	a, err := s.blobs.Stat(t.Context(), key(0))
	if err != nil {
		t.Fatal(err)
	}
	body := must[io.ReadCloser](t)(s.blobs.Open(t.Context(), a))
	defer body.Close()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if err := s.blobs.Ping(t.Context()); !churn.IsKind(err, churn.Transient) {
		t.Errorf("the closed store answers %v", err)
	}
	if err := s.bus.Ping(t.Context()); !churn.IsKind(err, churn.Transient) {
		t.Errorf("the closed broker answers %v", err)
	}
	again := must[stack](t)(startStack(t.Context(), dir))
	defer again.close()
	again.holds(t, n)
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	again.consumes(t, "last of all")
}

// holds checks the first n writes.
func (s stack) holds(t *testing.T, n int) {
	t.Helper()
	there := map[string]bool{}
	err := s.bus.Read(t.Context(), "t", nil, false, func(_ context.Context, r bus.Record) error {
		there[string(r.Value)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if !there[fmt.Sprint(i)] {
			t.Errorf("record %d is lost", i)
		}
		a, err := s.blobs.Put(t.Context(), key(i), "text/plain", bytes.NewReader(data(i)))
		if err != nil {
			t.Errorf("object %d: %v", i, err)
			continue
		}
		if got, err := s.blobs.Get(t.Context(), a, 1<<20); err != nil || !bytes.Equal(got, data(i)) {
			t.Errorf("object %d has %d bytes, %v", i, len(got), err)
		}
	}
}

// consumes publishes a record and waits until the group has come to it.
func (s stack) consumes(t *testing.T, value string) {
	t.Helper()
	if err := s.bus.Publish(t.Context(), bus.Record{Topic: "t", Key: []byte("k"), Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	found := false
	err := s.bus.Subscribe(ctx, "g", []string{"t"}, 1, func(_ context.Context, r bus.Record) error {
		if string(r.Value) == value {
			found = true
			stop()
		}
		return nil
	})
	if err != nil || !found {
		t.Errorf("the group did not come to the last record: %v", err)
	}
}

// Whatever is done to one of its files, the broker says so or goes on with all
// records. Which file it is told by name.
func TestDamagedBroker(t *testing.T) {
	whole := t.TempDir()
	b := must[*embedded.Broker](t)(embedded.StartBroker(t.Context(), whole, anyPort))
	client := must[*kafka.Bus](t)(kafka.New(kafka.Config{Brokers: []string{b.Addr()}}))
	if err := client.Ensure(t.Context(), bus.TopicConfig{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	const n = 5
	for range n {
		if err := client.Publish(t.Context(), bus.Record{Topic: "t", Value: []byte("a record of some length")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"meta.json", "topics.json", "acls.json", "broker_configs.json", "groups.log", "pids.log", "partitions/t-0/0.dat", "partitions/t-0/0.idx", "partitions/t-0/snapshot.json"} {
		for name, damage := range damages {
			if file == "partitions/t-0/0.dat" && (name == "removed" || name == "emptied" || name == "cut") {
				continue // nothing tells this from a log that is shorter
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, "data", file)); err != nil {
				t.Fatal(err)
			}
			b, err := embedded.StartBroker(t.Context(), dir, anyPort)
			if err != nil {
				if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "begin anew") {
					t.Errorf("%s %s: %v does not say what to do", file, name, err)
				}
				continue
			}
			client := must[*kafka.Bus](t)(kafka.New(kafka.Config{Brokers: []string{b.Addr()}}))
			records := 0
			err = client.Read(t.Context(), "t", nil, false, func(context.Context, bus.Record) error { records++; return nil })
			if err != nil || records != n {
				t.Errorf("%s %s: started with %d of %d records, %v", file, name, records, n, err)
			}
			if err := errors.Join(client.Close(), b.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

var damages = map[string]func(path string) error{
	"removed": os.Remove,
	"emptied": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	"cut": func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()/2)
	},
	"overwritten": func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := range data {
			data[i] = 'x'
		}
		return os.WriteFile(path, data, 0o600)
	},
	"flipped": func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			return err
		}
		data[len(data)/2] ^= 0x10
		return os.WriteFile(path, data, 0o600)
	},
	"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
}

func TestDamagedStore(t *testing.T) {
	for _, name := range []string{"objects", "metadata"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("no folder"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.StartStore(t.Context(), dir, anyPort, "", "")
		refused(t, name+" is a file", err, churn.Internal, dir, "begin anew")
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was removed", name)
		}
	}
}
