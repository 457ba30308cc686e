package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/asfotec/churn/pkg/churn"
)

// folder is a state folder, locked for this process.
type folder struct {
	path string
	lock *os.File
}

// open makes the folder if needed and locks it. The lock goes with the process,
// however that ends.
func open(op, path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = churn.Errorf(op, churn.Conflict, "%s is in use by process %s: stop it, or choose another state folder", path, holder(f))
		return nil, errors.Join(err, f.Close())
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		return nil, errors.Join(churn.E(op, churn.Internal, err), f.Close())
	}
	return &folder{path, f}, nil
}

func holder(f *os.File) string {
	pid := make([]byte, 20)
	n, _ := f.ReadAt(pid, 0)
	if s := string(bytes.TrimSpace(pid[:n])); s != "" {
		return s
	}
	return "unknown"
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	return err
}

// close unlocks the folder.
func (f *folder) close() error { return f.lock.Close() }

func (f *folder) join(name string) string { return filepath.Join(f.path, name) }

// make makes a sub-folder and returns its path.
func (f *folder) make(name string) (string, error) {
	return f.join(name), os.MkdirAll(f.join(name), 0o700)
}

// listen listens on addr, which must be a loopback address. Port 0 takes the
// port of last time if it is free, so that clients find the way back, and
// otherwise any, which is then remembered.
func (f *folder) listen(op, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, churn.E(op, churn.Invalid, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, churn.Errorf(op, churn.Invalid, "%s is not a loopback address such as 127.0.0.1:0: the embedded parts serve this machine alone", addr)
	}
	if port != "0" {
		l, err := net.Listen("tcp", addr)
		return l, churn.E(op, churn.Transient, err)
	}
	if last := f.lastPort(); last != "" {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, last)); err == nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, churn.E(op, churn.Transient, err)
	}
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := replace(f.join("port"), []byte(port+"\n")); err != nil {
		return nil, errors.Join(churn.E(op, churn.Internal, err), l.Close())
	}
	return l, nil
}

// lastPort is empty if there is none.
func (f *folder) lastPort() string {
	b, err := os.ReadFile(f.join("port"))
	if err != nil {
		return ""
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 16)
	if err != nil || n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// replace writes a file whole or not at all, readable by its owner alone.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
