package kafka_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
)

// plan returns what is other than wanted.
func plan(t *testing.T, b *kafka.Bus, w bus.Wanted) []bus.Change {
	t.Helper()
	p, err := b.PlanTopics(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, b *kafka.Bus, w bus.Wanted) {
	t.Helper()
	if err := b.ApplyTopics(t.Context(), w, plan(t, b, w)); err != nil {
		t.Fatal(err)
	}
}

// What was planned is what is done, and then there is nothing left to do.
func TestTopicsBecomeAsWanted(t *testing.T) {
	t.Parallel()
	addr := broker(t).Addr()
	b := open(t, addr)
	w := bus.Wanted{MinInSync: 1, Topics: []bus.TopicConfig{
		{Name: "log", Partitions: 2}, {Name: "table", Partitions: 1, Compacted: true}, {Name: "day", Partitions: 1, Retention: 24 * time.Hour, MaxBytes: 4 << 20},
	}}
	if p := plan(t, b, w); len(p) != 3 || p[0] != (bus.Change{Topic: "log", Setting: bus.SettingTopic, Want: "partitions: 2"}) {
		t.Errorf("of a new cluster: %+v", p)
	}
	apply(t, b, w)
	if p := plan(t, b, w); len(p) != 0 {
		t.Errorf("when all are made: %+v", p)
	}

	set(t, addr, "log", "retention.ms", "1000", "segment.ms", "3600000")
	set(t, addr, "day", "retention.ms", "172800000")
	w.Topics[0].Partitions = 4
	lowered := bus.Change{Topic: "log", Setting: "retention.ms", Is: "1000", Want: "-1"}
	p := plan(t, b, w)
	if len(p) != 3 || p[0].Refused == "" || p[1] != lowered || p[2].Refused == "" {
		t.Errorf("when changed: %+v", p)
	}
	apply(t, b, w)
	if left := plan(t, b, w); !slices.Equal(left, []bus.Change{p[0], p[2]}) {
		t.Errorf("when all is made that is not refused: %+v", left)
	}
	w.Grow, w.Topics[2].Retention = true, 48*time.Hour
	apply(t, b, w)
	if left := plan(t, b, w); len(left) != 0 {
		t.Errorf("when let grow: %+v", left)
	}
	if s := settings(t, addr, "log"); s["segment.ms"] != "3600000" {
		t.Errorf("what is none of ours was changed: %v", s)
	}
}

// set sets the topic's settings, given as name, value, name, value.
func set(t *testing.T, addr, topic string, nameValue ...string) {
	t.Helper()
	r := kafkago.IncrementalAlterConfigsRequestResource{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic}
	for i := 0; i < len(nameValue); i += 2 {
		r.Configs = append(r.Configs, kafkago.IncrementalAlterConfigsRequestConfig{Name: nameValue[i], Value: nameValue[i+1]})
	}
	client := &kafkago.Client{Addr: kafkago.TCP(addr)}
	res, err := client.IncrementalAlterConfigs(t.Context(), &kafkago.IncrementalAlterConfigsRequest{Resources: []kafkago.IncrementalAlterConfigsRequestResource{r}})
	if err != nil || res.Resources[0].Error != nil {
		t.Fatal(err, res)
	}
}

func TestACLsAreAdded(t *testing.T) {
	t.Parallel()
	_, addr := faulty(t, kfake.EnableSASL(), kfake.EnableACLs(), ada, kfake.Superuser("PLAIN", "root", "hunter2"))
	c := config(addr)
	c.SASL = plain.Mechanism{Username: "root", Password: "hunter2"}
	b, err := kafka.New(c)
	if err != nil {
		t.Fatal(err)
	}
	allow := func(user, operation, resource, name string) bus.ACL {
		return bus.ACL{Principal: "User:" + user, Host: "*", Permission: "Allow", Operation: operation, Resource: resource, Pattern: "Literal", Name: name}
	}
	acls := []bus.ACL{allow("bob", "Read", "Topic", "t"), allow("bob", "Write", "Topic", "u"), allow("eve", "Read", "Group", "g")}
	for range 2 { // the second time they are there
		if err := b.AddACLs(t.Context(), acls...); err != nil {
			t.Fatal(err)
		}
		got, err := b.ACLs(t.Context(), "User:bob", "User:eve")
		if err != nil || len(got) != len(acls) || slices.ContainsFunc(acls, func(a bus.ACL) bool { return !slices.Contains(got, a) }) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if err := b.AddACLs(t.Context(), allow("bob", "Dance", "Topic", "t")); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("to dance: %v", err)
	}
}

// Whoever may not provision is told what they lack, at once.
func TestProvisionersMustBeAllowed(t *testing.T) {
	t.Parallel()
	_, addr := faulty(t, kfake.EnableSASL(), kfake.EnableACLs(), ada)
	c := config(addr)
	byAda(&c)
	b, err := kafka.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := bus.Wanted{Grow: true, Topics: []bus.TopicConfig{{Name: "t", Partitions: 7}}}
	change := func(setting, want string) []bus.Change {
		return []bus.Change{{Topic: "t", Setting: setting, Want: want}}
	}
	for name, err := range map[string]error{
		"DescribeConfigs":      second(b.PlanTopics(t.Context(), w)),
		"Alter)":               b.ApplyTopics(t.Context(), w, change(bus.SettingPartitions, "7")),
		"AlterConfigs":         b.ApplyTopics(t.Context(), w, change("retention.ms", "-1")),
		"Describe on":          second(b.ACLs(t.Context(), "User:ada")),
		"Alter on the cluster": b.AddACLs(t.Context(), bus.ACL{Principal: "User:ada", Host: "*", Permission: "Allow", Operation: "Read", Resource: "Topic", Pattern: "Literal", Name: "x"}),
	} {
		if !churn.IsKind(err, churn.Denied) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "KAFKA_USERNAME") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
