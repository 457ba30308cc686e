package kafka

import (
	"context"
	"errors"
	"io"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"

	"github.com/asfotec/churn/pkg/bus"
)

const (
	// fetchWait is how long a broker holds a fetch that finds nothing. It answers
	// as soon as there is a record, so this costs no latency; it bounds how long
	// a connection outlives a cancelled fetch.
	fetchWait = 500 * time.Millisecond
	// fetchBytes bounds one answer; a larger batch still comes whole.
	fetchBytes = 1 << 20
	// readCommitted hides open transactions; fetched hides aborted ones.
	readCommitted = 1
)

// chunk is what one fetch found: records at or above the offset asked for, and
// the offset to ask for next.
type chunk struct {
	records []bus.Record
	next    int64
}

// fetch asks the partition's leader once. An empty chunk is not an error.
func (b *Bus) fetch(ctx context.Context, p partition, offset int64) (chunk, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait+requestTimeout)
	defer cancel()
	m, err := b.transport.RoundTrip(ctx, b.client.Addr, fetchRequest(p, offset))
	if err != nil {
		return chunk{}, err
	}
	res := m.(*fetch.Response)
	if res.ErrorCode != 0 {
		return chunk{}, kafka.Error(res.ErrorCode)
	}
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return chunk{}, io.ErrUnexpectedEOF
	}
	part := &res.Topics[0].Partitions[0]
	if part.ErrorCode != 0 {
		return chunk{}, kafka.Error(part.ErrorCode)
	}
	return fetched(p, offset, part)
}

func fetchRequest(p partition, offset int64) *fetch.Request {
	return &fetch.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(fetchWait / time.Millisecond),
		MinBytes:       1,
		MaxBytes:       fetchBytes,
		IsolationLevel: readCommitted,
		SessionID:      -1,
		SessionEpoch:   -1,
		Topics: []fetch.RequestTopic{{
			Topic: p.topic,
			Partitions: []fetch.RequestPartition{{
				Partition:          int32(p.id),
				CurrentLeaderEpoch: -1,
				FetchOffset:        offset,
				LogStartOffset:     -1,
				PartitionMaxBytes:  fetchBytes,
			}},
		}},
	}
}

// fetched turns an answer into records. Brokers answer with whole batches, so
// some of the records may lie before the offset.
func fetched(p partition, offset int64, part *fetch.ResponsePartition) (chunk, error) {
	c := chunk{next: offset}
	stream, ok := part.RecordSet.Records.(*protocol.RecordStream)
	if !ok {
		return c, nil
	}
	aborted := abortedBy(part.AbortedTransactions)
	for _, batch := range stream.Records {
		hidden := aborted.hides(batch)
		err := eachRecord(batch, func(r *protocol.Record) error {
			if r.Offset < c.next {
				return nil
			}
			c.next = r.Offset + 1
			if hidden {
				return nil
			}
			record, err := decode(p, r)
			c.records = append(c.records, record)
			return err
		})
		if err != nil {
			return chunk{}, err
		}
	}
	if c.next == offset && len(stream.Records) > 0 {
		c.next++ // a batch whose records were all compacted away
	}
	return c, nil
}

func eachRecord(r protocol.RecordReader, f func(*protocol.Record) error) error {
	for {
		record, err := r.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(record); err != nil {
			return err
		}
	}
}

func decode(p partition, r *protocol.Record) (bus.Record, error) {
	key, err := protocol.ReadAll(r.Key)
	if err != nil {
		return bus.Record{}, err
	}
	value, err := protocol.ReadAll(r.Value)
	if err != nil {
		return bus.Record{}, err
	}
	out := bus.Record{Topic: p.topic, Partition: p.id, Offset: r.Offset, Key: key, Value: value, Time: r.Time}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, bus.Header{Key: h.Key, Value: h.Value})
	}
	return out, nil
}

// aborts holds the producers whose transactions an answer says were aborted, by
// the offset at which each transaction begins.
type aborts map[int64][]int64

func abortedBy(transactions []fetch.ResponseTransaction) aborts {
	a := aborts{}
	for _, t := range transactions {
		a[t.ProducerID] = append(a[t.ProducerID], t.FirstOffset)
	}
	return a
}

// hides reports whether the records of the next batch are not for consumers:
// markers of transactions, and what was aborted. A marker ends its producer's
// transaction.
func (a aborts) hides(batch protocol.RecordReader) bool {
	switch b := batch.(type) {
	case *protocol.ControlBatch:
		if starts := a[b.ProducerID]; len(starts) > 0 && starts[0] <= b.BaseOffset {
			a[b.ProducerID] = starts[1:]
		}
		return true
	case *protocol.RecordBatch:
		starts := a[b.ProducerID]
		return b.Attributes.Transactional() && len(starts) > 0 && starts[0] <= b.BaseOffset
	}
	return false
}

// tail follows a partition from an offset, and calls f for each record, until
// ctx is done, f fails, or next (which it calls before each fetch) says that it
// is enough. A broker that is away is waited for if patient; otherwise the
// error is returned once the bus's patience is over.
func (b *Bus) tail(ctx context.Context, p partition, offset int64, patient bool, enough func(next int64) bool, f func(bus.Record) error) error {
	var pause backoff
	lastGood := time.Now()
	var complained time.Time
	for ctx.Err() == nil && !enough(offset) {
		c, err := b.fetch(ctx, p, offset)
		if errors.Is(err, kafka.OffsetOutOfRange) {
			c, err = b.restart(ctx, p, offset)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // stopped, not failed
			}
			late := time.Since(lastGood) > b.config.Patience
			if late && !patient {
				return b.fail("kafka.fetch", err)
			}
			if late && time.Since(complained) > time.Minute {
				b.config.Log.Warn("partition cannot be read: trying again", logPartition(p, err)...)
				complained = time.Now()
			}
			pause.wait(ctx)
			b.refresh()
			continue
		}
		pause.reset()
		lastGood = time.Now()
		for _, r := range c.records {
			if err := f(r); err != nil {
				return err
			}
		}
		offset = c.next
	}
	return nil
}

// restart finds where to go on when the records at the offset are not there any
// more: at the oldest that is kept.
func (b *Bus) restart(ctx context.Context, p partition, offset int64) (chunk, error) {
	first, err := b.offset(ctx, p, kafka.FirstOffset)
	if err == nil {
		b.config.Log.Warn("offset out of range: going on with the oldest record", logOffsets(p, offset, first)...)
	}
	return chunk{next: first}, err
}

// offset returns the first or, for kafka.LastOffset, the next offset of the
// partition.
func (b *Bus) offset(ctx context.Context, p partition, which int64) (int64, error) {
	res, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics:         map[string][]kafka.OffsetRequest{p.topic: {{Partition: p.id, Timestamp: which}}},
		IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return 0, err
	}
	for _, o := range res.Topics[p.topic] {
		switch {
		case o.Partition != p.id:
		case o.Error != nil:
			return 0, o.Error
		case which == kafka.FirstOffset:
			return o.FirstOffset, nil
		default:
			return o.LastOffset, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}
