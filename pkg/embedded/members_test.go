package embedded_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/embedded"
)

// Members that are killed while they wait for the answer to their join are removed
// when their session is over, and their partitions go to the others. There are
// several, since the broker forgets to expect heartbeats of half of them.
func TestMembersThatAreKilledWhileTheyJoinAreRemoved(t *testing.T) {
	t.Parallel()
	broker, err := embedded.StartBroker(t.Context(), t.TempDir(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	b, err := kafka.New(kafka.Config{Brokers: []string{broker.Addr()}, SessionTimeout: 3 * time.Second, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	const partitions, dying = 8, 6
	if err := b.Ensure(t.Context(), bus.TopicConfig{Name: "t", Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got := map[int]int{} // records by partition
	ctx, stop := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		left <- b.Subscribe(ctx, "g", []string{"t"}, partitions, func(_ context.Context, r bus.Record) error {
			mu.Lock()
			defer mu.Unlock()
			got[r.Partition]++
			return nil
		})
	}()
	everywhere := func(n int) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			mu.Lock()
			reached := 0
			for p := range partitions {
				if got[p] >= n {
					reached++
				}
			}
			mu.Unlock()
			if reached == partitions {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d records of each of %d partitions: there are %v", n, partitions, got)
			}
		}
	}
	publish := func() {
		t.Helper()
		for key := range 64 {
			if err := b.Publish(t.Context(), bus.Record{Topic: "t", Key: []byte{byte(key)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish()
	everywhere(1)
	joinAndDie(t, broker.Addr(), dying)
	awaitGroup(t, broker.Addr(), "Stable", 1+dying) // with partitions that nobody reads
	mu.Lock()
	clear(got)
	mu.Unlock()
	publish()
	everywhere(1)
	stop()
	if err := <-left; err != nil {
		t.Error(err)
	}
}

// joinAndDie joins the group so many times by version 2 of the request, which
// kafka-go uses, and cuts the connections before there is an answer.
func joinAndDie(t *testing.T, addr string, times int) {
	t.Helper()
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version = 2
	r.Group, r.ProtocolType, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = "g", "consumer", 1000, 5000
	subscription := kmsg.NewConsumerMemberMetadata()
	subscription.Topics = []string{"t"}
	for _, protocol := range []string{"range", "roundrobin"} {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = protocol, subscription.AppendTo(nil)
		r.Protocols = append(r.Protocols, p)
	}
	for range times {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("dies")).AppendRequest(nil, r, 1)); err != nil {
			t.Fatal(err)
		}
	}
	awaitGroup(t, addr, "PreparingRebalance", 1+times)
}

// awaitGroup waits until the group has so many members and is in the state.
func awaitGroup(t *testing.T, addr, state string, members int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := kmsg.NewPtrDescribeGroupsRequest()
	d.Groups = []string{"g"}
	for {
		res, err := d.RequestWith(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		if g := res.Groups[0]; len(g.Members) == members && g.State == state {
			return
		}
	}
}
