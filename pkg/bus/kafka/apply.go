package kafka

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// ApplyTopics implements bus.Provisioner.
func (b *Bus) ApplyTopics(ctx context.Context, w bus.Wanted, plan []bus.Change) error {
	const op = "kafka.ApplyTopics"
	plan = slices.DeleteFunc(slices.Clone(plan), func(c bus.Change) bool { return c.Refused != "" })
	for _, step := range []func(context.Context, bus.Wanted, []bus.Change) error{b.makeMissing, b.addPartitions, b.alterSettings, b.settled} {
		if err := b.retry(ctx, op, func(ctx context.Context) error { return step(ctx, w, plan) }); err != nil {
			return err
		}
	}
	return nil
}

// makeMissing makes the topics that the plan makes. Making them again is harmless.
func (b *Bus) makeMissing(ctx context.Context, w bus.Wanted, plan []bus.Change) error {
	w.Topics = slices.DeleteFunc(slices.Clone(w.Topics), func(t bus.TopicConfig) bool {
		return !slices.ContainsFunc(plan, func(c bus.Change) bool { return c.Topic == t.Name && c.Setting == bus.SettingTopic })
	})
	if len(w.Topics) == 0 {
		return nil
	}
	return b.create(ctx, w)
}

func (b *Bus) addPartitions(ctx context.Context, _ bus.Wanted, plan []bus.Change) error {
	req := &kafka.CreatePartitionsRequest{}
	for _, c := range plan {
		if c.Setting == bus.SettingPartitions {
			n, err := strconv.ParseInt(c.Want, 10, 32)
			if err != nil {
				return churn.E("kafka.addPartitions", churn.Invalid, err)
			}
			req.Topics = append(req.Topics, kafka.TopicPartitionsConfig{Name: c.Topic, Count: int32(n)})
		}
	}
	if len(req.Topics) == 0 {
		return nil
	}
	res, err := b.client.CreatePartitions(ctx, req)
	if err != nil {
		return err
	}
	var errs []error
	for name, err := range res.Errors {
		if err != nil && !errors.Is(err, kafka.InvalidPartitionNumber) { // else it has them, by an attempt whose answer was lost
			errs = append(errs, b.notDone("add partitions (Alter) to topic", name, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Bus) alterSettings(ctx context.Context, _ bus.Wanted, plan []bus.Change) error {
	req := &kafka.IncrementalAlterConfigsRequest{}
	for _, c := range plan {
		if c.Setting == bus.SettingTopic || c.Setting == bus.SettingPartitions || c.Setting == bus.SettingReplicas {
			continue
		}
		// A topic's settings change together: records that are no longer compacted
		// must not be deleted by age.
		if n := len(req.Resources); n == 0 || req.Resources[n-1].ResourceName != c.Topic {
			req.Resources = append(req.Resources, kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: c.Topic})
		}
		r := &req.Resources[len(req.Resources)-1]
		r.Configs = append(r.Configs, kafka.IncrementalAlterConfigsRequestConfig{Name: c.Setting, Value: c.Want, ConfigOperation: kafka.ConfigOperationSet})
	}
	if len(req.Resources) == 0 {
		return nil
	}
	res, err := b.client.IncrementalAlterConfigs(ctx, req)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range res.Resources {
		if r.Error != nil {
			errs = append(errs, b.notDone("alter the settings (AlterConfigs) of topic", r.ResourceName, r.Error))
		}
	}
	return errors.Join(errs...)
}

// settled returns nil once the brokers tell of what was changed.
func (b *Bus) settled(ctx context.Context, w bus.Wanted, _ []bus.Change) error {
	if err := b.led(ctx, w.Topics); err != nil {
		return err
	}
	left, err := b.plan(ctx, w)
	if err != nil {
		return err
	}
	for _, c := range left {
		if c.Refused == "" {
			return churn.Errorf("kafka.settled", churn.Transient, "topic %s: %s is %s, and not yet %s", c.Topic, c.Setting, c.Is, c.Want)
		}
	}
	return nil
}

// notDone is the error of a topic with which something could not be done.
func (b *Bus) notDone(wish, topic string, err error) error {
	switch {
	case denial(err) != "":
		return b.unallowed(wish+" "+topic, err)
	case retriable(err):
		return err
	}
	return churn.Errorf("kafka.Provision", churn.Invalid, "topic %s: %w", topic, err)
}

// unallowed is the error of what only whoever administers the cluster needs to do.
func (b *Bus) unallowed(wish string, err error) error {
	return churn.Errorf("kafka.Provision", churn.Denied,
		"broker at %s does not allow the user of KAFKA_USERNAME to %s: let one do this who administers the cluster: %w",
		strings.Join(b.config.Brokers, ","), wish, err)
}
