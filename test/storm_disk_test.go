package test

import (
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
	var room syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &room); err != nil {
		return err
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(room.Bavail)*room.Bsize); err != nil { //nolint:gosec // a descriptor
		return err
	}
	time.Sleep(time.Second + time.Duration(r.IntN(4000))*time.Millisecond)
	return nil
}
