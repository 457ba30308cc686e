package lightgbm

import (
	"crypto/sha256"
	_ "embed" // library.sha256
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/ebitengine/purego"

	"github.com/asfotec/churn/pkg/churn"
)

// Version is the pinned version of LightGBM.
const Version = "4.7.0"

// DefaultPath is where `make lightgbm` puts the library, from the repository's
// root.
const DefaultPath = "build/lightgbm/" + Version + "/lib_lightgbm.so"

// pinned holds the library's digest for each platform, as sha256sum writes it.
//
//go:embed library.sha256
var pinned string

// Library is LightGBM, loaded into this process.
type Library struct {
	api
	sha256 string
	mu     sync.Mutex // LightGBM's number of threads is one for the process

	members                  *Members // of the training under way
	reduceScatter, allgather uintptr  // functions of LightGBM's C ABI that ask the members; 0: not made yet
}

// Load loads the library at path. One whose digest is not pinned for this
// platform is refused as Invalid before any of its code runs.
func Load(path string) (*Library, error) {
	const op = "lightgbm.Load"
	want, err := pinnedDigest(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		return nil, churn.E(op, churn.Invalid, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the LightGBM library is not there: %w (`make lightgbm` fetches it, CHURN_LIGHTGBM names it)", err)
	}
	defer f.Close()
	got, err := digest(f)
	if err != nil {
		return nil, churn.E(op, churn.Transient, err)
	}
	if got != want {
		return nil, churn.Errorf(op, churn.Invalid, "%s has SHA-256 %s, not LightGBM %s's %s: fetch it with `make lightgbm`", path, got, Version, want)
	}
	// Through the open file, so that what was verified is what is loaded even
	// if the path is given another file meanwhile.
	handle, err := purego.Dlopen(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "%s: %w (LightGBM needs libgomp: on Debian, apt-get install libgomp1)", path, err)
	}
	l := &Library{sha256: got}
	return l, churn.E(op, churn.Internal, l.register(handle))
}

// SHA256 returns the library's digest in lower-case hex.
func (l *Library) SHA256() string { return l.sha256 }

// pinnedDigest returns the digest for a platform such as linux/amd64.
func pinnedDigest(platform string) (string, error) {
	for line := range strings.Lines(pinned) {
		if d, p, _ := strings.Cut(strings.TrimSpace(line), "  "); p == platform {
			return d, nil
		}
	}
	return "", fmt.Errorf("there is no pinned LightGBM library for %s: train on linux/amd64 or linux/arm64", platform)
}

func digest(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
