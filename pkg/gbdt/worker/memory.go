package worker

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// memorySetting tells a worker how many bytes it may allocate; 0: as many as there
// are.
const memorySetting = "CHURN_LIGHTGBM_WORKER_MEMORY="

// limitMemory has the kernel refuse this process more memory than it is told, also
// to native code: the training fails, and no other process is made to pay for it.
// What is merely reserved, as Go's runtime does, does not count.
func limitMemory(env []string) error {
	for _, entry := range env {
		text, ok := strings.CutPrefix(entry, memorySetting)
		if !ok {
			continue
		}
		bytes, err := strconv.ParseUint(text, 10, 63)
		if err != nil || bytes == 0 {
			return err
		}
		return os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: bytes, Max: bytes}))
	}
	return nil
}
