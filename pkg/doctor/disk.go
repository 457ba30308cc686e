package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// How much room a folder should have, in bytes.
const (
	roomWarn = 1 << 30
	roomFail = 64 << 20
)

// Disk checks how much room the folders have. One that is not there yet will be
// made where its parents are.
func Disk(folders ...string) Check {
	return Check{"disk", func(context.Context) Finding {
		f := Finding{Status: OK}
		var found []string
		for _, folder := range folders {
			room, err := roomIn(folder)
			if err != nil {
				return fail(err)
			}
			found = append(found, fmt.Sprintf("%d MiB in %s", room>>20, folder))
			switch {
			case room < roomFail:
				f.Status = Fail
			case room < roomWarn && f.Status == OK:
				f.Status = Warn
			}
		}
		f.Found = "free: " + strings.Join(found, ", ")
		if f.Status != OK {
			f.Advice = "make room, or take another folder by CHURN_STATE_DIR and TMPDIR"
		}
		return f
	}}
}

// roomIn returns the free bytes of the file system that the folder is or will be
// on.
func roomIn(folder string) (uint64, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return 0, err
	}
	for {
		var s syscall.Statfs_t
		err := syscall.Statfs(folder, &s)
		if err == nil {
			return s.Bavail * uint64(s.Bsize), nil //nolint:gosec,unconvert // a size; its type differs between systems
		}
		if parent := filepath.Dir(folder); errors.Is(err, fs.ErrNotExist) && parent != folder {
			folder = parent
			continue
		}
		return 0, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
}
