//go:build faults

// Package fault marks the points at which tests kill a process.
package fault

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var (
	point, pass = armed(os.Getenv("CHURN_FAULT"))
	passes      atomic.Int64
)

func armed(setting string) (point string, pass int64) {
	point, n, _ := strings.Cut(setting, ":")
	pass, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		pass = 1
	}
	return point, pass
}

// Point kills this process if name is the armed point, at the armed pass.
func Point(name string) {
	if name == point && passes.Add(1) == pass && first(os.Getenv("CHURN_FAULT_ONCE")) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may take a moment to arrive
	}
}

// first makes the marker file and reports whether it was not there before.
func first(marker string) bool {
	if marker == "" {
		return true
	}
	f, err := os.OpenFile(marker, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	return f.Close() == nil
}
