// Package bus is what the pipeline needs of a log of records: publish,
// consume in a group, read from a position, provision.
package bus

import (
	"context"
	"time"
)

// Record is one record of a topic. Topic is the name on the broker, prefix
// included.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time
}

// Header is one header of a record. Keys may repeat; order is kept.
type Header struct {
	Key   string
	Value []byte
}

// Publisher appends records.
type Publisher interface {
	// Publish returns nil only when every in-sync replica has acknowledged
	// every record. After an error any of them may have been written: publish
	// again. The partition follows from the key: murmur2, as Kafka's own
	// producers do; but records whose keys differ in a number behind the last
	// slash go round the partitions. Errors are of kind Transient, or Invalid
	// (record too large, unknown topic).
	Publish(ctx context.Context, records ...Record) error
}

// Handle processes one record. Returning nil allows its offset to be
// committed.
type Handle func(ctx context.Context, r Record) error

// Subscriber consumes in a group.
type Subscriber interface {
	// Subscribe joins the group and calls handle for each record of the topics:
	// in order within a partition, at most concurrency partitions at once.
	// A record's offset is committed, with the generation's fence, only after
	// handle returned nil. It returns nil when ctx is done, after the handlers
	// in flight have ended and the group is left; otherwise the first error of
	// a handler, whose record will be delivered again. A broker that is away is
	// waited for, not an error. When a partition has gone to another member, its
	// handler's context is cancelled; of one that stays, the handler goes on while
	// the group changes.
	Subscribe(ctx context.Context, group string, topics []string, concurrency int, handle Handle) error
}

// Reader reads a topic without a group.
type Reader interface {
	// Read calls handle for each record of every partition of the topic, in
	// order within a partition, never two at once, beginning at from. With
	// follow it goes on with new records until ctx is done (then it returns nil)
	// or handle fails; without, it returns nil at the end offsets seen at the
	// start of the call.
	Read(ctx context.Context, topic string, from Position, follow bool, handle Handle) error

	// End returns the position after the newest record of each partition.
	End(ctx context.Context, topic string) (Position, error)
}

// Position is the next offset to read of each partition. A partition that is
// not in it is read from its oldest record; nil is the beginning of the topic.
type Position map[int]int64

// TopicConfig is what a topic is created with.
type TopicConfig struct {
	Name       string
	Partitions int
	Retention  time.Duration // 0: for ever
	Compacted  bool
	MaxBytes   int // largest record; 0: the broker's default, about 1 MiB
}

// Admin provisions topics.
type Admin interface {
	// Ensure creates the topics that are missing, and returns when every
	// partition has a leader. Existing topics are left as they are.
	Ensure(ctx context.Context, topics ...TopicConfig) error
	// Topics lists the names of existing topics.
	Topics(ctx context.Context) ([]string, error)
	// Ping returns nil if the broker answers.
	Ping(ctx context.Context) error
}

// Bus is all of it.
type Bus interface {
	Publisher
	Subscriber
	Reader
	Admin
	Close() error
}
