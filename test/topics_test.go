package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/stage"
)

// Topics become as the topology says, unless something would be lost by it, and
// stay so.
func (s secure) testTopics(t *testing.T) {
	const prefix = "drifting."
	stack := newStack(t, s.asAdmin().with(settings{"CHURN_TOPIC_PREFIX": prefix, "KAFKA_REPLICATION_FACTOR": "1"}).environ()...)
	plan := func(code int, args ...string) (changes []string) {
		t.Helper()
		var all []bus.Change
		stack.want(code, &all, append([]string{"topics"}, args...)...)
		for _, c := range all {
			text := fmt.Sprintf("%s %s %s→%s", strings.TrimPrefix(c.Topic, prefix), c.Setting, c.Is, c.Want)
			if c.Refused != "" {
				text += "!"
			}
			changes = append(changes, text)
		}
		return changes
	}
	expect := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}

	if fresh := plan(0, "plan"); len(fresh) != len(stage.Topics(prefix)) || fresh[0] != "retrain-requested topic →partitions: 6" {
		t.Errorf("of a fresh cluster: %q", fresh)
	}
	plan(1, "verify")
	plan(0, "apply")
	expect(plan(0, "verify"))
	expect(plan(0, "apply"))

	client := &kafka.Client{Addr: kafka.TCP(s.kafka.Addr)}
	alter(t, client, prefix+"features-ready", "retention.ms", "3600000", "segment.ms", "600000")
	alter(t, client, prefix+"model-trained", "cleanup.policy", "compact")
	alter(t, client, prefix+"model-current", "cleanup.policy", "delete")
	alter(t, client, prefix+"run-progress", "retention.ms", "-1")
	alter(t, client, prefix+"dlq.gate", "max.message.bytes", "1000", "min.insync.replicas", "2")
	drift := []string{
		"features-ready retention.ms 3600000→-1",
		"model-trained cleanup.policy compact→delete",
		"model-current cleanup.policy delete→compact!",
		"run-progress retention.ms -1→86400000!",
		"dlq.gate max.message.bytes 1000→4194304", "dlq.gate min.insync.replicas 2→1",
	}
	expect(plan(0, "plan"), drift...)
	expect(plan(1, "verify"), drift...)
	expect(plan(1, "apply"), drift...) // what was done, and what not
	expect(plan(1, "apply"), drift[2], drift[3])
	if said := stack.run("topics", "plan").stdout; !strings.Contains(said, "newest record of each key") || !strings.Contains(said, "kafka-configs.sh") {
		t.Errorf("it does not say why, and what to do by hand:\n%s", said)
	}
	alter(t, client, prefix+"model-current", "cleanup.policy", "compact")
	alter(t, client, prefix+"run-progress", "retention.ms", "86400000")
	expect(plan(0, "verify"))

	more := []string{"--partitions", "features-ready=13,drifting.run-failed=7"}
	expect(plan(1, append([]string{"apply"}, more...)...), "features-ready partitions 12→13!", "run-failed partitions 6→7!")
	expect(plan(0, append([]string{"apply", "--grow"}, more...)...), "features-ready partitions 12→13", "run-failed partitions 6→7")
	expect(plan(0, append([]string{"verify"}, more...)...))
	expect(plan(1, "apply", "--grow"), "features-ready partitions 13→12!", "run-failed partitions 7→6!")
	if configured := describe(t, client, prefix+"features-ready"); configured["segment.ms"] != "600000" || configured["retention.ms"] != "-1" {
		t.Errorf("features-ready is %v", configured)
	}
}

// alter sets a topic's settings by hand, given as name, value, name, value.
func alter(t *testing.T, client *kafka.Client, topic string, nameValue ...string) {
	t.Helper()
	r := kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
	for pair := range slices.Chunk(nameValue, 2) {
		r.Configs = append(r.Configs, kafka.IncrementalAlterConfigsRequestConfig{Name: pair[0], Value: pair[1]})
	}
	res, err := client.IncrementalAlterConfigs(t.Context(), &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{r}})
	if err != nil || res.Resources[0].Error != nil {
		t.Fatal(err, res)
	}
	eventually(t, "the settings to hold", func() error {
		has := describe(t, client, topic)
		for pair := range slices.Chunk(nameValue, 2) {
			if has[pair[0]] != pair[1] {
				return fmt.Errorf("%s is %s", pair[0], has[pair[0]])
			}
		}
		return nil
	})
}

func describe(t *testing.T, client *kafka.Client, topic string) map[string]string {
	t.Helper()
	res, err := client.DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}},
	})
	if err != nil || res.Resources[0].Error != nil {
		t.Fatal(err, res)
	}
	has := map[string]string{}
	for _, e := range res.Resources[0].ConfigEntries {
		has[e.ConfigName] = e.ConfigValue
	}
	return has
}
