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
	note(os.Getenv("CHURN_FAULT_TRACE"), name)
	if name == point && passes.Add(1) == pass && first(os.Getenv("CHURN_FAULT_ONCE")) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may take a moment to arrive
	}
}

// note adds a line to the file of points that were passed.
func note(file, name string) {
	if file == "" {
		return
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(name + "\n")
	}
	if err != nil {
		panic(err) // a test that relies on it must not go on
	}
	_ = f.Close()
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
