package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// follower watches the topics on which a run's events come.
type follower struct {
	parts *parts
	ends  map[string]bus.Position
}

// follow notes where the topics end now; what is published afterwards cannot
// be missed.
func (p *parts) follow(ctx context.Context) (*follower, error) {
	f := &follower{parts: p, ends: map[string]bus.Position{}}
	for _, spec := range churn.Topology {
		if spec.Topic == churn.RetrainRequested || spec.Topic == churn.ModelCurrent {
			continue
		}
		f.ends[spec.Topic.Name(p.prefix)] = nil
	}
	for _, s := range []churn.Service{churn.Featurizer, churn.Trainer, churn.Evaluator, churn.Gate} {
		f.ends[s.DeadLetterTopic().Name(p.prefix)] = nil
	}
	for topic := range f.ends {
		end, err := p.bus.End(ctx, topic)
		if err != nil {
			return nil, err
		}
		f.ends[topic] = end
	}
	return f, nil
}

// watcher is told of a run's events as they come.
type watcher interface {
	progress(*eventv1.RunProgress)
	event(event.Event)
}

// until shows the run's events to w until the run ends or waits for a person, and
// returns it. runs is what is known of it already, own what this command has
// published last.
func (f *follower) until(ctx context.Context, runs fold.Runs, own event.Event, w watcher) (*fold.Run, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	events := make(chan event.Event)
	g, ctx := errgroup.WithContext(ctx)
	for topic, from := range f.ends {
		g.Go(func() error {
			return f.parts.bus.Read(ctx, topic, from, true, func(ctx context.Context, r bus.Record) error {
				e, err := f.decode(r, own)
				if err != nil {
					return err
				}
				return send(ctx, events, e, own.Run())
			})
		})
	}
	go func() { _ = g.Wait(); close(events) }() // its error is returned below

	runs.Add(own)
	run := runs[own.Run()]
	for e := range events {
		if p, ok := e.Data.(*eventv1.RunProgress); ok {
			w.progress(p)
			continue
		}
		if _, seen := run.Events[e.ID]; seen {
			continue
		}
		runs.Add(e)
		w.event(e)
		if settled(run) {
			stop()
		}
	}
	if settled(run) {
		return run, nil
	}
	if err := g.Wait(); err != nil {
		return run, err
	}
	return run, context.Cause(ctx)
}

// settled reports whether nothing more happens unless a person decides.
func settled(run *fold.Run) bool { return run.Status().Ended() || run.Status() == fold.Pending }

func send(ctx context.Context, events chan<- event.Event, e event.Event, run string) error {
	if e.Run() != run {
		return nil
	}
	select {
	case events <- e:
	case <-ctx.Done():
	}
	return nil
}

// decode returns the record's event. A dead letter of this run that says
// nothing else, such as a request whose id was used before, is its failure; but
// an answer that the gate refuses is none of the run, and an error if it is own.
func (f *follower) decode(r bus.Record, own event.Event) (event.Event, error) {
	e, err := event.Decode(r, f.parts.prefix)
	if err != nil {
		return event.Event{}, nil //nolint:nilerr // somebody else's
	}
	h := headers(r)
	if h["dlq_message"] == "" {
		return e, nil
	}
	if e.Type == churn.ApprovalDecided.Type() {
		if e.ID == own.ID {
			return event.Event{}, fmt.Errorf("the gate refused it: %s", h["dlq_message"])
		}
		return event.Event{}, nil
	}
	return e.Reply(client, churn.RunFailed, 0, e.Key, &eventv1.RunFailed{
		Run: e.Run(), Kind: h["dlq_kind"], Stage: strings.TrimPrefix(h["dlq_group"], f.parts.prefix), Message: h["dlq_message"],
	}), nil
}
