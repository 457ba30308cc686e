package main

import (
	"context"
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

// until shows the run's events to w until the run ends, and returns it.
func (f *follower) until(ctx context.Context, request event.Event, w watcher) (*fold.Run, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	events := make(chan event.Event)
	g, ctx := errgroup.WithContext(ctx)
	for topic, from := range f.ends {
		g.Go(func() error {
			return f.parts.bus.Read(ctx, topic, from, true, func(ctx context.Context, r bus.Record) error {
				return send(ctx, events, f.decode(r), request.Run())
			})
		})
	}
	go func() { _ = g.Wait(); close(events) }() // its error is returned below

	runs := fold.Runs{}
	runs.Add(request)
	run := runs[request.Run()]
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
		if run.Status().Ended() {
			stop()
		}
	}
	if run.Status().Ended() {
		return run, nil
	}
	if err := g.Wait(); err != nil {
		return run, err
	}
	return run, context.Cause(ctx)
}

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
// nothing else, such as a request whose id was used before, is its failure.
func (f *follower) decode(r bus.Record) event.Event {
	e, err := event.Decode(r, f.parts.prefix)
	if err != nil {
		return event.Event{}
	}
	h := headers(r)
	if h["dlq_message"] == "" {
		return e
	}
	return e.Reply(client, churn.RunFailed, 0, e.Key, &eventv1.RunFailed{
		Run: e.Run(), Kind: h["dlq_kind"], Stage: strings.TrimPrefix(h["dlq_group"], f.parts.prefix), Message: h["dlq_message"],
	})
}
