package embedded_test

import (
	"context"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
)

const anyPort = "127.0.0.1:0"

// part is a broker or a store.
type part struct {
	addr  string
	close func() error
}

// parts start each part.
var parts = map[string]func(ctx context.Context, dir, addr string) (part, error){
	"broker": func(ctx context.Context, dir, addr string) (part, error) {
		b, err := embedded.StartBroker(ctx, dir, addr)
		if err != nil {
			return part{}, err
		}
		return part{b.Addr(), b.Close}, nil
	},
	"store": func(ctx context.Context, dir, addr string) (part, error) {
		s, err := embedded.StartStore(ctx, dir, addr, "", "")
		if err != nil {
			return part{}, err
		}
		u, err := url.Parse(s.Endpoint())
		return part{u.Host, s.Close}, err
	},
}

// eachPart tests the broker and the store.
func eachPart(t *testing.T, f func(t *testing.T, start func(dir, addr string) (part, error))) {
	for name, start := range parts {
		t.Run(name, func(t *testing.T) {
			f(t, func(dir, addr string) (part, error) { return start(t.Context(), dir, addr) })
		})
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func stop(t *testing.T, p part) {
	t.Helper()
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, what string, err error, kind churn.Kind, says ...string) {
	t.Helper()
	if !churn.IsKind(err, kind) {
		t.Errorf("%s: error is %v, not of kind %v", what, err, kind)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: error is %v, which does not say %q", what, err, s)
		}
	}
}

func TestAFolderHasOneUser(t *testing.T) {
	eachPart(t, func(t *testing.T, start func(dir, addr string) (part, error)) {
		dir := t.TempDir()
		first := must[part](t)(start(dir, anyPort))
		_, err := start(dir, anyPort)
		refused(t, "a second user", err, churn.Conflict, dir, strconv.Itoa(os.Getpid()))
		stop(t, first)
		stop(t, first) // closing again does nothing
		stop(t, must[part](t)(start(dir, anyPort)))
	})
}

// A second store would take the working directory away from the first.
func TestAProcessHasOneStore(t *testing.T) {
	start := func() (part, error) { return parts["store"](t.Context(), t.TempDir(), anyPort) }
	first := must[part](t)(start())
	there := must[string](t)(os.Getwd())
	_, err := start()
	refused(t, "a second store", err, churn.Conflict, "already")
	if now := must[string](t)(os.Getwd()); now != there {
		t.Errorf("the working directory is now %s, not %s", now, there)
	}
	stop(t, first)
	stop(t, must[part](t)(start()))
}

func TestLoopbackOnly(t *testing.T) {
	eachPart(t, func(t *testing.T, start func(dir, addr string) (part, error)) {
		for _, addr := range []string{"", ":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", "example.com:9092", "127.0.0.1", "127.0.0.1:x"} {
			p, err := start(t.TempDir(), addr)
			if err == nil {
				t.Errorf("%q: listening on %s", addr, p.addr)
				stop(t, p)
				continue
			}
			if _, port, e := net.SplitHostPort(addr); e == nil && port != "x" {
				refused(t, addr, err, churn.Invalid, "loopback")
			}
		}
		p := must[part](t)(start(t.TempDir(), anyPort))
		defer stop(t, p)
		host, _, err := net.SplitHostPort(p.addr)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("listening on %s, %v", p.addr, err)
		}
	})
}

// Clients find the way back after a restart, unless another took the port.
func TestPortIsKept(t *testing.T) {
	eachPart(t, func(t *testing.T, start func(dir, addr string) (part, error)) {
		var dir string
		var first part
		var squatter net.Listener
		for squatter == nil { // once more if somebody else took the port between
			dir = t.TempDir()
			first = must[part](t)(start(dir, anyPort))
			stop(t, first)
			again := must[part](t)(start(dir, anyPort))
			stop(t, again)
			var err error
			if squatter, err = net.Listen("tcp", first.addr); err == nil && again.addr != first.addr {
				t.Fatalf("first at %s, then at %s", first.addr, again.addr)
			}
		}
		_, err := start(dir, first.addr)
		refused(t, "a port that was asked for and is taken", err, churn.Transient, first.addr)
		other := must[part](t)(start(dir, anyPort))
		stop(t, other)
		_ = squatter.Close()
		if other.addr == first.addr {
			t.Errorf("at %s, which is taken", other.addr)
		}
		for _, junk := range []string{"", "x", "0", "70000", "-1", "80\n81"} {
			if err := os.WriteFile(filepath.Join(dir, "port"), []byte(junk), 0o600); err != nil {
				t.Fatal(err)
			}
			stop(t, must[part](t)(start(dir, anyPort)))
		}
	})
}

func TestContextEndsAPart(t *testing.T) {
	for name, start := range parts {
		served := func() bool {
			ctx, cancel := context.WithCancel(t.Context())
			p := must[part](t)(start(ctx, t.TempDir(), anyPort))
			cancel()
			stop(t, p)
			c, err := net.Dial("tcp", p.addr)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		}
		// Another process may have taken the port meanwhile, but not each time.
		tries := 3
		for tries > 0 && served() {
			tries--
		}
		if tries == 0 {
			t.Errorf("%s: still there", name)
		}
	}
}

func TestCredentials(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "store")
	access, secret, err := embedded.Credentials(dir)
	if err != nil || len(access) < 16 || len(secret) < 40 {
		t.Fatalf("keys of %d and %d characters, %v", len(access), len(secret), err)
	}
	for range 2 {
		s, err := embedded.StartStore(t.Context(), dir, anyPort, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if s.AccessKey() != access || s.SecretKey() != secret {
			t.Error("they have changed")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if a, s, err := embedded.Credentials(t.TempDir()); err != nil || a == access || s == secret {
		t.Errorf("another folder has the same, or none: %v", err)
	}
	file := filepath.Join(dir, "credentials.json")
	for _, junk := range []string{"", "{}", `{"access_key":"a"}`, "\x00", `[1]`} {
		if err := os.WriteFile(file, []byte(junk), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.StartStore(t.Context(), dir, anyPort, "", "")
		refused(t, junk, err, churn.Invalid, file, "remove")
	}
}

// Nobody else on the machine reads the state.
func TestStateIsPrivate(t *testing.T) {
	eachPart(t, func(t *testing.T, start func(dir, addr string) (part, error)) {
		dir := filepath.Join(t.TempDir(), "state")
		stop(t, must[part](t)(start(dir, anyPort)))
		if mode := must[fs.FileInfo](t)(os.Stat(dir)).Mode().Perm(); mode != 0o700 {
			t.Errorf("the folder has mode %o", mode)
		}
		for _, name := range []string{"lock", "port", "credentials.json"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %o", name, info.Mode().Perm())
			}
		}
	})
}

func TestFolderThatCannotBe(t *testing.T) {
	eachPart(t, func(t *testing.T, start func(dir, addr string) (part, error)) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := start(file, anyPort)
		refused(t, "a file", err, churn.Internal, file)
		locked := t.TempDir()
		if err := os.Mkdir(filepath.Join(locked, "lock"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err = start(locked, anyPort)
		refused(t, "a lock that is a folder", err, churn.Internal, locked)
	})
}
