package test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a file system of its own, which can be filled.
type smallDisk struct{ dir string }

// newSmallDisk mounts one of so many bytes in memory. It needs root: without, a
// storm has no disk that fills up, and says so.
func newSmallDisk(t *testing.T, size string) (*smallDisk, error) {
	d := &smallDisk{t.TempDir()}
	if err := syscall.Mount("storm", d.dir, "tmpfs", 0, "size="+size); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = syscall.Unmount(d.dir, syscall.MNT_DETACH) })
	return d, nil
}

// filled takes all the room that is left, for a while.
func (d *smallDisk) filled(r *rand.Rand) error {
	ballast := filepath.Join(d.dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	defer os.Remove(ballast)
	defer f.Close()
	at := int64(0)
	for size := int64(1 << 30); size >= 1<<12; { // others take of it at the same time
		switch err := syscall.Fallocate(int(f.Fd()), 0, at, size); {
		case err == nil:
			at += size
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		default:
			return err
		}
	}
	time.Sleep(time.Second + time.Duration(r.IntN(4000))*time.Millisecond)
	return nil
}
