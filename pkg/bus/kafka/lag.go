package kafka

import (
	"context"
	"errors"
	"slices"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/bus"
)

var _ bus.Lagger = (*Bus)(nil)

// Lag implements bus.Lagger. A partition of which the group has committed nothing
// counts from its oldest record.
func (b *Bus) Lag(ctx context.Context, group string, topics ...string) (map[string]map[int]int64, error) {
	const op = "kafka.Lag"
	behind := map[string]map[int]int64{}
	for _, topic := range topics {
		ids, err := b.partitions(ctx, topic)
		if err != nil {
			return nil, err
		}
		committed, err := b.committed(ctx, group, topic, ids)
		if err != nil {
			return nil, b.fail(op, err)
		}
		if behind[topic], err = b.behind(ctx, topic, ids, committed); err != nil {
			return nil, b.fail(op, err)
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

// behind returns how many records of each partition come after what is committed.
func (b *Bus) behind(ctx context.Context, topic string, ids []int, committed bus.Position) (map[int]int64, error) {
	ends, err := b.offsets(ctx, topic, ids, kafka.LastOffset)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(ids), func(id int) bool { _, is := committed[id]; return is })
	first, err := b.offsets(ctx, topic, fresh, kafka.FirstOffset)
	if err != nil {
		return nil, err
	}
	behind := map[int]int64{}
	for _, id := range ids {
		next, is := committed[id]
		if !is {
			next = first[id]
		}
		behind[id] = max(0, ends[id]-next)
	}
	return behind, nil
}

// offsets returns, in one request, what offset returns of each partition.
func (b *Bus) offsets(ctx context.Context, topic string, ids []int, which int64) (map[int]int64, error) {
	offsets := map[int]int64{}
	if len(ids) == 0 {
		return offsets, nil
	}
	wanted := make([]kafka.OffsetRequest, len(ids))
	for i, id := range ids {
		wanted[i] = kafka.OffsetRequest{Partition: id, Timestamp: which}
	}
	res, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: wanted}, IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return nil, err
	}
	for _, o := range res.Topics[topic] {
		if o.Error != nil {
			return nil, o.Error
		}
		offsets[o.Partition] = o.LastOffset
		if which == kafka.FirstOffset {
			offsets[o.Partition] = o.FirstOffset
		}
	}
	return offsets, nil
}
