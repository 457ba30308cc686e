package doctor

import (
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

// TopicsOf returns how the topics that the services use are made.
func TopicsOf(prefix string, services ...churn.Service) []bus.TopicConfig {
	used := map[string]bool{}
	for _, s := range services {
		for _, a := range s.Permissions().Topics {
			used[a.Topic.Name(prefix)] = true
		}
	}
	return slices.DeleteFunc(stage.Topics(prefix), func(t bus.TopicConfig) bool { return !used[t.Name] })
}

// names returns what is in there, in their order, as text.
func names(all []string) string {
	slices.Sort(all)
	return strings.Join(all, ", ")
}
