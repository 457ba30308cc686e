package stage

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/stage/fault"
)

// Publish publishes the outputs, and succeeds when every in-sync replica has
// them.
func Publish(p bus.Publisher, prefix string, s churn.Service) Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			out, err := next.Handle(ctx, e)
			if err != nil || len(out) == 0 {
				return nil, err
			}
			ctx, sent := send(ctx, prefix, out)
			err = publish(ctx, p, prefix, out)
			sent(err)
			if err != nil {
				return nil, err
			}
			fault.Point(string(s) + ".published")
			return out, nil
		})
	}
}

// send starts the span in which the events are published.
func send(ctx context.Context, prefix string, events []event.Event) (context.Context, func(error)) {
	name := "send"
	for _, t := range topics(events) {
		name += " " + string(t)
	}
	return obs.Span(ctx, name, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(sending(prefix, events...)...))
}

// topics returns the topics of the events, each once, in their order.
func topics(events []event.Event) []churn.Topic {
	var all []churn.Topic
	for _, e := range events {
		if !slices.Contains(all, e.Topic) {
			all = append(all, e.Topic)
		}
	}
	return all
}

func publish(ctx context.Context, p bus.Publisher, prefix string, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	records := make([]bus.Record, len(events))
	for i, e := range events {
		r, err := event.Encode(e, prefix)
		if err != nil {
			return err
		}
		inject(ctx, &r)
		records[i] = r
	}
	return p.Publish(ctx, records...)
}

// Tables adds the rows of compacted topics that the outputs bring up to date;
// see Stage.Tables.
func Tables(rows func(ctx context.Context, outputs []event.Event) ([]event.Event, error)) Middleware {
	return func(next Handler) Handler {
		if rows == nil {
			return next
		}
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			out, err := next.Handle(ctx, e)
			if err != nil {
				return nil, err
			}
			more, err := rows(ctx, out)
			return append(out[:len(out):len(out)], more...), err
		})
	}
}
