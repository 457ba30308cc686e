package main

import (
	"errors"
	"fmt"

	"github.com/asfotec/churn/pkg/fold"
)

// The exit codes, as `churnctl --help` documents them.
const (
	exitOK          = 0
	exitError       = 1 // something could not be done
	exitUsage       = 2 // the command line was wrong
	exitRejected    = 3 // the run ended model-rejected
	exitFailed      = 4 // the run ended run-failed
	exitPending     = 5 // the run waits for approval
	exitInterrupted = 130
)

// An exitErr ends the program with a code of its own.
type exitErr struct {
	code int
	err  error // nil if everything was said already
}

func (e *exitErr) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitErr) Unwrap() error { return e.err }

// saidAlready reports whether err is there for its exit code alone.
func saidAlready(err error) bool {
	var e *exitErr
	return errors.As(err, &e) && e.err == nil
}

// usageErrorf is a wrong command line.
func usageErrorf(format string, args ...any) error {
	return &exitErr{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode returns the code that err ends the program with.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var e *exitErr
	if errors.As(err, &e) {
		return e.code
	}
	return exitError
}

// outcome returns the error that a run with the given end is reported by: nil
// when promoted, and for a dry run that would have been.
func outcome(end fold.Status, dryRunPassed bool) error {
	switch {
	case end == fold.Promoted, end == fold.Rejected && dryRunPassed:
		return nil
	case end == fold.Pending:
		return &exitErr{code: exitPending}
	case end == fold.Rejected:
		return &exitErr{code: exitRejected}
	default:
		return &exitErr{code: exitFailed}
	}
}
