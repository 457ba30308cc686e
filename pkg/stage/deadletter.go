package stage

import (
	"slices"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// Headers of a dead letter. Its key, value and other headers are the original's.
const (
	dlqPrefix    = "dlq_"
	dlqTopic     = dlqPrefix + "topic"
	dlqPartition = dlqPrefix + "partition"
	dlqOffset    = dlqPrefix + "offset"
	dlqGroup     = dlqPrefix + "group"
	dlqAttempts  = dlqPrefix + "attempts"
	dlqKind      = dlqPrefix + "kind"
	dlqMessage   = dlqPrefix + "message"
	dlqFirstTime = dlqPrefix + "first_time"
	dlqLastTime  = dlqPrefix + "last_time"
)

// deadLetter returns the record that keeps what the group has given up on.
func deadLetter(d *delivery, topic, group string, why error, now time.Time) bus.Record {
	r := d.record
	r.Topic, r.Time = topic, now
	r.Headers = slices.Concat(r.Headers, []bus.Header{
		textHeader(dlqTopic, d.record.Topic),
		intHeader(dlqPartition, int64(d.record.Partition)),
		intHeader(dlqOffset, d.record.Offset),
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
func message(err error) string {
	s := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
