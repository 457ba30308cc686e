package stage_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
)

// broker starts an embedded broker with the pipeline's topics.
func broker(t *testing.T) (b *kafka.Bus, addr string) {
	t.Helper()
	server, err := embedded.StartBroker(context.Background(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	b, err = kafka.New(kafka.Config{Brokers: []string{server.Addr()}, SessionTimeout: 2 * time.Second, Heartbeat: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ensure(t.Context(), stage.Topics(prefix)...); err != nil {
		t.Fatal(err)
	}
	return b, server.Addr()
}

// runner runs the stage on a bus until stop.
func runner(t *testing.T, b stage.Log, store *memory.Store, s stage.Stage) (stop func()) {
	t.Helper()
	r := stage.NewRunner(s, stage.Options{
		Log: b, Store: store, Prefix: prefix, Delay: 100 * time.Millisecond, Rounds: 2,
		InPlace: stage.Backoff{Attempts: 2, First: time.Millisecond, Longest: time.Millisecond},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stopped)
	return stopped
}

// await returns the first n records of a topic, ordered by partition and offset,
// once they are there.
func await(t *testing.T, b *kafka.Bus, topic string, n int) []bus.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	var records []bus.Record
	err := b.Read(ctx, topic, nil, true, func(_ context.Context, r bus.Record) error {
		if records = append(records, r); len(records) == n {
			enough()
		}
		return nil
	})
	if err != nil || len(records) < n {
		t.Fatalf("waited for %d records of %s, and found %d: %v", n, topic, len(records), err)
	}
	return records
}

// find returns the record that the header says is of the event.
func find(t *testing.T, records []bus.Record, key, value string) bus.Record {
	t.Helper()
	i := slices.IndexFunc(records, func(r bus.Record) bool { return header(r, key) == value })
	if i < 0 {
		t.Fatalf("no record has %s %q", key, value)
	}
	return records[i]
}

// On a real broker: answers, dead letters as they came, retries and a redrive.
func TestOnABroker(t *testing.T) {
	b, addr := broker(t)
	w := &world{T: t}
	var mu sync.Mutex
	attempts := map[string]int{}
	good := false
	h := func(ctx context.Context, e event.Event) ([]event.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		attempts[e.ID]++
		switch {
		case e.ID == "invalid" && !good:
			return nil, invalid()
		case e.ID == "flaky" && attempts[e.ID] < 4, e.ID == "never" && !good:
			return nil, broken()
		case e.ID == "panics" && attempts[e.ID] < 2:
			panic("boom")
		}
		return answer(ctx, e)
	}
	runner(t, b, memory.New("churn"), featurizer(h))

	originals := map[string]bus.Record{}
	for _, id := range []string{"fine", "invalid", "flaky", "never", "panics"} {
		originals[id] = w.record(request(id))
	}
	strange := garbage("\xff not an event")
	tombstone := bus.Record{Topic: in, Key: []byte("tombstone")}
	huge := bytes.Repeat([]byte("x"), 5<<20)
	publishCompressed(t, addr, kafkago.Message{Topic: in, Key: []byte("m"), Value: huge})
	if err := b.Publish(t.Context(), strange, tombstone, originals["invalid"], originals["never"], originals["flaky"], originals["panics"], originals["fine"]); err != nil {
		t.Fatal(err)
	}

	answers := await(t, b, out, 6)
	for _, id := range []string{"fine", "flaky", "panics"} {
		find(t, answers, "ce_causationid", id)
	}
	letters := await(t, b, dead, 5)
	w.untouched(find(t, letters, "ce_id", "invalid"), originals["invalid"])
	w.untouched(find(t, letters, "ce_id", "never"), originals["never"])
	w.untouched(find(t, letters, "ce_type", "nonsense"), strange)
	for _, letter := range letters {
		if string(letter.Key) == "tombstone" {
			w.untouched(letter, tombstone)
		}
	}
	w.headers(find(t, letters, "dlq_attempts", "6"), map[string]string{"ce_id": "never", "dlq_kind": "internal", "dlq_topic": in, "dlq_group": group})
	leftOut := letters[slices.IndexFunc(letters, func(r bus.Record) bool { return header(r, "dlq_left_out") != "" })]
	w.headers(leftOut, map[string]string{"dlq_topic": in, "dlq_left_out": fmt.Sprint(len(huge) + 1)})
	failed := await(t, b, failures, 2)
	find(t, failed, "ce_causationid", "invalid")
	find(t, failed, "ce_causationid", "never")

	mu.Lock()
	good = true
	mu.Unlock()
	for _, id := range []string{"invalid", "never"} {
		if err := b.Publish(t.Context(), w.redriven(find(t, letters, "ce_id", id))); err != nil {
			t.Fatal(err)
		}
	}
	answers = await(t, b, out, 10)
	find(t, answers, "ce_causationid", "invalid")
	find(t, answers, "ce_causationid", "never")
}

// publishCompressed writes a record that is small on the wire.
func publishCompressed(t *testing.T, addr string, m kafkago.Message) {
	t.Helper()
	w := &kafkago.Writer{Addr: kafkago.TCP(addr), Compression: kafkago.Zstd, BatchBytes: 64 << 20, BatchTimeout: time.Millisecond, Balancer: kafkago.Murmur2Balancer{}}
	defer w.Close()
	if err := w.WriteMessages(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// A stop in the middle leaves the record to whoever comes next; what was
// finished is not done again.
func TestStopOnABroker(t *testing.T) {
	b, _ := broker(t)
	w := &world{T: t}
	store := memory.New("churn")
	begun := make(chan string, 10)
	hang := func(ctx context.Context, e event.Event) ([]event.Event, error) {
		if begun <- e.ID; e.ID == "hangs" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return answer(ctx, e)
	}
	stop := runner(t, b, store, featurizer(hang))
	if err := b.Publish(t.Context(), w.record(request("first")), w.record(request("hangs"))); err != nil {
		t.Fatal(err)
	}
	for <-begun != "hangs" {
	}
	await(t, b, out, 2)
	stop()

	var again []string
	var mu sync.Mutex
	stop = runner(t, b, store, featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		again = append(again, e.ID)
		return answer(ctx, e)
	}))
	await(t, b, out, 4)
	stop()
	if !slices.Equal(again, []string{"hangs"}) {
		t.Errorf("done again: %v", again)
	}
	for _, topic := range []string{dead, failures, retry} {
		end, err := b.End(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range end {
			if n != 0 {
				t.Errorf("%s has %d records", topic, n)
			}
		}
	}
}

// Two groups that read one topic each have their own dead letters.
func TestDeadLettersAreOfTheGroup(t *testing.T) {
	b, _ := broker(t)
	w := &world{T: t}
	h, _ := failing(1<<40, invalid())
	store := memory.New("churn")
	runner(t, b, store, featurizer(h))
	runner(t, b, store, stage.Stage{Service: churn.Trainer, Topics: []churn.Topic{churn.RetrainRequested}, Handler: stage.HandlerFunc(answer)})
	if err := b.Publish(t.Context(), w.record(request("1"))); err != nil {
		t.Fatal(err)
	}
	w.headers(await(t, b, dead, 1)[0], map[string]string{"dlq_group": group})
	await(t, b, out, 2)
	end, err := b.End(t.Context(), churn.Trainer.DeadLetterTopic().Name(prefix))
	if err != nil || end[0] != 0 {
		t.Errorf("the other group has dead letters: %v, %v", end, err)
	}
}
