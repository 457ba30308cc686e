package gate_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// tape is a log that plays records to its one subscriber and keeps what is
// published.
type tape struct {
	play []bus.Record
	end  func()

	mu        sync.Mutex
	published []bus.Record
}

func (l *tape) Publish(_ context.Context, records ...bus.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published = append(l.published, records...)
	return nil
}

func (l *tape) Subscribe(ctx context.Context, _ string, _ []string, _ int, handle bus.Handle) error {
	defer l.end()
	for _, r := range l.play {
		if err := handle(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// topics returns where records were published, without telemetry.
func (l *tape) topics() []string {
	l.mu.Lock() // telemetry may still be on its way
	defer l.mu.Unlock()
	var topics []string
	for _, r := range l.published {
		if r.Topic != churn.RunProgress.Name(churn.DefaultPrefix) {
			topics = append(topics, r.Topic)
		}
	}
	return topics
}

// run plays events to a gate, and returns the topics of what it published.
func run(t *testing.T, records ...bus.Record) []string {
	t.Helper()
	store := newStore()
	_, s := start(store)
	ctx, end := context.WithTimeout(t.Context(), time.Minute) // a gate that waits would wait for ever
	defer end()
	log := &tape{play: records, end: end}
	if err := stage.NewRunner(s, stage.Options{Log: log, Store: store, Prefix: churn.DefaultPrefix}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatal("the gate does not get past a record")
	}
	return log.topics()
}

func record(t *testing.T, e event.Event) bus.Record {
	t.Helper()
	r, err := event.Encode(e, churn.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Behind a log: what answers no question, and what is no event, becomes a dead
// letter and fails no run; the next event flows.
func TestBehindALog(t *testing.T) {
	in := evaluate(t, newStore(), trained("request"), good, nil)
	approval := in.Reply("person", churn.ApprovalDecided, 0, model, &eventv1.ApprovalDecided{
		Model: model, Run: in.Run(), ApprovalId: "approval-7", Approved: true, DecidedBy: "somebody",
	})
	wrong := in.Reply("person", churn.ApprovalDecided, 1, model, &eventv1.ApprovalDecided{Model: model, Run: in.Run()})
	forged := in
	forged.ID = "forged"
	garbage := func(topic churn.Topic) bus.Record {
		return bus.Record{Topic: topic.Name(churn.DefaultPrefix), Value: []byte("\xff")}
	}
	for name, test := range map[string]struct {
		records []bus.Record
		want    []string
	}{
		"promoted":  {[]bus.Record{record(t, in)}, []string{"churn.model-promoted", "churn.model-current"}},
		"approval":  {[]bus.Record{record(t, approval), record(t, in)}, []string{"churn.dlq.gate", "churn.model-promoted", "churn.model-current"}},
		"wrong one": {[]bus.Record{record(t, wrong), record(t, in)}, []string{"churn.dlq.gate", "churn.model-promoted", "churn.model-current"}},
		"forged":    {[]bus.Record{record(t, in), record(t, forged)}, []string{"churn.model-promoted", "churn.model-current", "churn.dlq.gate"}},
		"malformed": {[]bus.Record{garbage(churn.ModelEvaluated), garbage(churn.ApprovalDecided), record(t, in)}, []string{"churn.dlq.gate", "churn.dlq.gate", "churn.model-promoted", "churn.model-current"}},
		"twice": {[]bus.Record{record(t, in), record(t, in)}, []string{
			"churn.model-promoted", "churn.model-current", "churn.model-promoted", "churn.model-current"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(t, test.records...); !slices.Equal(got, test.want) {
				t.Errorf("published to %q, want %q", got, test.want)
			}
		})
	}
}
