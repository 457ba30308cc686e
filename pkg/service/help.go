package service

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
)

const help = `Usage: %[1]s [flags]

The %[1]s of the churn pipeline: it reads %[2]s
and answers on %[3]s.
It runs until SIGTERM. Start as many as you like: they share the partitions.

Flags:
%[4]s
Environment, overruled by flags; the file .env is overruled by both:
%[5]s
Exit codes: 0 stopped or checked, 1 failed, 2 wrong command line or configuration.
`

func helpText(s churn.Service, flags *pflag.FlagSet) string {
	return fmt.Sprintf(help, s, topics(s, consumers), topics(s, producers), flags.FlagUsages(), config.Help())
}

func consumers(t churn.TopicSpec) []churn.Service { return t.Consumers }
func producers(t churn.TopicSpec) []churn.Service { return t.Producers }

// topics names the topics that the service has the role in.
func topics(s churn.Service, role func(churn.TopicSpec) []churn.Service) string {
	var names []string
	for _, t := range churn.Topology {
		if slices.Contains(role(t), s) {
			names = append(names, string(t.Topic))
		}
	}
	return strings.Join(names, ", ")
}
