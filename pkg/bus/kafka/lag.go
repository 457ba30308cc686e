package kafka

import (
	"context"
	"errors"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
)

var _ bus.Lagger = (*Bus)(nil)

// Lag implements bus.Lagger. A partition of which the group has committed nothing
// counts from its oldest record.
func (b *Bus) Lag(ctx context.Context, group string, topics ...string) (map[string]int64, error) {
	const op = "kafka.Lag"
	behind := map[string]int64{}
	for _, topic := range topics {
		ids, err := b.partitions(ctx, topic)
		if err != nil {
			return nil, err
		}
		committed, err := b.committed(ctx, group, topic, ids)
		if err != nil {
			return nil, b.fail(op, err)
		}
		behind[topic] = 0
		for _, id := range ids {
			n, err := b.behind(ctx, partition{topic, id}, committed)
			if err != nil {
				return nil, b.fail(op, err)
			}
			behind[topic] += n
		}
	}
	return behind, nil
}

// committed returns the next offset of each partition that the group has committed
// any of.
func (b *Bus) committed(ctx context.Context, group, topic string, ids []int) (bus.Position, error) {
	res, err := b.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: ids}})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	next := bus.Position{}
	for _, c := range res.Topics[topic] {
		if errors.Is(c.Error, kafka.GroupIdNotFound) {
			continue
		}
		if c.Error != nil {
			return nil, c.Error
		}
		if c.CommittedOffset >= 0 {
			next[c.Partition] = c.CommittedOffset
		}
	}
	return next, nil
}

// behind returns how many records of the partition come after what is committed.
func (b *Bus) behind(ctx context.Context, p partition, committed bus.Position) (int64, error) {
	next, is := committed[p.id]
	if !is {
		var err error
		if next, err = b.offset(ctx, p, kafka.FirstOffset); err != nil {
			return 0, err
		}
	}
	end, err := b.offset(ctx, p, kafka.LastOffset)
	return max(0, end-next), err
}
