package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/deadletter"
)

// letterList is what `churnctl dlq list` says, and its JSON.
type letterList struct {
	Groups  []groupRow  `json:"groups"`
	Letters []letterRow `json:"letters,omitempty"` // with --letters
}

// groupRow is the letters of one reason.
type groupRow struct {
	Group   string    `json:"group"`
	Service string    `json:"service"`
	Kind    string    `json:"kind"`
	Reason  string    `json:"reason"`
	Count   int       `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Example string    `json:"example"` // the newest letter
}

func dlqListCmd(a *app) *cobra.Command {
	var f letterFlags
	var each, all bool
	var selection deadletter.Selection
	cmd := &cobra.Command{
		Use:   "list [SERVICE]",
		Short: "List dead letters by reason",
		Long: `List dead letters by reason, the one that came up last first. Letters of one
service and kind of error have one reason if their messages differ in names,
numbers, ids and the like alone; its group is a name for it. With --letters each
letter is listed, too.

Letters that were redriven or dropped are left out but with --all. One that is
"begun" is one that somebody had begun to redrive or drop, and was stopped: look at
its run, and then say --again if nothing has come of it.`,
		Example: `  churnctl dlq list
  churnctl dlq list featurizer --letters
  churnctl dlq list --run 3f2a --all -o json`,
		Args: cobra.MaximumNArgs(1),
		PreRunE: func(_ *cobra.Command, args []string) (err error) {
			selection, err = f.ofService(first(args))
			return err
		},
		RunE: a.with(readOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			groups, letters := deadletter.Groups{}, []letterRow(nil)
			err := p.letters().Each(cmd.Context(), selection.Services(), func(l deadletter.Letter) error {
				if l.State.Settled() && !all || !selection.Matches(l) {
					return nil
				}
				groups.Add(l)
				if each {
					letters = append(letters, rowOf(l))
				}
				return nil
			})
			if err != nil {
				return err
			}
			list := letterList{Groups: groupRows(groups), Letters: letters}
			return a.print(list, func(w io.Writer) { letterTables(w, list) })
		}),
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&each, "letters", false, "list each letter, too")
	cmd.Flags().BoolVar(&all, "all", false, "also those that were redriven or dropped")
	return cmd
}

// first returns the only argument, or "".
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func groupRows(groups deadletter.Groups) []groupRow {
	rows := []groupRow{}
	for _, g := range groups.Sorted() {
		rows = append(rows, groupRow{g.ID(), string(g.Service), g.Kind, g.Text, g.Count, g.First, g.Last, g.Example.String()})
	}
	return rows
}

func letterTables(w io.Writer, list letterList) {
	rows := [][]string{}
	for _, g := range list.Groups {
		rows = append(rows, []string{g.Group, g.Service, g.Kind, strconv.Itoa(g.Count), when(g.First), when(g.Last), g.Example, cut(g.Reason)})
	}
	table(w, []string{"GROUP", "SERVICE", "KIND", "LETTERS", "FIRST", "LAST", "NEWEST", "REASON"}, rows)
	if len(list.Letters) > 0 {
		_, _ = fmt.Fprintln(w)
		lettersTable(w, list.Letters)
	}
}

func lettersTable(w io.Writer, letters []letterRow) {
	rows := [][]string{}
	for _, l := range letters {
		rows = append(rows, []string{l.Letter, l.Group, l.Run, when(l.Last), string(l.State), cut(l.Message)})
	}
	table(w, []string{"LETTER", "GROUP", "RUN", "WHEN", "STATE", "MESSAGE"}, rows)
}
