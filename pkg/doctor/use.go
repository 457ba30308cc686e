package doctor

import (
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

// Client stands for programs that publish requests and read the log: churnctl.
const Client churn.Service = "client"

// Use is what a service does with topics and groups: the rights that it needs.
type Use struct {
	Topics map[string]bus.Rights
	Groups map[string]bus.Rights
}

// UseOf returns what the service does with the topics of the prefix.
func UseOf(s churn.Service, prefix string) Use {
	u := Use{Topics: map[string]bus.Rights{}, Groups: map[string]bus.Rights{}}
	for _, t := range churn.Topology {
		r := bus.Rights{Read: slices.Contains(t.Consumers, s), Write: slices.Contains(t.Producers, s)}
		if s == Client {
			r = bus.Rights{Read: true, Write: len(t.Producers) == 0}
		}
		if r.Read || r.Write {
			u.Topics[t.Topic.Name(prefix)] = r
		}
	}
	for _, of := range stage.Services() {
		retry, dead := of.RetryTopic().Name(prefix), of.DeadLetterTopic().Name(prefix)
		switch s {
		case of:
			u.Topics[retry], u.Topics[dead] = bus.Rights{Read: true, Write: true}, bus.Rights{Write: true}
			u.Groups[stage.Group(s, prefix)] = bus.Rights{Read: true}
		case Client:
			u.Topics[dead] = bus.Rights{Read: true}
		}
	}
	return u
}

// TopicsOf returns how the topics that the services use are made.
func TopicsOf(prefix string, services ...churn.Service) []bus.TopicConfig {
	used := map[string]bool{}
	for _, s := range services {
		for t := range UseOf(s, prefix).Topics {
			used[t] = true
		}
	}
	return slices.DeleteFunc(stage.Topics(prefix), func(t bus.TopicConfig) bool { return !used[t.Name] })
}

// names returns what is in there, in their order, as text.
func names(all []string) string {
	slices.Sort(all)
	return strings.Join(all, ", ")
}
