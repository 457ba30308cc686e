//go:build !faults

// Package fault marks the points at which tests kill a process. In normal
// builds the marks do nothing.
//
// Built with the tag faults, a process kills itself (SIGKILL: nothing is
// cleaned up) at the point that CHURN_FAULT names, for example
// trainer.handled:1 at the first pass. With CHURN_FAULT_ONCE naming a file, it
// does so only if the file is not there, and makes it: once, however often the
// process is started again. With CHURN_FAULT_TRACE naming a file, it adds a line
// for each point that it passes.
package fault

// Point marks a point by its name.
func Point(string) {}
