// Command churnctl runs the churn pipeline on one machine and talks to it
// anywhere: publish requests, follow runs, read the log.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/asfotec/churn/pkg/gbdt/worker"
)

func main() {
	worker.Main() // does not return in the process that trains
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	a := newApp()
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if ctx.Err() != nil && code == exitError {
		code = exitInterrupted
	}
	if err != nil && !saidAlready(err) {
		_, _ = fmt.Fprintln(os.Stderr, "churnctl:", err)
	}
	return code
}
