// Package kafka is the bus on Apache Kafka, or on anything that speaks its
// protocol, by segmentio/kafka-go.
//
// Every hop is at least once. kafka-go writes without a producer id, so a
// record whose acknowledgement was lost is written again; and a record is
// delivered again unless its offset was committed. Consumption is by
// ConsumerGroup and Generation rather than by a Reader with a group, because
// only the former's commits carry the generation and so are fenced: a member
// that lost a partition cannot move the group's offset back.
package kafka

import (
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// Config says how to reach the brokers. Zero fields take the defaults noted.
type Config struct {
	Brokers  []string       // host:port of some of them (KAFKA_BROKERS)
	ClientID string         // shown in the broker's logs and quotas; default "churn"
	TLS      *tls.Config    // nil: no TLS
	SASL     sasl.Mechanism // nil: no authentication

	// ReplicationFactor of topics that Ensure creates; 0 takes the broker's
	// default. min.insync.replicas is set to one less, and to 1 at least.
	ReplicationFactor int

	// SessionTimeout after which the group gives the partitions of a member
	// that was killed to others. Default 10 s; Kafka's own least is 6 s.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for a member to join again.
	// Default SessionTimeout: members join while their handlers go on, at once, so
	// that one that takes as long is dead.
	RebalanceTimeout time.Duration
	// Heartbeat is how often a member asks whether the group has changed, and so
	// how soon it takes part in a rebalance. Default 250 ms.
	Heartbeat time.Duration
	// PartitionWatch is how often new topics and partitions are looked for. Errors
	// that hint at a change have them looked for at once. Default 5 s.
	PartitionWatch time.Duration
	// Patience is how long a call other than Subscribe and a following Read
	// tries to reach a broker, or waits for a new topic to be known, before it
	// returns an error. Default 10 s.
	Patience time.Duration

	Log *zap.Logger // nil: nothing is logged
}

func (c Config) withDefaults() Config {
	if c.ClientID == "" {
		c.ClientID = "churn"
	}
	setDefault(&c.SessionTimeout, 10*time.Second)
	setDefault(&c.RebalanceTimeout, c.SessionTimeout)
	setDefault(&c.Heartbeat, 250*time.Millisecond)
	setDefault(&c.PartitionWatch, 5*time.Second)
	setDefault(&c.Patience, 10*time.Second)
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

func (c Config) validate() error {
	const op = "kafka.New"
	if len(c.Brokers) == 0 {
		return churn.Errorf(op, churn.Invalid, "KAFKA_BROKERS must name at least one host:port")
	}
	for _, b := range c.Brokers {
		_, port, err := net.SplitHostPort(b)
		if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n == 0 {
			return churn.Errorf(op, churn.Invalid, "KAFKA_BROKERS: %q is not host:port", b)
		}
	}
	return nil
}

// requestTimeout bounds one request to a broker that is there.
const requestTimeout = 10 * time.Second

// Bus is a bus.Bus. It is safe for concurrent use.
type Bus struct {
	config    Config
	transport *kafka.Transport
	client    *kafka.Client
	dialer    *kafka.Dialer
	balancer  spread
	seen      sync.Map // topics that were there
}

var _ bus.Bus = (*Bus)(nil)

// New returns the bus. It does not connect; see Ping.
func New(c Config) (*Bus, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	dial := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	t := &kafka.Transport{
		Dial:        dial.DialContext,
		DialTimeout: 5 * time.Second,
		MetadataTTL: c.PartitionWatch,
		ClientID:    c.ClientID,
		TLS:         c.TLS,
		SASL:        c.SASL,
	}
	return &Bus{
		config:    c,
		transport: t,
		client:    &kafka.Client{Addr: kafka.TCP(c.Brokers...), Timeout: requestTimeout, Transport: t},
		dialer: &kafka.Dialer{
			ClientID:      c.ClientID,
			Timeout:       5 * time.Second,
			DualStack:     true,
			TLS:           c.TLS,
			SASLMechanism: c.SASL,
		},
	}, nil
}

// Close closes the idle connections. Calls in flight go on.
func (b *Bus) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// refresh forgets what is known of topics and leaders, so that the next request
// asks a broker. kafka-go offers no other way than to begin with a new pool.
func (b *Bus) refresh() { b.transport.CloseIdleConnections() }
