package kafka_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
)

// faulty starts a broker that has the topic t and can be told to fail.
func faulty(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, string) {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(6, "t"), kfake.GroupMinSessionTimeout(time.Second)}, opts...)
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, c.ListenAddrs()[0]
}

// What a broker may answer to a group's member for a while loses nothing, and
// moves no offset back to the beginning.
func TestFaultsOfTheGroup(t *testing.T) {
	for _, f := range []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.FindCoordinator, kerr.CoordinatorNotAvailable},
		{kmsg.JoinGroup, kerr.CoordinatorLoadInProgress},
		{kmsg.JoinGroup, kerr.UnknownMemberID},
		{kmsg.SyncGroup, kerr.RebalanceInProgress},
		{kmsg.SyncGroup, kerr.NotCoordinator},
		{kmsg.OffsetFetch, kerr.CoordinatorLoadInProgress},
		{kmsg.Heartbeat, kerr.IllegalGeneration},
		{kmsg.Heartbeat, kerr.NotCoordinator},
		{kmsg.OffsetCommit, kerr.NotCoordinator},
		{kmsg.OffsetCommit, kerr.RebalanceInProgress},
		{kmsg.Fetch, kerr.NotLeaderForPartition},
		{kmsg.Fetch, kerr.KafkaStorageError},
		{kmsg.Metadata, kerr.LeaderNotAvailable},
	} {
		t.Run(fmt.Sprintf("%s answers %s", f.key.Name(), f.err.Message), func(t *testing.T) {
			t.Parallel()
			c, addr := faulty(t, kfake.SeedTopics(1, "one"))
			b := open(t, addr)
			publish(t, b, "one", "k", "old")
			end, stop := context.WithCancel(t.Context())
			err := b.Subscribe(end, "g", []string{"one"}, 1, func(context.Context, bus.Record) error { stop(); return nil })
			if err != nil {
				t.Fatal(err)
			}
			fault := kfake.Fault{Keys: []kmsg.Key{f.key}, Err: f.err, Count: 2}
			if f.key == kmsg.OffsetFetch { // the answer has no error but those of partitions
				fault.Topic, fault.Partitions = "one", []int32{0}
			}
			faults := c.Fault(fault)
			publish(t, b, "one", "k", "first")
			consumed := subscribe(t, open(t, addr), "g", "one")
			if got := receive(t, consumed); got != "first" {
				t.Fatalf("consumed %q, not what comes after what was committed", got)
			}
			if err := faults.Wait(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			publish(t, b, "one", "k", "last")
			for got := ""; got != "last"; {
				if got = receive(t, consumed); got == "old" {
					t.Fatal("the group's offset went back to the beginning")
				}
			}
		})
	}
}

func TestFaultsOfPublishing(t *testing.T) {
	for _, f := range []struct {
		err   *kerr.Error
		count int
		kind  churn.Kind
		fails bool
	}{
		{err: kerr.NotLeaderForPartition, count: 3},
		{err: kerr.LeaderNotAvailable, count: 3},
		{err: kerr.UnknownTopicOrPartition, count: 1},
		{err: kerr.RequestTimedOut, count: 1},
		{err: kerr.NotEnoughReplicas, count: 3},
		{err: kerr.NotEnoughReplicasAfterAppend, count: 1},
		{err: kerr.NotEnoughReplicas, count: -1, kind: churn.Transient, fails: true},
		{err: kerr.UnknownServerError, count: 1, kind: churn.Transient, fails: true},
		{err: kerr.MessageTooLarge, count: 1, kind: churn.Invalid, fails: true},
		{err: kerr.RecordListTooLarge, count: 1, kind: churn.Invalid, fails: true},
		{err: kerr.UnknownTopicOrPartition, count: -1, kind: churn.Transient, fails: true}, // of a topic that was there
		{err: kerr.TopicAuthorizationFailed, count: 1, kind: churn.Denied, fails: true},
	} {
		t.Run(fmt.Sprintf("%s %d times", f.err.Message, f.count), func(t *testing.T) {
			t.Parallel()
			c, addr := faulty(t)
			settings := config(addr)
			if f.count < 0 {
				settings.Patience = 3 * time.Second
			}
			b, err := kafka.New(settings)
			if err != nil {
				t.Fatal(err)
			}
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: f.err, Count: f.count})
			err = b.Publish(t.Context(), bus.Record{Topic: "t", Key: []byte("k"), Value: []byte("v")})
			if !f.fails {
				if err != nil {
					t.Fatal(err)
				}
				if got := values(t, b, "t"); len(got) == 0 || got[0] != "v" {
					t.Errorf("the topic holds %q though the record was acknowledged", got)
				}
				return
			}
			if !churn.IsKind(err, f.kind) {
				t.Errorf("error is %v, not of kind %v", err, f.kind)
			}
		})
	}
}

// While leaders and coordinators move, everything published is consumed, in
// order for each key.
func TestLeadersAndCoordinatorsMove(t *testing.T) {
	c, addr := faulty(t, kfake.NumBrokers(3))
	b := open(t, addr)
	consumed := make(chan string, 1000)
	for range 2 {
		join(t, open(t, addr), consumed, "g", "t")
	}
	followed := follow(t, b, "t")
	stop := make(chan struct{})
	moving := make(chan struct{})
	go func() {
		defer close(moving)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				c.ShufflePartitionLeaders()
				c.RehashCoordinators()
			}
		}
	}()
	const n = 150
	if err := publishNumbers(t.Context(), b, n); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-moving
	complete(t, values(t, b, "t"), n)
	complete(t, receiveNumbers(t, followed, n), n)
	receiveNumbers(t, consumed, n)
}

// A partition that cannot be read is waited for, but not in silence.
func TestPartitionThatCannotBeRead(t *testing.T) {
	c, addr := faulty(t)
	publish(t, open(t, addr), "t", "k", "v")
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.KafkaStorageError, Count: -1})
	core, logs := observer.New(zap.WarnLevel)
	settings := config(addr)
	settings.Patience, settings.Log = 50*time.Millisecond, zap.New(core)
	b, err := kafka.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	consumed := subscribe(t, b, "g", "t")
	for logs.FilterMessageSnippet("cannot be read").Len() == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	nothing := func(context.Context, bus.Record) error { return nil }
	if err := b.Read(t.Context(), "t", nil, false, nothing); !churn.IsKind(err, churn.Transient) {
		t.Errorf("read: error is %v, not Transient", err)
	}
	fault.Remove()
	if got := receive(t, consumed); got != "v" {
		t.Errorf("consumed %q", got)
	}
}

// A wrong password is not an outage that will pass, and is in no message.
func TestWrongPassword(t *testing.T) {
	c, addr := faulty(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ada", "hunter2"))
	settings := config(addr)
	settings.SASL = plain.Mechanism{Username: "ada", Password: "hunter2"}
	calls := map[string]func(b bus.Bus) error{
		"Ping":    func(b bus.Bus) error { return b.Ping(t.Context()) },
		"Publish": func(b bus.Bus) error { return b.Publish(t.Context(), bus.Record{Topic: "t"}) },
		"Ensure":  func(b bus.Bus) error { return b.Ensure(t.Context(), bus.TopicConfig{Name: "u", Partitions: 1}) },
	}
	for _, wrong := range []bool{false, true} {
		if wrong { // Kafka's answer; this broker's own is to hang up
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SASLAuthenticate}, Err: kerr.SaslAuthenticationFailed, TopLevel: true, Count: -1})
		}
		b, err := kafka.New(settings)
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range calls {
			err := call(b)
			if !wrong && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if wrong && (!churn.IsKind(err, churn.Denied) || !strings.Contains(err.Error(), "KAFKA_PASSWORD") || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%s: error is %v, not one that names KAFKA_PASSWORD", name, err)
			}
		}
	}
}

func TestSessionTimeoutThatTheBrokerDoesNotAllow(t *testing.T) {
	_, addr := faulty(t)
	settings := config(addr)
	settings.SessionTimeout = 10 * time.Millisecond
	b, err := kafka.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Subscribe(t.Context(), "g", []string{"t"}, 1, nil)
	if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "KAFKA_SESSION_TIMEOUT") {
		t.Errorf("error is %v, not Invalid with the setting's name", err)
	}
}
