package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// maxBatch bounds the bytes of one batch: well under the default of brokers,
// whose limit is on the batch.
const maxBatch = 512 << 10

// partition is one partition of a topic.
type partition struct {
	topic string
	id    int
}

// Publish implements bus.Publisher. It sends at once rather than linger: events
// are few, and each hop of a run waits for it.
func (b *Bus) Publish(ctx context.Context, records ...bus.Record) error {
	const op = "kafka.Publish"
	parts, err := b.assign(ctx, records)
	if err != nil {
		return churn.E(op, churn.KindOf(err), err)
	}
	g, ctx := errgroup.WithContext(ctx)
	for p, rs := range parts {
		g.Go(func() error {
			for _, batch := range batches(rs) {
				if err := b.produce(ctx, p, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// assign sorts the records by partition, in their order.
func (b *Bus) assign(ctx context.Context, records []bus.Record) (map[partition][]bus.Record, error) {
	ids := map[string][]int{}
	parts := map[partition][]bus.Record{}
	for _, r := range records {
		if ids[r.Topic] == nil {
			ps, err := b.partitions(ctx, r.Topic)
			if churn.IsKind(err, churn.NotFound) {
				return nil, churn.E("kafka.partitions", churn.Invalid, err)
			}
			if err != nil {
				return nil, err
			}
			ids[r.Topic] = ps
		}
		p := partition{r.Topic, b.balancer.Balance(kafka.Message{Key: r.Key}, ids[r.Topic]...)}
		parts[p] = append(parts[p], r)
	}
	return parts, nil
}

// batches cuts records into batches of at most maxBatch bytes, or of one record.
func batches(records []bus.Record) [][]bus.Record {
	var out [][]bus.Record
	size := 0
	for _, r := range records {
		n := recordSize(r)
		if len(out) == 0 || size+n > maxBatch {
			out, size = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], r)
		size += n
	}
	return out
}

func recordSize(r bus.Record) int {
	n := len(r.Key) + len(r.Value) + 64
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}

// produce writes one batch and returns when all in-sync replicas have it.
func (b *Bus) produce(ctx context.Context, p partition, records []bus.Record) error {
	return b.retry(ctx, "kafka.Publish", func(ctx context.Context) error {
		res, err := b.client.Produce(ctx, &kafka.ProduceRequest{
			Topic:        p.topic,
			Partition:    p.id,
			RequiredAcks: kafka.RequireAll,
			Records:      protocol.NewRecordReader(encode(records)...),
		})
		if err == nil {
			err = res.Error
		}
		if missing(err) {
			return b.forgotten(p.topic)
		}
		if err != nil {
			return fmt.Errorf("topic %s: %w", p.topic, err)
		}
		return nil
	})
}

func encode(records []bus.Record) []protocol.Record {
	now := time.Now()
	out := make([]protocol.Record, len(records))
	for i, r := range records {
		out[i] = protocol.Record{Time: r.Time, Key: protocol.NewBytes(r.Key), Value: protocol.NewBytes(r.Value)}
		if r.Time.IsZero() {
			out[i].Time = now
		}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, protocol.Header{Key: h.Key, Value: h.Value})
		}
	}
	return out
}

// partitions returns the ids of the topic's partitions, or NotFound. A topic
// that was just made is waited for.
func (b *Bus) partitions(ctx context.Context, topic string) ([]int, error) {
	var ids []int
	err := b.retry(ctx, "kafka.partitions", func(ctx context.Context) (err error) {
		ids, err = b.known(ctx, topic)
		return err
	})
	return ids, err
}

// known returns the ids of the topic's partitions as the brokers know them now.
func (b *Bus) known(ctx context.Context, topic string) ([]int, error) {
	const op = "kafka.partitions"
	m, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	if len(m.Topics) != 1 {
		return nil, churn.Errorf(op, churn.Transient, "metadata of %d topics, not one", len(m.Topics))
	}
	t := m.Topics[0]
	if errors.Is(t.Error, kafka.UnknownTopicOrPartition) || (t.Error == nil && len(t.Partitions) == 0) {
		if _, was := b.seen.Load(topic); was {
			return nil, b.forgotten(topic)
		}
		return nil, churn.Errorf(op, churn.NotFound, "there is no topic %q", topic)
	}
	if t.Error != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, t.Error)
	}
	ids := make([]int, len(t.Partitions))
	for i, p := range t.Partitions {
		ids[i] = p.ID
	}
	slices.Sort(ids)
	b.seen.Store(topic, true)
	return ids, nil
}

// forgotten is the error of a topic that was there and is not: a broker that has
// just started takes clients before it knows its topics. A record must not be given
// up for that. A topic that somebody has deleted is waited for, too.
func (b *Bus) forgotten(topic string) error {
	return churn.Errorf("kafka.forgotten", churn.Transient, "topic %s was there, and the broker at %s does not know it now: is it starting, or was the topic deleted?",
		topic, strings.Join(b.config.Brokers, ","))
}
