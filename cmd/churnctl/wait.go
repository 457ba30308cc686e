package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// waitFlags say how long a run is followed.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

func (w *waitFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.wait, "wait", true, "follow the run to its end; with --wait=false publish and return")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 0, "give up waiting after this long (0: never); the run goes on")
}

// context returns the context in which the run is followed.
func (w *waitFlags) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, w.timeout,
		fmt.Errorf("the run has not ended within %s; it goes on: `churnctl runs` shows it", w.timeout))
}

// outlives returns an error if the services end with this command.
func (p *parts) outlives() error {
	if p.stack == nil {
		return nil
	}
	return usageErrorf("--wait=false needs services that outlive this command: start them with `churnctl up`, or set KAFKA_BROKERS")
}
