package kafka_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
)

func ensure(t testing.TB, b bus.Bus, c bus.TopicConfig) {
	t.Helper()
	if err := b.Ensure(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func publish(t testing.TB, b bus.Bus, topic, key, value string) {
	t.Helper()
	if err := b.Publish(t.Context(), bus.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
}

// receive waits for one value.
func receive(t testing.TB, values <-chan string) string {
	t.Helper()
	select {
	case v := <-values:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("waited 30 s for a record in vain")
		return ""
	}
}

// subscribe sends the values of records to the channel that it returns.
func subscribe(t testing.TB, b bus.Bus, group string, topics ...string) <-chan string {
	values := make(chan string, 1000)
	join(t, b, values, group, topics...)
	return values
}

// join has a member of the group send the values of records to the channel.
func join(t testing.TB, b bus.Bus, values chan<- string, group string, topics ...string) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- b.Subscribe(ctx, group, topics, 4, func(_ context.Context, r bus.Record) error {
			values <- string(r.Value)
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// follow sends the values of records to the channel, without a group.
func follow(t testing.TB, b bus.Bus, topic string) <-chan string {
	ctx, stop := context.WithCancel(context.Background())
	values, done := make(chan string, 1000), make(chan error, 1)
	go func() {
		done <- b.Read(ctx, topic, nil, true, func(_ context.Context, r bus.Record) error {
			values <- string(r.Value)
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return values
}

func values(t testing.TB, b bus.Bus, topic string) []string {
	t.Helper()
	var out []string
	err := b.Read(t.Context(), topic, nil, false, func(_ context.Context, r bus.Record) error {
		out = append(out, string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Everything that is under way lives through restarts of the broker, and
// nothing that was acknowledged is lost.
func TestBrokerThatComesBack(t *testing.T) {
	dir := t.TempDir()
	start := func() *embedded.Broker {
		b, err := embedded.StartBroker(context.Background(), dir, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	broker := start()
	t.Cleanup(func() { _ = broker.Close() })
	b := open(t, broker.Addr())
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 3})
	consumed, followed := subscribe(t, b, "g", "t"), follow(t, b, "t")
	const rounds, n = 3, 150
	published := make(chan error, 1)
	go func() { published <- publishNumbers(t.Context(), b, n) }()
	for range rounds {
		addr := broker.Addr()
		if err := broker.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if broker = start(); broker.Addr() != addr {
			t.Fatalf("the broker came back at %s, not %s", broker.Addr(), addr)
		}
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	complete(t, values(t, b, "t"), n)
	complete(t, receiveNumbers(t, consumed, n), n)
	complete(t, receiveNumbers(t, followed, n), n)
}

// publishNumbers publishes the numbers up to n, with 7 keys in turn.
func publishNumbers(ctx context.Context, b bus.Bus, n int) error {
	for i := range n {
		r := bus.Record{Topic: "t", Key: []byte{byte(i % 7)}, Value: fmt.Append(nil, i)}
		err := b.Publish(ctx, r)
		for churn.IsKind(err, churn.Transient) && ctx.Err() == nil {
			err = b.Publish(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receiveNumbers receives until the numbers up to n were there.
func receiveNumbers(t *testing.T, values <-chan string, n int) []string {
	t.Helper()
	var all []string
	for seen := map[string]bool{}; len(seen) < n; {
		v := receive(t, values)
		seen[v], all = true, append(all, v)
	}
	return all
}

// complete checks that the values hold the numbers up to n, those of each key
// in order. What comes again does not count.
func complete(t *testing.T, values []string, n int) {
	t.Helper()
	place := map[string]int{}
	for i, v := range values {
		if _, again := place[v]; !again {
			place[v] = i
		}
	}
	for i := range n {
		at, ok := place[fmt.Sprint(i)]
		if !ok {
			t.Errorf("record %d is lost", i)
		} else if i >= 7 && at < place[fmt.Sprint(i-7)] {
			t.Errorf("record %d comes before record %d of the same key", i, i-7)
		}
	}
}

func TestBrokerThatIsNotThere(t *testing.T) {
	b, err := kafka.New(kafka.Config{Brokers: []string{"127.0.0.1:1"}, Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Ping":    func() error { return b.Ping(t.Context()) },
		"Publish": func() error { return b.Publish(t.Context(), bus.Record{Topic: "t"}) },
		"Ensure":  func() error { return b.Ensure(t.Context(), bus.TopicConfig{Name: "t", Partitions: 1}) },
		"End":     func() error { _, err := b.End(t.Context(), "t"); return err },
		"Topics":  func() error { _, err := b.Topics(t.Context()); return err },
	} {
		start := time.Now()
		err := call()
		if !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%s: error is %v, not Transient with the address", name, err)
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := b.Subscribe(ctx, "g", []string{"t"}, 1, nil); err != nil {
		t.Errorf("Subscribe does not wait for the broker: %v", err)
	}
}

func TestNewPartitionsAreConsumed(t *testing.T) {
	addr := broker(t).Addr()
	b := open(t, addr)
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 1})
	consumed := subscribe(t, b, "g", "t")
	publish(t, b, "t", "k", "old")
	receive(t, consumed)
	client := &kafkago.Client{Addr: kafkago.TCP(addr)}
	_, err := client.CreatePartitions(t.Context(), &kafkago.CreatePartitionsRequest{
		Topics: []kafkago.TopicPartitionsConfig{{Name: "t", Count: 4}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fresh := open(t, addr)
	want := map[string]bool{}
	for i := range 12 {
		v := fmt.Sprint("new ", i)
		publish(t, fresh, "t", v, v)
		want[v] = true
	}
	for len(want) > 0 {
		delete(want, receive(t, consumed))
	}
}

func TestCompactedTopicKeepsTheNewest(t *testing.T) {
	b := open(t, broker(t).Addr())
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 1, Compacted: true})
	for i := range 20 {
		publish(t, b, "t", fmt.Sprint("k", i%2), fmt.Sprint(i))
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		got := values(t, b, "t")
		if len(got) < 20 && len(got) >= 2 && got[len(got)-2] == "18" && got[len(got)-1] == "19" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s the topic still holds %v", got)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestTopicsAreCreatedAsConfigured(t *testing.T) {
	addr := broker(t).Addr()
	b := open(t, addr)
	ensure(t, b, bus.TopicConfig{Name: "forever", Partitions: 1})
	ensure(t, b, bus.TopicConfig{Name: "day", Partitions: 2, Retention: 24 * time.Hour, MaxBytes: 2 << 20})
	ensure(t, b, bus.TopicConfig{Name: "table", Partitions: 1, Compacted: true})
	for topic, want := range map[string]map[string]string{
		"forever": {"retention.ms": "-1", "cleanup.policy": "delete"},
		"day":     {"retention.ms": "86400000", "cleanup.policy": "delete", "max.message.bytes": "2097152"},
		"table":   {"cleanup.policy": "compact"},
	} {
		got := settings(t, addr, topic)
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %s is %q, not %q", topic, k, got[k], v)
			}
		}
	}
}

func settings(t *testing.T, addr, topic string) map[string]string {
	client := &kafkago.Client{Addr: kafkago.TCP(addr)}
	res, err := client.DescribeConfigs(t.Context(), &kafkago.DescribeConfigsRequest{
		Resources: []kafkago.DescribeConfigRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic}},
	})
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	for _, e := range res.Resources[0].ConfigEntries {
		entries[e.ConfigName] = e.ConfigValue
	}
	return entries
}

// Other people's producers may use transactions: what they aborted is never
// seen, and their markers do not stop a reader.
func TestForeignTransactions(t *testing.T) {
	addr := broker(t).Addr()
	b := open(t, addr)
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 1})
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID("foreign"), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	transaction := func(value string, end kgo.TransactionEndTry) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	transaction("committed 1", kgo.TryCommit)
	transaction("aborted 1", kgo.TryAbort)
	publish(t, b, "t", "k", "plain")
	transaction("aborted 2", kgo.TryAbort)
	transaction("committed 2", kgo.TryCommit)
	transaction("aborted 3", kgo.TryAbort)
	want := []string{"committed 1", "plain", "committed 2"}
	if got := values(t, b, "t"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %v, not %v", got, want)
	}
	consumed := subscribe(t, b, "g", "t")
	for _, w := range want {
		if got := receive(t, consumed); got != w {
			t.Errorf("consumed %q, not %q", got, w)
		}
	}
}

// Other people's producers compress.
func TestForeignCompression(t *testing.T) {
	addr := broker(t).Addr()
	b := open(t, addr)
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 1})
	var want []string
	for name, codec := range map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic("t"))
		if err != nil {
			t.Fatal(err)
		}
		value := strings.Repeat(name, 1000)
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		client.Close()
		want = append(want, value)
	}
	if got := values(t, b, "t"); !slices.Equal(got, want) {
		t.Errorf("read %.20q, not %.20q", got, want)
	}
}

// BenchmarkHop is one idle hop: publish, then the consumer's handler. It also
// reports the median, which a rebalance or a flush of the disk does not move.
func BenchmarkHop(b *testing.B) {
	bus_ := open(b, broker(b).Addr())
	ensure(b, bus_, bus.TopicConfig{Name: "t", Partitions: 6})
	consumed := subscribe(b, bus_, "g", "t")
	publish(b, bus_, "t", "k", "warm")
	receive(b, consumed)
	var hops []time.Duration
	for b.Loop() {
		start := time.Now()
		publish(b, bus_, "t", "k", "v")
		receive(b, consumed)
		hops = append(hops, time.Since(start))
		time.Sleep(5 * time.Millisecond) // let the commit end: the hop is an idle one
	}
	sort.Slice(hops, func(i, j int) bool { return hops[i] < hops[j] })
	b.ReportMetric(float64(hops[len(hops)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(hops[len(hops)*99/100].Microseconds())/1000, "ms-p99")
}
