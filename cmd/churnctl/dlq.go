package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/deadletter"
)

const dlqHelp = `A dead letter is a record that a service has given up on: it cannot be read, what it
asks for is wrong or missing, or its attempts were spent. Its run has failed, and
the record is kept as it came, with the reason beside it.

  churnctl dlq list                             the reasons, and how many letters each has
  churnctl dlq list --group 9c1f03aa --letters  its letters
  churnctl dlq show featurizer/0/12             one letter: what it is, why, what to do
  churnctl dlq redrive --group 9c1f03aa         once it is mended: try its letters anew
  churnctl dlq drop featurizer/0/12 --reason 'asked for a file that never was'

A redriven letter is handled by the service that gave up on it and by no other, at
once, as if it had come for the first time; a run that had failed goes on and ends
as what it becomes. What was finished before is found and not done again.

A log cannot forget one record: what was done with a letter, by whom and why, is
noted in the bucket, below dlq/. ` + "`list`" + ` hides letters that are redriven or dropped,
and nothing is done twice with one unless you say --again. docs/dead-letters.md is
the guide.`

func dlqCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Records that services gave up on: list, show, redrive, drop",
		Long:  dlqHelp,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(dlqListCmd(a), dlqShowCmd(a), dlqRedriveCmd(a), dlqDropCmd(a))
	return cmd
}

// letters returns the dead letters of the pipeline.
func (p *parts) letters() *deadletter.Box { return deadletter.NewBox(p.bus, p.Store, p.prefix) }

// letterFlags say which letters are meant.
type letterFlags struct{ run, group string }

func (f *letterFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.run, "run", "", "those of this run (an id or the start of one)")
	cmd.Flags().StringVar(&f.group, "group", "", "those of this reason (a group of `churnctl dlq list`, or the start of one)")
}

// ofService returns the selection of the service's letters.
func (f *letterFlags) ofService(name string) (deadletter.Selection, error) {
	s := churn.Service(name)
	if name != "" && !slices.Contains(churn.Stages(), s) {
		return deadletter.Selection{}, usageErrorf("there is no service %q with dead letters: it is one of %s", name, serviceNames())
	}
	return deadletter.Selection{Service: s, Run: f.run, Reason: f.group}, nil
}

func serviceNames() string {
	var names []string
	for _, s := range churn.Stages() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// letterRow is one dead letter in a list, and its JSON.
type letterRow struct {
	Letter   string           `json:"letter"`
	Group    string           `json:"group"`
	Run      string           `json:"run"`   // empty if it cannot be told
	Event    string           `json:"event"` // the id; likewise
	Type     string           `json:"type"`  // likewise
	Kind     string           `json:"kind"`
	Message  string           `json:"message"`
	Attempts int              `json:"attempts"`
	First    time.Time        `json:"first"`
	Last     time.Time        `json:"last"`
	State    deadletter.State `json:"state"`

	id deadletter.ID
}

func rowOf(l deadletter.Letter) letterRow {
	return letterRow{
		Letter: l.ID.String(), Group: deadletter.ReasonOf(l).ID(), Run: l.Run(), Event: l.Event.ID, Type: l.Event.Type,
		Kind: deadletter.Plain(l.Kind), Message: deadletter.Plain(l.Message), Attempts: l.Attempts, First: l.First, Last: l.Last,
		State: l.State, id: l.ID,
	}
}

// oneRun returns an error if the letters, chosen by the start of a run's id, are of
// more than one run.
func (f *letterFlags) oneRun(rows []letterRow) error {
	for _, r := range rows {
		if f.run != "" && r.Run != rows[0].Run {
			return usageErrorf("more than one run starts with %q: give more of the id", f.run)
		}
	}
	return nil
}

// widest is how many characters of a text a table shows.
const widest = 160

// cut shortens a text for a table.
func cut(text string) string {
	if runes := []rune(text); len(runes) > widest {
		return string(runes[:widest-1]) + "…"
	}
	return text
}

// letterID reads the name of a letter from the command line.
func letterID(text string) (deadletter.ID, error) {
	id, err := deadletter.ParseID(text)
	if err != nil {
		return id, &exitErr{exitUsage, fmt.Errorf("%w; `churnctl dlq list --letters` lists them", err)}
	}
	return id, nil
}
