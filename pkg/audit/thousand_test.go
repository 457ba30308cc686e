package audit

import (
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/stage"
)

// onDisk makes a world whose log and artifacts are on the embedded broker and store,
// and returns it with a reader of the log.
func onDisk(t testing.TB, retrainings, rows int) (*world, bus.Bus) {
	t.Helper()
	broker, err := embedded.StartBroker(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	log, err := kafka.New(kafka.Config{Brokers: []string{broker.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	if err := log.Ensure(t.Context(), stage.Topics(churn.DefaultPrefix)...); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, diskStore(t), rows, gates["plain"])
	for n := range retrainings {
		w.retrain(n)
	}
	records := make([]bus.Record, len(w.log))
	for i, r := range w.log {
		if records[i], err = event.Encode(r.event, churn.DefaultPrefix); err != nil {
			t.Fatal(err)
		}
		records[i].Time = r.at
	}
	if err := log.Publish(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	return w, log
}

func diskStore(t testing.TB) blob.Store {
	t.Helper()
	gateway, err := embedded.StartStore(t.Context(), t.TempDir(), "127.0.0.1:0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gateway.Close() })
	store, err := s3.New(s3.Config{Endpoint: gateway.Endpoint(), AccessKey: gateway.AccessKey(), SecretKey: gateway.SecretKey(), Bucket: "churn"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

// From the log on the broker and the artifacts in the store it is the same.
func TestFromTheLog(t *testing.T) {
	w, log := onDisk(t, 30, 200)
	runs, err := fold.Read(t.Context(), log, churn.DefaultPrefix, time.Time{})
	if err != nil || len(runs) != 30 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	paths, err := Replay(t.Context(), w.store, runs, insteadOf(gates["first only"]))
	if err != nil || len(paths) != 1 || paths[0].Read == 0 {
		t.Fatalf("%+v, %v", paths, err)
	}
	for i, d := range w.whatIf(insteadOf(gates["first only"])).Decisions {
		if got := paths[0].Decisions[i]; got.Run != d.Run || got.WouldBe != d.WouldBe || !got.At.Equal(d.At) {
			t.Errorf("decision %d is %+v, want %+v", i, got, d)
		}
	}
	by := w.log[len(w.log)/2-1].at
	half, err := fold.Read(t.Context(), log, churn.DefaultPrefix, by)
	if err != nil {
		t.Fatal(err)
	}
	for id, run := range half {
		for _, e := range run.Events {
			if run.At(e).After(by) {
				t.Errorf("run %s has an event of %s at %s", id, run.At(e), by)
			}
		}
	}
	if len(half) != 15 {
		t.Errorf("%d runs by %s", len(half), by)
	}
}

// BenchmarkThousand replays 1,000 evaluations of hold-outs of 1,409 rows from the
// embedded broker and store, the log's reading included.
func BenchmarkThousand(b *testing.B) {
	w, log := onDisk(b, 1000, 1409)
	for _, policy := range []string{"plain", "refresh", "first only"} {
		b.Run(policy, func(b *testing.B) {
			for b.Loop() {
				runs, err := fold.Read(b.Context(), log, churn.DefaultPrefix, time.Time{})
				if err != nil {
					b.Fatal(err)
				}
				paths, err := Replay(b.Context(), w.store, runs, insteadOf(gates[policy]))
				if err != nil {
					b.Fatal(err)
				}
				if n := len(paths[0].Decisions); n != 1000 {
					b.Fatalf("%d decisions", n)
				}
				b.ReportMetric(float64(paths[0].Read), "artifacts")
				b.ReportMetric(float64(paths[0].Count(Decision.Differs)), "differing")
			}
		})
	}
}
