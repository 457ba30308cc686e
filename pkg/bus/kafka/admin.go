package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// Ensure implements bus.Admin.
func (b *Bus) Ensure(ctx context.Context, topics ...bus.TopicConfig) error {
	const op = "kafka.Ensure"
	w := bus.Wanted{Topics: topics}
	if err := b.retry(ctx, op, func(ctx context.Context) error { return b.create(ctx, w) }); err != nil {
		return err
	}
	return b.retry(ctx, op, func(ctx context.Context) error { return b.led(ctx, topics) })
}

// create makes the topics that are missing.
func (b *Bus) create(ctx context.Context, w bus.Wanted) error {
	there, err := b.names(ctx)
	if err != nil {
		return err
	}
	req := &kafka.CreateTopicsRequest{}
	for _, t := range w.Topics {
		if !slices.Contains(there, t.Name) {
			req.Topics = append(req.Topics, b.creation(t, w))
		}
	}
	if len(req.Topics) == 0 {
		return nil
	}
	res, err := b.client.CreateTopics(ctx, req)
	if err != nil {
		return err
	}
	var refused []string
	var errs []error
	for name, err := range res.Errors {
		switch {
		case err == nil || errors.Is(err, kafka.TopicAlreadyExists):
		case denial(err) != "":
			refused = append(refused, name)
		case retriable(err):
			return err
		default:
			errs = append(errs, fmt.Errorf("topic %s: %w", name, err))
		}
	}
	if len(refused) > 0 {
		return b.uncreated(refused)
	}
	return churn.E("kafka.create", churn.Invalid, errors.Join(errs...))
}

func (b *Bus) creation(t bus.TopicConfig, w bus.Wanted) kafka.TopicConfig {
	c := kafka.TopicConfig{
		Topic:             t.Name,
		NumPartitions:     t.Partitions,
		ReplicationFactor: b.config.ReplicationFactor,
	}
	if c.ReplicationFactor == 0 {
		c.ReplicationFactor = -1
	}
	settings := b.settings(t, w)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: settings[name]})
	}
	return c
}

// retention is in milliseconds; -1 keeps records for ever.
func retention(d time.Duration) int64 {
	if d == 0 {
		return -1
	}
	return d.Milliseconds()
}

// led returns nil if every partition of the topics, which are there, has a leader.
// A broker may not have heard of them yet.
func (b *Bus) led(ctx context.Context, topics []bus.TopicConfig) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	if len(names) == 0 {
		return nil
	}
	m, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return err
	}
	for _, t := range m.Topics {
		if errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
			return kafka.LeaderNotAvailable
		}
		if t.Error != nil {
			return t.Error
		}
		for _, p := range t.Partitions {
			if p.Error != nil {
				return p.Error
			}
			if p.Leader.Host == "" {
				return kafka.LeaderNotAvailable
			}
		}
	}
	return nil
}

// Topics implements bus.Admin. Names that begin with two underscores are the
// broker's own and left out.
func (b *Bus) Topics(ctx context.Context) (names []string, err error) {
	b.refresh()
	err = b.retry(ctx, "kafka.Topics", func(ctx context.Context) error {
		names, err = b.names(ctx)
		return err
	})
	return names, err
}

func (b *Bus) names(ctx context.Context) ([]string, error) {
	m, err := b.client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range m.Topics {
		if !t.Internal && !strings.HasPrefix(t.Name, "__") {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
