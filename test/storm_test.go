package test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/service"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// stormConfig says how heavy a storm is. CHURN_STORM holds it as JSON for the
// long form: `make storm`.
type stormConfig struct {
	Seed     uint64 `json:"seed"`
	Requests int    `json:"requests"`
	Models   int    `json:"models"`
	Faults   int    `json:"faults"`   // in a soak, no more than how many there are to so many requests
	Parts    string `json:"parts"`    // embedded, or real: Apache Kafka and MinIO
	InFlight int    `json:"inflight"` // requests without an end at a time
	Minutes  int    `json:"minutes"`  // at most, from the last fault to the last end
	MLflow   bool   `json:"mlflow"`   // is the registry, and can fail as well
	Soak     int    `json:"soak"`     // minutes of faults; services live on, and what they take must not grow
}

func stormOf(t *testing.T) stormConfig {
	c := stormConfig{Seed: 1, Requests: 24, Models: 2, Faults: 12, Parts: "embedded", InFlight: 8, Minutes: 3}
	if text := os.Getenv("CHURN_STORM"); text != "" {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("CHURN_STORM: %v", err)
		}
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	return c
}

// A storm of requests while processes are killed, paused and restarted, the
// connections to broker and store cut, and events repeated out of order: what the
// log must hold, it holds. The same seed gives the same requests and faults.
func TestStorm(t *testing.T) {
	t.Parallel()
	c := stormOf(t)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the storm again: CHURN_STORM='%s' go test ./test -run TestStorm", text)
	s := newStorm(t, c)
	began := time.Now()
	ctx, calm := context.WithCancel(t.Context())
	defer calm()
	published := make(chan []string, 1)
	first := s.template()
	go func() { published <- s.publish(ctx, first) }()
	watching, unwatch := context.WithCancel(t.Context())
	var watched sync.WaitGroup
	watched.Go(func() { s.vitals.run(watching, s.services) })
	s.faults(rand.New(rand.NewPCG(c.Seed, 1)))
	if c.Soak > 0 {
		calm()
	}
	asked := <-published
	s.await(len(asked), time.Duration(c.Minutes)*time.Minute)
	took := time.Since(began)
	unwatch()
	watched.Wait()

	book := s.read()
	book.check(t, s, asked)
	t.Logf("%d requests over %d models ended in %.0f s: %s", len(asked), c.Models, took.Seconds(), book.ends())
	t.Logf("%d faults: %s", s.count(), s.tally())
	t.Logf("recoveries (from a fault's end to the next end of a run): %s", s.recoveries())
	t.Logf("%d records in the log, %d of them repeats; %d dead letters", book.records, book.repeats, book.dead)
	for _, g := range s.vitals.growths(5 * time.Minute) {
		t.Log(g)
		if c.Soak > 0 && g.leaks() {
			t.Errorf("it goes on growing: %s", g)
		}
	}
}

// storm is a stack under stress.
type storm struct {
	*stormParts
	t      *testing.T
	config stormConfig
	parts  service.Parts
	bus    bus.Bus
	prefix string
	vitals *watch
	*weather
}

func newStorm(t *testing.T, c stormConfig) *storm {
	t.Helper()
	parts := startStormParts(t, c)
	cfg := settingsOf(t, parts.stack.env)
	p, err := service.NewParts(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &storm{parts, t, c, p, busOf(t, parts.stack), cfg.TopicPrefix, &watch{}, &weather{}}
}

// busOf returns the broker that a stack's commands reach.
func busOf(t *testing.T, s *aStack) bus.Bus {
	t.Helper()
	b, err := settingsOf(t, s.env).Bus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// settingsOf reads the environment of a stack's commands as they do.
func settingsOf(t *testing.T, env []string) config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(strings.Join(env, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// template returns the request that all others are made from: its data is in the
// store, and it trains for a moment.
func (s *storm) template() event.Event {
	s.t.Helper()
	header, rows := telcoLines(s.t)
	csv := writeCSV(s.t, header+"\n"+strings.Join(rows[:600], "\n")+"\n")
	s.stack.want(0, nil, "retrain", "--data", csv, "--request-id", "storm-0", "--request-time", "2026-01-31T12:00:00Z",
		"--num-iterations", "8", "--min-auc", "0", "--min-accuracy", "0", "--margin", "0.9", "--wait=false")
	var first event.Event
	err := s.bus.Read(s.t.Context(), churn.RetrainRequested.Name(s.prefix), nil, false, func(_ context.Context, r bus.Record) (err error) {
		first, err = event.Decode(r, s.prefix)
		return err
	})
	if err != nil || first.ID != "storm-0" {
		s.t.Fatalf("the first request is %q, %v", first.ID, err)
	}
	return first
}

// publish asks for the runs, some of them searches, and some cancelled a moment
// later, by clocks that are off by up to a day and a half, for as long as faults
// happen and with at most InFlight of them without an end, and returns the ids of
// the requests that were acknowledged.
func (s *storm) publish(ctx context.Context, first event.Event) []string {
	clocks := rand.New(rand.NewPCG(s.config.Seed, 2))
	asked := []string{first.ID}
	for n := 1; n < s.config.Requests && ctx.Err() == nil; n++ {
		e := first
		e.ID = fmt.Sprintf("storm-%d", n)
		e.Correlation, e.Subject = churn.RunID(e.ID), churn.RunID(e.ID)
		r := cloneRequest(first)
		r.Model = fmt.Sprintf("model-%d", n%s.config.Models)
		seed := int32(n) //nolint:gosec // small
		r.Training.Seed = &seed
		if n%10 == 5 {
			r.Search = &eventv1.Search{Trials: 3, Parallel: 2, Dimensions: []*eventv1.Dimension{{Parameter: "num_leaves", Low: 4, High: 31}}}
		}
		e.Data, e.Key = r, r.GetModel()
		e.Time = e.Time.Add(time.Duration(clocks.IntN(2*maxSkew)-maxSkew) * time.Second)
		record, err := event.Encode(e, s.prefix)
		if err != nil {
			s.t.Errorf("encoding %s: %v", e.ID, err)
			return asked
		}
		// What is outstanding is looked at each time: that is how ends are seen.
		for (s.outstanding(len(asked)) >= s.config.InFlight || !s.due(n)) && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		if s.acknowledged(ctx, record) {
			asked = append(asked, e.ID)
		}
		if n%15 == 14 {
			s.cancelled(ctx, e)
		}
	}
	return asked
}

// due reports whether the n-th request is to be made by now: as many are as faults
// have happened, of all, and some ahead, so that every fault meets runs under way.
func (s *storm) due(n int) bool {
	return (n-s.config.InFlight/2)*s.config.Faults <= s.count()*s.config.Requests
}

// maxSkew is how many seconds the clock of whoever asks may be off.
const maxSkew = 36 * 60 * 60

// acknowledged publishes the record. A broker that is away is tried again, as
// churnctl does.
func (s *storm) acknowledged(ctx context.Context, r bus.Record) bool {
	for ctx.Err() == nil {
		if s.bus.Publish(ctx, r) == nil {
			return true
		}
		time.Sleep(200 * time.Millisecond)
	}
	return false
}

// cancelled asks for the end of the request's run, wherever it is by then.
func (s *storm) cancelled(ctx context.Context, request event.Event) {
	record, err := event.Encode(event.Event{
		Topic: churn.CancelRequested, Key: request.Key, ID: "cancel " + request.ID, Source: "/storm", Type: churn.CancelRequested.Type(),
		Subject: request.Run(), Correlation: request.Run(), Time: time.Now().UTC(),
		Data: &eventv1.CancelRequested{Model: request.Key, Run: request.Run(), RequestedBy: "storm", Reason: "to see what happens"},
	}, s.prefix)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.acknowledged(ctx, record)
}

func cloneRequest(e event.Event) *eventv1.RetrainRequested {
	r := cloneOf(e.Data.(*eventv1.RetrainRequested))
	if r.Training == nil {
		r.Training = &eventv1.TrainingOverrides{}
	}
	return r
}

// endTopics are where runs end.
var endTopics = []churn.Topic{churn.ModelPromoted, churn.ModelRejected, churn.RunFailed}

// outstanding returns how many of the requests have no end yet, as far as can be
// seen just now.
func (s *storm) outstanding(asked int) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, topic := range endTopics {
		from := s.position(topic)
		_ = s.bus.Read(ctx, topic.Name(s.prefix), from, false, func(_ context.Context, r bus.Record) error {
			if e, err := event.Decode(r, s.prefix); err == nil {
				s.ended(e.Run())
			}
			from[r.Partition] = r.Offset + 1
			return nil
		}) // a broker that is away is asked again
	}
	return asked - s.endedRuns()
}

// await waits until every request has an end.
func (s *storm) await(asked int, limit time.Duration) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	for s.outstanding(asked) > 0 {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d of %d requests have no end %v after the storm", s.outstanding(asked), asked, limit)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func tallied(m map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}
