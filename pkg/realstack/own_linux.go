package realstack

import (
	"os/exec"
	"syscall"
)

// own makes the command the head of a process group that ends with this process,
// however this process ends.
func own(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
