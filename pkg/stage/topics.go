package stage

import (
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// wrapped is the most bytes of a record with the headers of a retry or a dead
// letter around it: whatever was read can be put aside.
const wrapped = 4 * event.MaxSize

// Topics returns every topic that the pipeline is provisioned with: those of the
// topology, and for each service that consumes one its retry and dead-letter
// topics.
func Topics(prefix string) []bus.TopicConfig {
	var topics []bus.TopicConfig
	for _, s := range churn.Topology {
		topics = append(topics, bus.TopicConfig{
			Name: s.Topic.Name(prefix), Partitions: s.Partitions, Retention: s.Retention, Compacted: s.Compacted,
		})
	}
	for _, s := range Services() {
		for _, t := range []churn.Topic{s.RetryTopic(), s.DeadLetterTopic()} {
			// One partition: what waits in a retry topic is in the order in which
			// it comes due.
			topics = append(topics, bus.TopicConfig{Name: t.Name(prefix), Partitions: 1, MaxBytes: wrapped})
		}
	}
	return topics
}

// Services returns the services that run stages, in the order of a run.
func Services() []churn.Service { return churn.Stages() }

// Group returns the name of the service's consumer group.
func Group(s churn.Service, prefix string) string { return prefix + string(s) }
