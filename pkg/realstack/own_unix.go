//go:build unix && !linux

package realstack

import (
	"os/exec"
	"syscall"
)

// own makes the command the head of a process group.
func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
