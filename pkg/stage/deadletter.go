package stage

import (
	"slices"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Headers of a dead letter. Its key, value and other headers are the original's.
const (
	dlqPrefix    = "dlq_"
	dlqTopic     = dlqPrefix + fromTopic
	dlqPartition = dlqPrefix + fromPartition
	dlqOffset    = dlqPrefix + fromOffset
	dlqTime      = dlqPrefix + fromTime
	dlqGroup     = dlqPrefix + "group"
	dlqAttempts  = dlqPrefix + "attempts"
	dlqKind      = dlqPrefix + "kind"
	dlqMessage   = dlqPrefix + "message"
	dlqFirstTime = dlqPrefix + "first_time"
	dlqLastTime  = dlqPrefix + "last_time"
	dlqLeftOut   = dlqPrefix + "left_out"
)

// keepable is the most bytes of an original that a dead letter keeps.
const keepable = wrapped - 64<<10

// deadLetter returns the record that keeps what the group has given up on.
//
// Brokers limit what records take compressed: one can be larger than any topic
// takes it from here. Such an original stays where the headers say it is, so
// that it does not hold up its partition for ever.
func deadLetter(d *delivery, topic, group string, why error, now time.Time) bus.Record {
	r := d.record
	r.Topic, r.Time = topic, now
	if n := event.Size(r); n > keepable {
		r.Key, r.Value, r.Headers = nil, nil, []bus.Header{intHeader(dlqLeftOut, int64(n))}
	}
	r.Headers = slices.Concat(r.Headers, []bus.Header{
		textHeader(dlqTopic, d.record.Topic),
		intHeader(dlqPartition, int64(d.record.Partition)),
		intHeader(dlqOffset, d.record.Offset),
		timeHeader(dlqTime, d.record.Time),
		textHeader(dlqGroup, group),
		intHeader(dlqAttempts, int64(d.attempts)),
		textHeader(dlqKind, churn.KindOf(why).String()),
		textHeader(dlqMessage, message(why)),
		timeHeader(dlqFirstTime, d.first),
		timeHeader(dlqLastTime, now),
	})
	return r
}

// maxMessage bounds an error's text in an event or header, in bytes.
const maxMessage = 4 << 10

// message returns the error's text in valid UTF-8 of a bounded length.
func message(err error) string { return bounded(err.Error()) }

// bounded returns the text in valid UTF-8, cut at maxMessage.
func bounded(text string) string {
	s := strings.ToValidUTF8(text, "\uFFFD")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
