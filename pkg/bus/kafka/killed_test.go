package kafka_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
)

// memberOf is the variable that makes the test binary a member of a group.
const memberOf = "CHURN_TEST_MEMBER_OF_BROKER"

func TestMain(m *testing.M) {
	if addr := os.Getenv(memberOf); addr != "" {
		fmt.Fprintln(os.Stderr, member(addr))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// member consumes the topic t and prints each value. It never ends with one that
// is "hang".
func member(addr string) error {
	b, err := kafka.New(config(addr))
	if err != nil {
		return err
	}
	return b.Subscribe(context.Background(), "g", []string{"t"}, 1, func(_ context.Context, r bus.Record) error {
		fmt.Println(string(r.Value))
		if string(r.Value) == "hang" {
			select {}
		}
		return nil
	})
}

// A member that is killed cannot leave its group: once its session is over,
// another takes its partitions, from what was committed.
func TestKilledMember(t *testing.T) {
	addr := broker(t).Addr()
	b := open(t, addr)
	ensure(t, b, bus.TopicConfig{Name: "t", Partitions: 1})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), self)
	process.Env = append(os.Environ(), memberOf+"="+addr)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, v := range []string{"done", "hang"} {
		publish(t, b, "t", "k", v)
		if !lines.Scan() || lines.Text() != v {
			t.Fatalf("the member handled %q, not %q", lines.Text(), v)
		}
	}
	for committed(t, addr) != 1 {
		time.Sleep(5 * time.Millisecond)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()
	consumed := subscribe(t, b, "g", "t")
	publish(t, b, "t", "k", "next")
	for _, want := range []string{"hang", "next"} {
		if got := receive(t, consumed); got != want {
			t.Errorf("the heir got %q, not %q", got, want)
		}
	}
}

// committed is the group's offset in the only partition of topic t.
func committed(t *testing.T, addr string) int64 {
	t.Helper()
	client := &kafkago.Client{Addr: kafkago.TCP(addr)}
	res, err := client.OffsetFetch(t.Context(), &kafkago.OffsetFetchRequest{GroupID: "g", Topics: map[string][]int{"t": {0}}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Topics["t"][0].CommittedOffset
}
