package main

import (
	"context"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/fold"
)

// history reads the whole log and folds it into runs.
func (p *parts) history(ctx context.Context) (fold.Runs, error) {
	return p.historyAt(ctx, time.Time{})
}

// historyAt does so with what was on the log by the given time; the zero time is
// now.
func (p *parts) historyAt(ctx context.Context, by time.Time) (fold.Runs, error) {
	return fold.Read(ctx, p.bus, p.prefix, by)
}

// run returns the one run on the log whose id starts with prefix.
func (p *parts) run(ctx context.Context, prefix string) (*fold.Run, error) {
	runs, err := p.history(ctx)
	if err != nil {
		return nil, err
	}
	return findRun(runs, prefix)
}

// findRun returns the one run whose id starts with prefix.
func findRun(runs fold.Runs, prefix string) (*fold.Run, error) {
	var found *fold.Run
	for id, run := range runs {
		if !strings.HasPrefix(id, prefix) {
			continue
		}
		if found != nil {
			return nil, usageErrorf("more than one run starts with %q: give more of the id", prefix)
		}
		found = run
	}
	if found == nil {
		return nil, usageErrorf("no run starts with %q; `churnctl runs` lists them", prefix)
	}
	return found, nil
}
