package stage

import (
	"context"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/asfotec/churn/pkg/bus"
)

// delivery is a record with what is known of earlier attempts at it.
type delivery struct {
	record   bus.Record // as it was read first: without what a retry added
	attempts int        // made at it so far
	rounds   int        // how often it was in the retry topic
	first    time.Time  // when it failed first
	due      time.Time  // not to be tried before
	redriven bool       // it was a dead letter, and someone has it tried anew
	since    time.Time  // when that was

	span trace.SpanContext // in which it is handled, if it is traced
}

// Headers that a retry adds to a record. Like a dead letter's they say where the
// record is from, and when. A dead letter that is copied to the retry topic of
// its group is tried anew by that group alone.
const (
	retryPrefix    = "retry_"
	retryTopic     = retryPrefix + fromTopic
	retryPartition = retryPrefix + fromPartition
	retryOffset    = retryPrefix + fromOffset
	retryTime      = retryPrefix + fromTime
	retryAttempts  = retryPrefix + "attempts"
	retryRounds    = retryPrefix + "rounds"
	retryFirst     = retryPrefix + "first_time"
	retryNotBefore = retryPrefix + "not_before"
)

// What a record in the retry or dead-letter topic says of the original.
const (
	fromTopic     = "topic"
	fromPartition = "partition"
	fromOffset    = "offset"
	fromTime      = "time"
)

// added are the headers that are no part of the original.
var added = []string{
	retryTopic, retryPartition, retryOffset, retryTime, retryAttempts, retryRounds, retryFirst, retryNotBefore,
	dlqTopic, dlqPartition, dlqOffset, dlqTime, dlqGroup, dlqAttempts, dlqKind, dlqMessage, dlqFirstTime, dlqLastTime, dlqLeftOut,
}

// longestTopic is Kafka's limit on a topic's name.
const longestTopic = 249

// arrival returns the delivery of a record of a stage's own topics.
func arrival(r bus.Record) *delivery { return &delivery{record: r} }

// comeback returns the delivery of a record of the retry topic. Headers that
// make no sense count as not there.
func comeback(r bus.Record) *delivery {
	h := headerMap(r.Headers)
	d := &delivery{record: r}
	from := retryPrefix
	if h[retryTopic] == "" {
		from, d.redriven, d.since = dlqPrefix, h[dlqTopic] != "", r.Time
	}
	if topic := h[from+fromTopic]; topic != "" && len(topic) <= longestTopic {
		d.record.Topic = topic
		d.record.Partition = int(parseCount(h[from+fromPartition], 32))
		d.record.Offset = parseCount(h[from+fromOffset], 64)
	}
	if t := parseTime(h[from+fromTime]); !t.IsZero() {
		d.record.Time = t
	}
	d.record.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h bus.Header) bool {
		return slices.Contains(added, h.Key)
	})
	d.attempts = int(parseCount(h[retryAttempts], 31))
	d.rounds = int(parseCount(h[retryRounds], 31))
	d.first = parseTime(h[retryFirst])
	d.due = parseTime(h[retryNotBefore])
	return d
}

// byHand reports whether there is no record: a stage handles an event without a
// broker.
func (d *delivery) byHand() bool { return d.record.Topic == "" }

// again returns the record that tries d once more, not before due. Brokers
// refuse some timestamps, so it has that of now.
func (d *delivery) again(topic string, now, due time.Time) bus.Record {
	r := d.record
	r.Topic, r.Time = topic, now
	r.Headers = slices.Concat(r.Headers, []bus.Header{
		textHeader(retryTopic, d.record.Topic),
		intHeader(retryPartition, int64(d.record.Partition)),
		intHeader(retryOffset, d.record.Offset),
		timeHeader(retryTime, d.record.Time),
		intHeader(retryAttempts, int64(d.attempts)),
		intHeader(retryRounds, int64(d.rounds+1)),
		timeHeader(retryFirst, d.first),
		timeHeader(retryNotBefore, due),
	})
	return r
}

// Recorded returns when the event that is being handled was written to the log,
// or, if it was a dead letter, when someone had it tried anew. It is zero where
// there is no broker.
func Recorded(ctx context.Context) time.Time {
	d := deliveryFrom(ctx)
	if d.redriven {
		return d.since
	}
	return d.record.Time
}

// failed notes an attempt that failed.
func (d *delivery) failed(now time.Time) {
	d.attempts++
	if d.first.IsZero() {
		d.first = now
	}
}

type deliveryKey struct{}

func withDelivery(ctx context.Context, d *delivery) context.Context {
	return context.WithValue(ctx, deliveryKey{}, d)
}

// deliveryFrom returns the delivery that ctx belongs to; a new one where a
// handler runs without a broker.
func deliveryFrom(ctx context.Context) *delivery {
	if d, ok := ctx.Value(deliveryKey{}).(*delivery); ok {
		return d
	}
	return &delivery{}
}

func textHeader(key, value string) bus.Header {
	return bus.Header{Key: key, Value: []byte(value)}
}

func intHeader(key string, n int64) bus.Header {
	return textHeader(key, strconv.FormatInt(n, 10))
}

func timeHeader(key string, t time.Time) bus.Header {
	return textHeader(key, t.UTC().Format(time.RFC3339Nano))
}

// headerMap returns the headers by key; of repeated ones the last.
func headerMap(headers []bus.Header) map[string]string {
	m := make(map[string]string, len(headers))
	for _, h := range headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// parseCount is 0 for what is not a number from 0 on that fits into the bits.
func parseCount(s string, bits int) int64 {
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
