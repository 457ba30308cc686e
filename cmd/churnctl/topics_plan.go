package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

const topicsHelp = `

The replicas are KAFKA_REPLICATION_FACTOR; where that is 0 they are the brokers'
choice, and so is min.insync.replicas. What is set of a topic beside partitions,
replicas, cleanup policy, retention, min.insync.replicas and max.message.bytes is
left alone.`

// wantedFlags are what the topology leaves to whoever runs the cluster.
type wantedFlags struct {
	partitions map[string]int
	minInSync  int
	grow       bool
}

func (f *wantedFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringToIntVar(&f.partitions, "partitions", nil, "other numbers of partitions than the topology's, as TOPIC=N,...")
	cmd.Flags().IntVar(&f.minInSync, "min-insync", 0, "min.insync.replicas (0: one less than KAFKA_REPLICATION_FACTOR, at least 1)")
	cmd.Flags().BoolVar(&f.grow, "grow", false, "let partitions be added: a key's new records may then be seen before its older ones")
}

// wanted returns how the topics are to be.
func (f *wantedFlags) wanted(prefix string, replicas int) (bus.Wanted, error) {
	w := bus.Wanted{Topics: stage.Topics(prefix), MinInSync: f.minInSync, Grow: f.grow}
	if f.minInSync < 0 || replicas > 0 && f.minInSync > replicas {
		return w, usageErrorf("--min-insync %d: it is from 1 to KAFKA_REPLICATION_FACTOR, or 0", f.minInSync)
	}
	for _, name := range slices.Sorted(maps.Keys(f.partitions)) {
		n, full := f.partitions[name], churn.Topic(strings.TrimPrefix(name, prefix)).Name(prefix)
		i := slices.IndexFunc(w.Topics, func(t bus.TopicConfig) bool { return t.Name == full })
		switch {
		case i < 0:
			return w, usageErrorf("--partitions: there is no topic %s; `churnctl topics` lists them", full)
		case n < 1 || n > maxPartitions:
			return w, usageErrorf("--partitions %s=%d: it is from 1 to %d", name, n, maxPartitions)
		case n > 1 && w.Topics[i].Partitions == 1:
			return w, usageErrorf("--partitions %s=%d: the order of all its records counts, so that it has one", name, n)
		}
		w.Topics[i].Partitions = n
	}
	return w, nil
}

// maxPartitions of one topic: what is beyond is a slip.
const maxPartitions = 10_000

func topicsPlanCmd(a *app) *cobra.Command {
	return a.topicsVerb(&cobra.Command{
		Use:   "plan",
		Short: "Show what is not as the topology says, and what apply would do about it",
		Long:  "Compare the cluster's topics with the topology, and show what `churnctl topics apply`\nwould change, and what it would refuse to change, and why. Nothing is changed." + topicsHelp,
	}, func(_ context.Context, _ bus.Provisioner, _ bus.Wanted, plan []bus.Change) error {
		return a.showChanges(plan, "safe")
	})
}

func topicsApplyCmd(a *app) *cobra.Command {
	return a.topicsVerb(&cobra.Command{
		Use:   "apply",
		Short: "Make the topics as the topology says, as far as nothing is lost by it",
		Long: `Make the topics that are missing, and change those that are not as the topology
says. What would lose records, or the order of a key's, is not changed: it is
shown with the reason and what to do by hand, and the exit code is 1.` + topicsHelp,
		Example: `  KAFKA_REPLICATION_FACTOR=3 churnctl topics apply
  churnctl topics apply --partitions features-ready=24 --grow`,
	}, func(ctx context.Context, p bus.Provisioner, w bus.Wanted, plan []bus.Change) error {
		if err := p.ApplyTopics(ctx, w, plan); err != nil {
			return err
		}
		if err := a.showChanges(plan, "done"); err != nil {
			return err
		}
		if n := refused(plan); n > 0 {
			return fmt.Errorf("%d of %d changes are not made", n, len(plan))
		}
		return nil
	})
}

func topicsVerifyCmd(a *app) *cobra.Command {
	return a.topicsVerb(&cobra.Command{
		Use:   "verify",
		Short: "Fail if a topic is not as the topology says",
		Long:  "Compare the cluster's topics with the topology. The exit code is 1 if anything is\nother." + topicsHelp,
	}, func(_ context.Context, _ bus.Provisioner, _ bus.Wanted, plan []bus.Change) error {
		if err := a.showChanges(plan, "safe"); err != nil {
			return err
		}
		if len(plan) > 0 {
			return fmt.Errorf("%d settings are not as the topology says: `churnctl topics apply` makes those that are safe to make", len(plan))
		}
		return nil
	})
}

// topicsVerb completes a command that does something about a plan.
func (a *app) topicsVerb(cmd *cobra.Command, do func(context.Context, bus.Provisioner, bus.Wanted, []bus.Change) error) *cobra.Command {
	var flags wantedFlags
	flags.add(cmd)
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		w, err := flags.wanted(a.config.TopicPrefix, a.config.Kafka.ReplicationFactor)
		if err != nil {
			return err
		}
		return a.provisioner(cmd.Context(), func(ctx context.Context, p bus.Provisioner) error {
			plan, err := p.PlanTopics(ctx, w)
			if err != nil {
				return err
			}
			return do(ctx, p, w, plan)
		})
	}
	return cmd
}

// refused returns how many of the changes are not made.
func refused(plan []bus.Change) (n int) {
	for _, c := range plan {
		if c.Refused != "" {
			n++
		}
	}
	return n
}

// showChanges shows a plan; of the changes that are not refused it says what they
// are: safe, or done.
func (a *app) showChanges(plan []bus.Change, are string) error {
	return a.print(plan, func(w io.Writer) { changesTable(w, plan, are) })
}

func changesTable(w io.Writer, plan []bus.Change, are string) {
	if len(plan) == 0 {
		_, _ = fmt.Fprintln(w, "Every topic is as the topology says.")
		return
	}
	var rows [][]string
	for _, c := range plan {
		verdict := are
		if c.Refused != "" {
			verdict = "REFUSED"
		}
		rows = append(rows, []string{c.Topic, c.Setting, cmp.Or(c.Is, "missing"), c.Want, verdict})
	}
	table(w, []string{"TOPIC", "SETTING", "IS", "WANT", ""}, rows)
	for _, r := range refusals(plan) {
		_, _ = fmt.Fprintf(w, "\nREFUSED: %s: %s:\n  %s\n", r.setting, strings.Join(r.topics, ", "), r.why)
	}
}

// refusal is a reason for which a setting of some topics is not changed.
type refusal struct {
	setting, why string
	topics       []string
}

// refusals returns each reason once, in the order of the plan.
func refusals(plan []bus.Change) (all []refusal) {
	for _, c := range plan {
		if c.Refused == "" {
			continue
		}
		i := slices.IndexFunc(all, func(r refusal) bool { return r.setting == c.Setting && r.why == c.Refused })
		if i < 0 {
			i, all = len(all), append(all, refusal{setting: c.Setting, why: c.Refused})
		}
		all[i].topics = append(all[i].topics, c.Topic)
	}
	return all
}
