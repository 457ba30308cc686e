package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
)

var _ bus.Provisioner = (*Bus)(nil)

// Settings of Kafka that keep what is on the log.
const (
	cleanupPolicy  = "cleanup.policy"
	retentionTime  = "retention.ms"
	retentionBytes = "retention.bytes"
	minInSync      = "min.insync.replicas"
	maxMessage     = "max.message.bytes"
)

// defaultMaxMessage is Kafka's: what a topic must take that says nothing of it.
const defaultMaxMessage = 1<<20 + 12

// topic is one as the brokers have it.
type topic struct {
	partitions int
	replicas   int // of the partition with the fewest
	settings   map[string]string
}

// settings returns what the topic is made with. Where MaxBytes is 0, the
// broker's default holds.
func (b *Bus) settings(t bus.TopicConfig, w bus.Wanted) map[string]string {
	s := map[string]string{}
	switch {
	case w.MinInSync > 0:
		s[minInSync] = strconv.Itoa(w.MinInSync)
	case b.config.ReplicationFactor > 0:
		s[minInSync] = strconv.Itoa(max(1, b.config.ReplicationFactor-1))
	}
	if t.MaxBytes > 0 {
		s[maxMessage] = strconv.Itoa(t.MaxBytes)
	}
	if t.Compacted {
		s[cleanupPolicy] = "compact"
		return s
	}
	s[cleanupPolicy], s[retentionTime], s[retentionBytes] = "delete", strconv.FormatInt(retention(t.Retention), 10), "-1"
	return s
}

// PlanTopics implements bus.Provisioner.
func (b *Bus) PlanTopics(ctx context.Context, w bus.Wanted) (plan []bus.Change, err error) {
	b.refresh()
	err = b.retry(ctx, "kafka.PlanTopics", func(ctx context.Context) error {
		plan, err = b.plan(ctx, w)
		return err
	})
	return plan, err
}

func (b *Bus) plan(ctx context.Context, w bus.Wanted) ([]bus.Change, error) {
	there, err := b.describeTopics(ctx, w.Topics)
	if err != nil {
		return nil, err
	}
	plan := []bus.Change{}
	for _, t := range w.Topics {
		if is, ok := there[t.Name]; ok {
			plan = append(plan, b.compare(t, is, w)...)
		} else {
			plan = append(plan, bus.Change{Topic: t.Name, Setting: bus.SettingTopic, Want: fmt.Sprintf("partitions: %d", t.Partitions)})
		}
	}
	return plan, nil
}

// describeTopics returns those of the topics that are there.
func (b *Bus) describeTopics(ctx context.Context, topics []bus.TopicConfig) (map[string]topic, error) {
	m, err := b.client.Metadata(ctx, &kafka.MetadataRequest{}) // of all: to name one could make it
	if err != nil {
		return nil, err
	}
	there := map[string]topic{}
	for _, t := range m.Topics {
		if t.Error == nil && slices.ContainsFunc(topics, func(c bus.TopicConfig) bool { return c.Name == t.Name }) {
			there[t.Name] = topic{len(t.Partitions), fewest(t.Partitions), map[string]string{}}
		}
	}
	if len(there) == 0 {
		return there, nil
	}
	return there, b.describeSettings(ctx, there)
}

func fewest(partitions []kafka.Partition) int {
	n := 0
	for i, p := range partitions {
		if i == 0 || len(p.Replicas) < n {
			n = len(p.Replicas)
		}
	}
	return n
}

func (b *Bus) describeSettings(ctx context.Context, of map[string]topic) error {
	req := &kafka.DescribeConfigsRequest{}
	for name := range of {
		req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: name,
			ConfigNames: []string{cleanupPolicy, retentionTime, retentionBytes, minInSync, maxMessage},
		})
	}
	res, err := b.client.DescribeConfigs(ctx, req)
	if err != nil {
		return err
	}
	for _, r := range res.Resources {
		switch {
		case denial(r.Error) != "":
			return b.unallowed("see the settings (DescribeConfigs) of topic "+r.ResourceName, r.Error)
		case r.Error != nil:
			return fmt.Errorf("settings of topic %s: %w", r.ResourceName, r.Error)
		}
		for _, e := range r.ConfigEntries {
			of[r.ResourceName].settings[e.ConfigName] = e.ConfigValue
		}
	}
	return nil
}

// compare returns what is not as wanted of a topic that is there.
func (b *Bus) compare(t bus.TopicConfig, is topic, w bus.Wanted) (changes []bus.Change) {
	add := func(setting, is, want, refused string) {
		changes = append(changes, bus.Change{Topic: t.Name, Setting: setting, Is: is, Want: want, Refused: refused})
	}
	if is.partitions != t.Partitions {
		add(bus.SettingPartitions, strconv.Itoa(is.partitions), strconv.Itoa(t.Partitions), otherPartitions(is.partitions, t.Partitions, w.Grow))
	}
	if n := b.config.ReplicationFactor; n > 0 && is.replicas != n {
		add(bus.SettingReplicas, strconv.Itoa(is.replicas), strconv.Itoa(n), otherReplicas(is.replicas, n))
	}
	wanted := b.settings(t, w)
	if t.MaxBytes == 0 {
		wanted[maxMessage] = strconv.Itoa(defaultMaxMessage)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if differs, refused := judge(name, is, wanted); differs {
			add(name, is.settings[name], wanted[name], refused)
		}
	}
	return changes
}

func otherPartitions(is, want int, grow bool) string {
	switch {
	case want < is:
		return fmt.Sprintf("Kafka takes no partitions away: keep them (--partitions TOPIC=%d), or make another topic and copy the records", is)
	case !grow:
		return "a key's records would from then on be in another partition than its older ones, and may be seen before them: " +
			"stop what writes to the topic, let its consumers come to the end, and apply with --grow"
	}
	return ""
}

func otherReplicas(is, want int) string {
	why := "what the brokers copy is for their operator to decide"
	if want < is {
		why = "there would be fewer copies of every record"
	}
	return fmt.Sprintf("%s: move them with kafka-reassign-partitions.sh, or set KAFKA_REPLICATION_FACTOR to %d", why, is)
}

// judge says whether a setting is other than wanted, and if so why it is not
// changed: nothing that is on the log, or would be kept, may be lost.
func judge(name string, is topic, wanted map[string]string) (differs bool, refused string) {
	has, want := is.settings[name], wanted[name]
	switch name {
	case cleanupPolicy:
		return judgeCleanup(has, wanted)
	case retentionTime, retentionBytes:
		return has != want, judgeRetention(name, has, want)
	case minInSync:
		return has != want, judgeMinInSync(number(has), number(want), is.replicas)
	case maxMessage: // more does no harm
		return number(has) < number(want), ""
	}
	return false, ""
}

func judgeCleanup(has string, wanted map[string]string) (differs bool, refused string) {
	want, now := wanted[cleanupPolicy], strings.Split(strings.ReplaceAll(has, " ", ""), ",")
	if len(now) == 1 && now[0] == want {
		return false, ""
	}
	forEver := want == "delete" && wanted[retentionTime] == "-1" && wanted[retentionBytes] == "-1"
	if slices.Contains(now, want) || forEver {
		return true, ""
	}
	loss := "all but the newest record of each key"
	if want == "delete" {
		loss = "records older than " + retentionTime
	}
	return true, fmt.Sprintf("the brokers would delete %s: if that is meant, kafka-configs.sh --alter --add-config %s=%s", loss, cleanupPolicy, want)
}

func judgeRetention(name, has, want string) (refused string) {
	if number(want) == -1 || number(has) != -1 && number(has) <= number(want) {
		return ""
	}
	return fmt.Sprintf("the brokers would delete records that are kept now: if that is meant, kafka-configs.sh --alter --add-config %s=%s", name, want)
}

func judgeMinInSync(has, want int64, replicas int) (refused string) {
	switch {
	case want > int64(replicas):
		return fmt.Sprintf("with %d of them nothing could be written: add replicas first, or plan with --min-insync", replicas)
	case want < has && has <= int64(replicas):
		return fmt.Sprintf("fewer brokers would have a record when it counts as written: if that is meant, kafka-configs.sh --alter --add-config %s=%d; to keep it, plan with --min-insync %d", minInSync, want, has)
	}
	return ""
}

// number reads a number of the brokers'; what is none counts as 0.
func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}
