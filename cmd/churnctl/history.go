package main

import (
	"context"
	"strings"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
)

// history reads the whole log and folds it into runs.
func (p *parts) history(ctx context.Context) (fold.Runs, error) {
	runs := fold.Runs{}
	for _, spec := range churn.Topology {
		if spec.Topic == churn.RunProgress || spec.Topic == churn.ModelCurrent {
			continue
		}
		err := p.bus.Read(ctx, spec.Topic.Name(p.prefix), nil, false, func(_ context.Context, r bus.Record) error {
			if e, err := event.Decode(r, p.prefix); err == nil { // what cannot be decoded is in a dead-letter topic
				runs.Add(e)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
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
