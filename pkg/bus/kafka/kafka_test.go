package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/bustest"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/embedded"
)

// broker starts an embedded broker for the test.
func broker(t testing.TB) *embedded.Broker {
	t.Helper()
	b, err := embedded.StartBroker(context.Background(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func open(t testing.TB, addr string) *kafka.Bus {
	t.Helper()
	b, err := kafka.New(kafka.Config{
		Brokers:          []string{addr},
		SessionTimeout:   2 * time.Second,
		RebalanceTimeout: 2 * time.Second,
		Heartbeat:        100 * time.Millisecond,
		PartitionWatch:   200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	addr := broker(t).Addr()
	bustest.Run(t, func(t *testing.T) bus.Bus { return open(t, addr) })
}
