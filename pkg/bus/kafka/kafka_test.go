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

// config has time-outs that let a test see what follows them.
func config(addr string) kafka.Config {
	return kafka.Config{
		Brokers:          []string{addr},
		SessionTimeout:   2 * time.Second,
		RebalanceTimeout: 2 * time.Second,
		Heartbeat:        100 * time.Millisecond,
		PartitionWatch:   500 * time.Millisecond,
	}
}

func open(t testing.TB, addr string) *kafka.Bus {
	t.Helper()
	b, err := kafka.New(config(addr))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	addr := broker(t).Addr()
	bustest.Run(t, func(t *testing.T) bus.Bus { return open(t, addr) })
}
