package stage_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/event"
)

// dice decide what goes wrong. They are the same each time.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

// roll reports true once in n times.
func (d *dice) roll(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n) == 0
}

// flaky is a store that fails now and then, also after it has written.
type flaky struct {
	blob.Store
	dice *dice
}

func (f flaky) Stat(ctx context.Context, key string) (*blob.Artifact, error) {
	if f.dice.roll(10) {
		return nil, broken()
	}
	return f.Store.Stat(ctx, key)
}

func (f flaky) Put(ctx context.Context, key, media string, body io.ReadSeeker) (*blob.Artifact, error) {
	if f.dice.roll(10) {
		return nil, broken()
	}
	a, err := f.Store.Put(ctx, key, media, body)
	if f.dice.roll(10) {
		return nil, broken()
	}
	return a, err
}

// Everything fails now and then, at every point, and the process is stopped and
// started again. Still each record that is committed has its outcome on the log
// at that moment, and in the end every record has one.
func TestEveryRecordHasAnOutcome(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		for seed := range uint64(10) {
			t.Run(fmt.Sprintf("ordered %v seed %d", ordered, seed), func(t *testing.T) {
				simulate(t, func(w *world) { chaos(w, ordered, &dice{r: rand.New(rand.NewPCG(seed, 1))}) })
			})
		}
	}
}

func chaos(w *world, ordered bool, d *dice) {
	const n = 60
	invalidID := func(id string) bool { return id[len(id)-1] == '7' }
	s := featurizer(func(ctx context.Context, e event.Event) ([]event.Event, error) {
		switch {
		case invalidID(e.ID):
			return nil, invalid()
		case d.roll(5):
			return nil, broken()
		case d.roll(20):
			panic("boom")
		case d.roll(20):
			<-ctx.Done() // hangs
			return nil, ctx.Err()
		}
		return answer(ctx, e)
	})
	s.Ordered = ordered
	var originals []bus.Record
	for i := range n {
		r := garbage(fmt.Sprint(i))
		if i%5 != 0 {
			r = w.record(request(fmt.Sprintf("id-%d", i)))
		}
		originals = append(originals, r)
	}
	w.publish(originals...)
	w.options.Store = flaky{Store: w.store, dice: d}
	w.options.Timeout = time.Minute
	w.log.refuse = func(bus.Record) error {
		if d.roll(6) {
			return transient()
		}
		return nil
	}
	w.log.lose = func(bus.Record) error {
		if d.roll(6) {
			return transient()
		}
		return nil
	}
	w.log.onCommit = func(_ string, r bus.Record) {
		if !hasOutcome(w.log, r) {
			w.Errorf("committed without an outcome: %s/%d", r.Topic, r.Offset)
		}
	}
	for start := time.Now(); ; {
		_, stop := w.start(s)
		time.Sleep(20 * time.Second)
		stop()
		if w.log.at(group, in) == n && w.log.at(group, retry) == int64(len(w.log.records(retry))) {
			break
		}
		if time.Since(start) > 200*time.Hour {
			w.Fatalf("after 200 h %d of %d records are committed", w.log.at(group, in), n)
		}
	}
	for i, r := range originals {
		e, err := event.Decode(r, prefix)
		letters, failed, answers := ends(w, int64(i))
		switch {
		case err != nil:
			if letters == 0 {
				w.Errorf("record %d is lost", i)
			}
		case invalidID(e.ID):
			if letters == 0 || failed == 0 || answers > 0 {
				w.Errorf("record %d has %d dead letters, %d failures, %d answers", i, letters, failed, answers)
			}
		case ordered && answers < 2, answers < 2 && (letters == 0 || failed == 0):
			w.Errorf("record %d has %d dead letters, %d failures, %d answers", i, letters, failed, answers)
		}
	}
}

// hasOutcome reports whether the outputs, a retry, or a dead letter of the record
// is on the log, which is locked.
func hasOutcome(l *memLog, r bus.Record) bool {
	offset := fmt.Sprint(r.Offset)
	if r.Topic == retry {
		offset = header(r, "retry_offset")
	}
	for _, letter := range l.topics[dead] {
		if header(letter, "dlq_offset") == offset {
			return true
		}
	}
	for _, copied := range l.topics[retry] {
		if (r.Topic != retry || copied.Offset > r.Offset) && header(copied, "retry_offset") == offset {
			return true
		}
	}
	answers := map[string]bool{}
	for _, output := range l.topics[out] {
		if header(output, "ce_causationid") == header(r, "ce_id") {
			answers[header(output, "ce_id")] = true
		}
	}
	return len(answers) == 2
}

// ends counts what became of the record at an offset.
func ends(w *world, offset int64) (letters, failed, answers int) {
	id := header(w.log.records(in)[offset], "ce_id")
	for _, r := range w.log.records(dead) {
		if header(r, "dlq_offset") == fmt.Sprint(offset) {
			letters++
		}
	}
	for _, r := range w.log.records(failures) {
		if header(r, "ce_causationid") == id && id != "" {
			failed++
		}
	}
	first := map[string][]byte{}
	for _, r := range w.log.records(out) {
		if header(r, "ce_causationid") != id || id == "" {
			continue
		}
		answer := header(r, "ce_id")
		if before, ok := first[answer]; ok && !bytes.Equal(before, r.Value) {
			w.Errorf("event %s came with other bytes", answer)
		}
		first[answer] = r.Value
	}
	return letters, failed, len(first)
}
