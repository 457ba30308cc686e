package kafka

import (
	"context"
	"errors"
	"math"
	"net"
	"strconv"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/asfotec/churn/pkg/bus"
)

var _ bus.Inspector = (*Bus)(nil)

// Inspect implements bus.Inspector. It asks by a connection of its own, because
// the client answers from what it has learned, and that is without rights.
func (b *Bus) Inspect(ctx context.Context, topics, groups []string) (bus.Cluster, error) {
	const op = "kafka.Inspect"
	c, err := b.probe(ctx)
	if err != nil {
		return bus.Cluster{}, b.fail(op, err)
	}
	defer c.Close()
	m, err := c.RoundTrip(&metadata.Request{TopicNames: topics, IncludeTopicAuthorizedOperations: true})
	if err != nil {
		return bus.Cluster{}, b.fail(op, err)
	}
	cluster := describe(m.(*metadata.Response))
	cluster.Groups = map[string]bus.Rights{}
	for _, g := range groups {
		if cluster.Groups[g], err = b.group(ctx, g); err != nil {
			return bus.Cluster{}, b.fail(op, err)
		}
	}
	return cluster, nil
}

func describe(m *metadata.Response) bus.Cluster {
	c := bus.Cluster{ID: m.ClusterID, Topics: map[string]bus.Rights{}}
	for _, b := range m.Brokers {
		c.Brokers = append(c.Brokers, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
	}
	for _, t := range m.Topics {
		switch kafka.Error(t.ErrorCode) {
		case 0:
			c.Topics[t.Name] = rights(t.TopicAuthorizedOperations)
		case kafka.TopicAuthorizationFailed: // hidden, whether it is there or not
			c.Topics[t.Name] = bus.Rights{}
		}
	}
	return c
}

// group asks the group's coordinator.
func (b *Bus) group(ctx context.Context, name string) (bus.Rights, error) {
	var rs bus.Rights
	err := b.retry(ctx, "kafka.Inspect", func(ctx context.Context) error {
		m, err := b.transport.RoundTrip(ctx, b.client.Addr, &describegroups.Request{Groups: []string{name}, IncludeAuthorizedOperations: true})
		if err != nil {
			return err
		}
		for _, g := range m.(*describegroups.Response).Groups {
			if g.ErrorCode != 0 && kafka.Error(g.ErrorCode) != kafka.GroupIdNotFound {
				return kafka.Error(g.ErrorCode)
			}
			rs = rights(g.AuthorizedOperations)
		}
		return nil
	})
	if errors.Is(err, kafka.GroupAuthorizationFailed) {
		return bus.Rights{}, nil
	}
	return rs, err
}

// Bits of a set of operations, by Kafka's codes of them.
const (
	opRead     = 1 << 3
	opWrite    = 1 << 4
	opDescribe = 1 << 8
)

// rights reads a set of operations. The least number stands for one that the
// broker did not fill in.
func rights(operations int32) bus.Rights {
	if operations == math.MinInt32 || operations == 0 {
		return bus.Rights{Describe: true, Read: true, Write: true}
	}
	return bus.Rights{Describe: operations&opDescribe != 0, Read: operations&opRead != 0, Write: operations&opWrite != 0}
}
