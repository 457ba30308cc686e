package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

// topicRow is one topic of the topology, and its JSON.
type topicRow struct {
	Topic      string          `json:"topic"`
	Type       string          `json:"type,omitempty"`
	Key        churn.Key       `json:"key,omitempty"`
	Partitions int             `json:"partitions"`
	MaxBytes   int             `json:"max_message_bytes,omitempty"` // the broker's default if absent
	Retention  string          `json:"retention"`
	Producers  []churn.Service `json:"producers,omitempty"`
	Consumers  []churn.Service `json:"consumers,omitempty"`
	Doc        string          `json:"doc"`
}

func topicsCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Show every topic: type, key, partitions, retention, who writes and who reads; provision them",
		RunE: func(*cobra.Command, []string) error {
			rows := topicRows(a.config.TopicPrefix)
			return a.print(rows, func(w io.Writer) { topicsTable(w, rows) })
		},
	}
	cmd.AddCommand(topicsPlanCmd(a), topicsApplyCmd(a), topicsVerifyCmd(a))
	return cmd
}

// topicRows returns every topic that the pipeline is provisioned with.
func topicRows(prefix string) []topicRow {
	var rows []topicRow
	for _, s := range churn.Topology {
		rows = append(rows, topicRow{
			Topic: s.Topic.Name(prefix), Type: s.Topic.Type(), Key: s.Key, Partitions: s.Partitions,
			Retention: retention(s), Producers: s.Producers, Consumers: s.Consumers, Doc: s.Doc,
		})
	}
	configured := map[string]bus.TopicConfig{}
	for _, t := range stage.Topics(prefix) {
		configured[t.Name] = t
	}
	for _, s := range stage.Services() {
		for _, t := range []struct {
			topic   churn.Topic
			readers []churn.Service
			doc     string
		}{
			{s.RetryTopic(), []churn.Service{s}, "Records of the " + string(s) + " that wait to be tried again."},
			{s.DeadLetterTopic(), nil, "Records that the " + string(s) + " has given up on, with the reason."},
		} {
			c := configured[t.topic.Name(prefix)]
			rows = append(rows, topicRow{
				Topic: c.Name, Partitions: c.Partitions, MaxBytes: c.MaxBytes, Retention: "for ever",
				Producers: []churn.Service{s}, Consumers: t.readers, Doc: t.doc,
			})
		}
	}
	return rows
}

func retention(s churn.TopicSpec) string {
	switch {
	case s.Compacted:
		return "newest per key"
	case s.Retention == 0:
		return "for ever"
	default:
		return s.Retention.String()
	}
}

func topicsTable(w io.Writer, rows []topicRow) {
	lines := [][]string{}
	for _, r := range rows {
		lines = append(lines, []string{
			r.Topic, string(r.Key), strconv.Itoa(r.Partitions), r.Retention,
			names(r.Producers, "anyone"), names(r.Consumers, "-"), r.Doc,
		})
	}
	table(w, []string{"TOPIC", "KEY", "PARTITIONS", "KEPT", "WRITTEN BY", "READ BY", "WHAT"}, lines)
}

func names(services []churn.Service, none string) string {
	if len(services) == 0 {
		return none
	}
	s := make([]string, len(services))
	for i, service := range services {
		s[i] = string(service)
	}
	return strings.Join(s, ", ")
}

func number(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}
