package deadletter_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/deadletter"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const prefix = churn.DefaultPrefix

// world is a featurizer's stage on a broker, whose handler gives up on a request
// until it is mended.
type world struct {
	*testing.T
	bus      bus.Bus
	store    *memory.Store
	mended   atomic.Bool
	attempts atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	broker, err := embedded.StartBroker(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	b, err := kafka.New(kafka.Config{Brokers: []string{broker.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.Ensure(t.Context(), stage.Topics(prefix)...); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, bus: b, store: memory.New("churn")}
	runner := stage.NewRunner(stage.Stage{
		Service: churn.Featurizer, Topics: []churn.Topic{churn.RetrainRequested}, Handler: stage.HandlerFunc(w.handle),
	}, stage.Options{Log: b, Store: w.store, Prefix: prefix})
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- runner.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) handle(_ context.Context, e event.Event) ([]event.Event, error) {
	w.attempts.Add(1)
	if !w.mended.Load() {
		return nil, churn.Errorf("test.Do", churn.NotFound, "%s is not there", e.Data.(*eventv1.RetrainRequested).GetDataset().GetUri())
	}
	return []event.Event{e.Reply(churn.Featurizer, churn.FeaturesReady, 0, e.Run(), &eventv1.FeaturesReady{Trials: 1})}, nil
}

func (w *world) box() *deadletter.Box { return deadletter.NewBox(w.bus, w.store, prefix) }

// request publishes a request that the stage gives up on.
func (w *world) request(id string) {
	w.Helper()
	r, err := event.Encode(event.Event{
		Topic: churn.RetrainRequested, Key: "m", ID: id, Source: "/test", Type: churn.RetrainRequested.Type(),
		Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		Data: &eventv1.RetrainRequested{Model: "m", Dataset: &artifactv1.Artifact{Uri: "s3://churn/" + id + ".csv"}},
	}, prefix)
	if err != nil {
		w.Fatal(err)
	}
	w.publish(r)
}

func (w *world) publish(r bus.Record) {
	w.Helper()
	if err := w.bus.Publish(w.Context(), r); err != nil {
		w.Fatal(err)
	}
}

// letters waits for so many dead letters.
func (w *world) letters(n int) (letters []deadletter.Letter) {
	w.Helper()
	w.await(fmt.Sprint(n, " letters"), func() bool {
		letters = nil
		err := w.box().Each(w.Context(), churn.Stages(), func(l deadletter.Letter) error {
			letters = append(letters, l)
			return nil
		})
		if err != nil {
			w.Fatal(err)
		}
		return len(letters) >= n
	})
	if len(letters) != n {
		w.Fatalf("%d letters, not %d", len(letters), n)
	}
	return letters
}

func (w *world) await(what string, until func() bool) {
	w.Helper()
	for deadline := time.Now().Add(30 * time.Second); !until(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("waited for %s", what)
		}
	}
}

// count returns how many records a topic has.
func (w *world) count(topic churn.Topic) (n int64) {
	w.Helper()
	end, err := w.bus.End(w.Context(), topic.Name(prefix))
	if err != nil {
		w.Fatal(err)
	}
	for _, last := range end {
		n += last
	}
	return n
}

func (w *world) find(id deadletter.ID) deadletter.Letter {
	w.Helper()
	l, err := w.box().Find(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return l
}

var somebody = deadletter.Mark{By: "ada", Reason: "the file is there", At: time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC)}

// A letter is redriven once, and its service answers as if nothing had happened;
// with again once more, and then what was finished is not done again.
func TestRedriveOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.request("one")
	l := w.letters(1)[0]
	if l.Run() != churn.RunID("one") || l.State != deadletter.Open || l.Kind != "not found" {
		t.Errorf("the letter is %+v", l)
	}
	w.mended.Store(true)
	if err := w.box().Redrive(t.Context(), l, somebody, false); err != nil {
		t.Fatal(err)
	}
	w.await("the answer", func() bool { return w.count(churn.FeaturesReady) == 1 })
	for _, stale := range []deadletter.Letter{l, w.find(l.ID)} { // also who has looked before
		if err := w.box().Redrive(t.Context(), stale, somebody, false); !churn.IsKind(err, churn.Conflict) {
			t.Errorf("it is redriven twice: %v", err)
		}
		if err := w.box().Drop(t.Context(), stale, somebody, false); !churn.IsKind(err, churn.Conflict) {
			t.Errorf("it is dropped as well: %v", err)
		}
	}
	if n := w.count(churn.Featurizer.RetryTopic()); n != 1 {
		t.Errorf("it was put back %d times", n)
	}
	if err := w.box().Redrive(t.Context(), w.find(l.ID), somebody, true); err != nil {
		t.Fatal(err)
	}
	w.await("the answer again", func() bool { return w.count(churn.FeaturesReady) == 2 })
	if n := w.attempts.Load(); n != 2 {
		t.Errorf("the handler was called %d times", n)
	}
	l = w.find(l.ID)
	marks, err := w.box().Marks(t.Context(), l)
	if err != nil || len(marks) != 2 || l.State != deadletter.Redriven {
		t.Fatalf("it is %s with marks %+v, %v", l.State, marks, err)
	}
	for _, m := range marks {
		if m.Token == "" || m.Letter != l.ID.String() || m.Action != deadletter.Redriven || m.By != somebody.By || m.Reason != somebody.Reason || !m.At.Equal(somebody.At) {
			t.Errorf("the mark says %+v", m)
		}
	}
	w.letters(1)
}

// Of many who want to put one letter back, one does.
func TestOneOfManyRedrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.request("one")
	l := w.letters(1)[0]
	w.mended.Store(true)
	var done, refused atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch err := w.box().Redrive(t.Context(), l, somebody, false); {
			case err == nil:
				done.Add(1)
			case churn.IsKind(err, churn.Conflict):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 || refused.Load() != 7 || w.count(churn.Featurizer.RetryTopic()) != 1 {
		t.Errorf("%d have redriven it, %d were refused, and it is there %d times", done.Load(), refused.Load(), w.count(churn.Featurizer.RetryTopic()))
	}
}

// broken is a bus whose acknowledgements are lost.
type broken struct{ bus.Bus }

func (b broken) Publish(ctx context.Context, records ...bus.Record) error {
	if err := b.Bus.Publish(ctx, records...); err != nil {
		return err
	}
	return churn.Errorf("test", churn.Transient, "the acknowledgement is lost")
}

// Who is stopped halfway leaves a letter that everybody sees, and that nobody puts
// back by accident.
func TestStoppedHalfway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.request("one")
	l := w.letters(1)[0]
	halfway := deadletter.NewBox(broken{w.bus}, w.store, prefix)
	if err := halfway.Redrive(t.Context(), l, somebody, false); !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), "--again") {
		t.Fatalf("the error is %v", err)
	}
	if l = w.find(l.ID); l.State != deadletter.Begun || l.State.Settled() {
		t.Errorf("the letter is %s", l.State)
	}
	if err := w.box().Redrive(t.Context(), l, somebody, false); !churn.IsKind(err, churn.Conflict) {
		t.Errorf("it is put back by accident: %v", err)
	}
	w.mended.Store(true)
	if err := w.box().Redrive(t.Context(), l, somebody, true); err != nil {
		t.Fatal(err)
	}
	if l = w.find(l.ID); l.State != deadletter.Redriven {
		t.Errorf("the letter is %s", l.State)
	}
}

// A log that was made anew has other letters at the same places: what was done with
// the old ones says nothing of them.
func TestMarksAreOfALetterNotOfAPlace(t *testing.T) {
	t.Parallel()
	old := newWorld(t)
	old.request("one")
	if err := old.box().Drop(t.Context(), old.letters(1)[0], somebody, false); err != nil {
		t.Fatal(err)
	}
	if l := old.letters(1)[0]; l.State != deadletter.Dropped {
		t.Errorf("the letter is %s", l.State)
	}
	anew := newWorld(t)
	anew.request("one")
	l := anew.letters(1)[0]
	if l, err := deadletter.NewBox(anew.bus, old.store, prefix).Find(t.Context(), l.ID); err != nil || l.State != deadletter.Open {
		t.Errorf("the letter is %s, %v", l.State, err)
	}
}

// An original that was left out is read from where it is, and cannot be put back.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, offset := range []string{"0", "7"} {
		w.publish(bus.Record{Topic: churn.Gate.DeadLetterTopic().Name(prefix), Headers: []bus.Header{
			{Key: "dlq_left_out", Value: []byte("5000000")}, {Key: "dlq_topic", Value: []byte(churn.RunProgress.Name(prefix))},
			{Key: "dlq_partition", Value: []byte("0")}, {Key: "dlq_offset", Value: []byte(offset)}, {Key: "dlq_message", Value: []byte("too large")},
		}})
	}
	w.publish(bus.Record{Topic: churn.RunProgress.Name(prefix), Value: []byte("huge")})
	letters := w.letters(2)
	if err := w.box().Redrive(t.Context(), letters[0], somebody, true); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "churn.run-progress[0]@0") {
		t.Errorf("it is put back: %v", err)
	}
	if letters[0].Run() != "" || letters[0].Undecodable == nil || !strings.Contains(letters[0].Advice(), "5000000") {
		t.Errorf("the letter is %+v", letters[0])
	}
	if r, err := w.box().Original(t.Context(), letters[0]); err != nil || string(r.Value) != "huge" {
		t.Errorf("the original is %q, %v", r.Value, err)
	}
	if _, err := w.box().Original(t.Context(), letters[1]); !churn.IsKind(err, churn.NotFound) {
		t.Errorf("an original that is gone: %v", err)
	}
}

// Selections and groups of several services' letters.
func TestSelectionsAndGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.request("one")
	w.request("two")
	w.publish(bus.Record{Topic: churn.RetrainRequested.Name(prefix), Value: []byte("no event")})
	w.publish(bus.Record{Topic: churn.Gate.DeadLetterTopic().Name(prefix), Value: []byte("nor a letter")})
	letters := w.letters(4)
	groups := deadletter.Groups{}
	byRun := map[string]deadletter.Letter{}
	for _, l := range letters {
		groups.Add(l)
		byRun[l.Run()] = l
	}
	var counts []int
	for _, g := range groups.Sorted() {
		counts = append(counts, g.Count)
	}
	slices.Sort(counts)
	if !slices.Equal(counts, []int{1, 1, 2}) {
		t.Errorf("groups of %v letters", counts)
	}
	one, two := byRun[churn.RunID("one")], byRun[churn.RunID("two")]
	for name, test := range map[string]struct {
		selection deadletter.Selection
		want      int
	}{
		"all":               {deadletter.Selection{}, 4},
		"of a service":      {deadletter.Selection{Service: churn.Featurizer}, 3},
		"of another":        {deadletter.Selection{Service: churn.Trainer}, 0},
		"of a run":          {deadletter.Selection{Run: one.Run()[:8]}, 1},
		"of a reason":       {deadletter.Selection{Reason: deadletter.ReasonOf(one).ID()}, 2},
		"of a run, by name": {deadletter.Selection{Run: one.Run(), IDs: []deadletter.ID{two.ID}}, 0},
		"by name":           {deadletter.Selection{IDs: []deadletter.ID{one.ID, two.ID}}, 2},
	} {
		n := 0
		err := w.box().Each(t.Context(), test.selection.Services(), func(l deadletter.Letter) error {
			if test.selection.Matches(l) {
				n++
			}
			return nil
		})
		if err != nil || n != test.want {
			t.Errorf("%s: %d letters (%v), not %d", name, n, err, test.want)
		}
	}
	if _, err := w.box().Find(t.Context(), deadletter.ID{Service: churn.Trainer}); !churn.IsKind(err, churn.NotFound) {
		t.Errorf("a letter that is not there: %v", err)
	}
}

// A service whose topics were never made has no letters.
func TestNoTopics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	none := deadletter.NewBox(w.bus, w.store, "other.")
	if err := none.Each(t.Context(), churn.Stages(), func(l deadletter.Letter) error { return fmt.Errorf("letter %s", l.ID) }); err != nil {
		t.Error(err)
	}
}
