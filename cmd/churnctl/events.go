package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

func eventsCmd(a *app) *cobra.Command {
	var follow, fresh bool
	var run string
	cmd := &cobra.Command{
		Use:   "events [TOPIC...]",
		Short: "Show events, decoded; with --follow go on with new ones",
		Long: `Show the events of topics, decoded. A topic is named as in ` + "`churnctl topics`" + `, with or
without its prefix; dead letters are in dlq.<service>, records that wait to be
tried again in retry.<service>. Without a topic: all of the log.

With -o json each event is one line of JSON.`,
		Example: `  churnctl events model-promoted
  churnctl events --follow --new
  churnctl events dlq.featurizer
  churnctl events --run 3f2a -o json`,
		RunE: a.with(readOnly, func(cmd *cobra.Command, args []string, p *parts) error {
			t := tail{app: a, parts: p, run: run, follow: follow, fresh: fresh}
			return t.topics(cmd.Context(), args)
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new events until interrupted")
	cmd.Flags().BoolVar(&fresh, "new", false, "leave out what is there already (with --follow)")
	cmd.Flags().StringVar(&run, "run", "", "only this run's events (an id or the start of one)")
	return cmd
}

// tail prints events of several topics.
type tail struct {
	app           *app
	parts         *parts
	run           string
	follow, fresh bool
	mu            sync.Mutex // one event at a time on the output
}

func (t *tail) topics(ctx context.Context, names []string) error {
	if len(names) == 0 {
		for _, s := range churn.Topology {
			if s.Topic != churn.RunProgress && s.Topic != churn.ModelCurrent {
				names = append(names, string(s.Topic))
			}
		}
	}
	existing, err := t.parts.bus.Topics(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		full := churn.Topic(strings.TrimPrefix(name, t.parts.prefix)).Name(t.parts.prefix)
		if !slices.Contains(existing, full) {
			return usageErrorf("there is no topic %s; `churnctl topics` lists them", full)
		}
		if !t.follow { // one after the other, so that the order is that of a run
			if err := t.topic(ctx, full); err != nil {
				return err
			}
			continue
		}
		g.Go(func() error { return t.topic(ctx, full) })
	}
	return g.Wait()
}

func (t *tail) topic(ctx context.Context, name string) error {
	var from bus.Position
	if t.fresh {
		var err error
		if from, err = t.parts.bus.End(ctx, name); err != nil {
			return err
		}
	}
	return t.parts.bus.Read(ctx, name, from, t.follow, func(_ context.Context, r bus.Record) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.show(r)
	})
}

func (t *tail) show(r bus.Record) error {
	e, err := event.Decode(r, t.parts.prefix)
	if err != nil {
		if t.run == "" {
			return t.showRaw(r, err)
		}
		return nil
	}
	if !strings.HasPrefix(e.Run(), t.run) {
		return nil
	}
	text, err := event.JSON(e)
	if err != nil {
		return err
	}
	if t.app.json() {
		_, err = fmt.Fprintf(t.app.out, "%s\n", compact(text))
		return err
	}
	_, err = fmt.Fprintf(t.app.out, "%s  %s[%d]@%d  key %s%s\n%s\n\n",
		when(e.Time), r.Topic, r.Partition, r.Offset, r.Key, deadLetterReason(r), indent(text))
	return err
}

// showRaw shows a record that is no event of the pipeline.
func (t *tail) showRaw(r bus.Record, why error) error {
	if t.app.json() {
		return t.app.printLine(map[string]any{
			"topic": r.Topic, "partition": r.Partition, "offset": r.Offset, "key": string(r.Key),
			"headers": headers(r), "value_base64": r.Value, "undecodable": why.Error(),
		})
	}
	_, err := fmt.Fprintf(t.app.out, "%s  %s[%d]@%d  key %q%s\n  not an event (%v): %d bytes %.80q\n\n",
		when(r.Time), r.Topic, r.Partition, r.Offset, r.Key, deadLetterReason(r), why, len(r.Value), r.Value)
	return err
}

// deadLetterReason returns why the record is a dead letter, if it is one.
func deadLetterReason(r bus.Record) string {
	h := headers(r)
	if h["dlq_message"] == "" {
		return ""
	}
	return fmt.Sprintf("\n  dead letter of %s[%s]@%s after %s attempts: %s",
		h["dlq_topic"], h["dlq_partition"], h["dlq_offset"], h["dlq_attempts"], h["dlq_message"])
}

func headers(r bus.Record) map[string]string {
	h := make(map[string]string, len(r.Headers))
	for _, x := range r.Headers {
		h[x.Key] = string(x.Value)
	}
	return h
}
