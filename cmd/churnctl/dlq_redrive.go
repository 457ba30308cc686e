package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/deadletter"
)

// settleFlags are those of the verbs that do something with letters.
type settleFlags struct {
	letterFlags
	who                personFlags
	all, again, dryRun bool
}

func (f *settleFlags) add(cmd *cobra.Command, verb string) {
	f.letterFlags.add(cmd)
	f.who.add(cmd)
	fs := cmd.Flags()
	fs.BoolVar(&f.all, "all", false, "all letters of the SERVICE that is named")
	fs.BoolVar(&f.again, "again", false, "also letters that were redriven or dropped before, or begun to be")
	fs.BoolVar(&f.dryRun, "dry-run", false, "show which letters it would "+verb+", and do nothing")
}

// selection returns which letters the command line names. All of a service's are
// never meant by accident.
func (f *settleFlags) selection(args []string) (deadletter.Selection, error) {
	if f.all {
		if len(args) != 1 || strings.Contains(args[0], "/") {
			return deadletter.Selection{}, usageErrorf("--all is for all letters of one service: name it, one of %s", serviceNames())
		}
		return f.ofService(args[0])
	}
	s := deadletter.Selection{Run: f.run, Reason: f.group}
	for _, arg := range args {
		if slices.Contains(churn.Stages(), churn.Service(arg)) {
			return s, usageErrorf("%s is a service: say --all if you mean all of its letters", arg)
		}
		id, err := letterID(arg)
		if err != nil {
			return s, err
		}
		s.IDs = append(s.IDs, id)
	}
	if len(args) == 0 && f.run == "" && f.group == "" {
		return s, usageErrorf("which letters? Name them, or say --run, --group or SERVICE --all; `churnctl dlq list` shows what there is")
	}
	return s, nil
}

// letterResult is what was done with a letter, and its JSON.
type letterResult struct {
	letterRow
	Result string `json:"result"` // redriven, dropped, "would be …", or skipped
	Why    string `json:"why,omitempty"`
}

const skipped = "skipped"

// settle is what a verb does with a letter.
type settle func(*deadletter.Box, context.Context, deadletter.Letter, deadletter.Mark, bool) error

func dlqRedriveCmd(a *app) *cobra.Command {
	var f settleFlags
	cmd := &cobra.Command{
		Use:   "redrive LETTER... | --run RUN | --group GROUP | SERVICE --all",
		Short: "Have dead letters tried anew, once what was wrong is mended",
		Long: `Put dead letters back, so that the service that gave up on them tries them anew, at
once; no other service sees them. Their runs go on where they had stopped, and end
as what they become: ` + "`churnctl show RUN`" + ` tells. What fails again is a new dead letter.

Mend first what the letters say; ` + "`churnctl dlq show LETTER`" + ` helps. A letter whose
original was too large to be kept cannot be put back and is skipped, and so is one
that somebody else is just doing something with.

Exit codes: 0 all of them were put back, 1 some were not, 2 there are none.`,
		Example: `  churnctl dlq redrive featurizer/0/12
  churnctl dlq redrive --group 9c1f03aa --dry-run
  churnctl dlq redrive --run 3f2a
  churnctl dlq redrive trainer --all --reason 'release 1.4.2 runs'`,
		RunE: a.settleVerb(&f, deadletter.Redriven, (*deadletter.Box).Redrive),
	}
	f.add(cmd, "redrive")
	cmd.Flags().Lookup("reason").Usage = "why, for people to read: what was mended"
	return cmd
}

func dlqDropCmd(a *app) *cobra.Command {
	var f settleFlags
	cmd := &cobra.Command{
		Use:   "drop LETTER... | --run RUN | --group GROUP | SERVICE --all --reason TEXT",
		Short: "Note that nothing will come of dead letters",
		Long: `Note that nothing will come of dead letters, so that ` + "`churnctl dlq list`" + ` shows them no
longer. Their runs stay as they are, and the records stay in the log: --again has a
dropped letter redriven all the same.

Exit codes: 0 all of them were dropped, 1 some were not, 2 there are none.`,
		Example: `  churnctl dlq drop featurizer/0/12 --reason 'asked for a file that never was'
  churnctl dlq drop --group 9c1f03aa --reason 'a test of the alerts'`,
		PreRunE: func(*cobra.Command, []string) error { return f.who.check() },
		RunE:    a.settleVerb(&f, deadletter.Dropped, (*deadletter.Box).Drop),
	}
	f.add(cmd, "drop")
	return cmd
}

// settleVerb is what a verb runs that does something with letters.
func (a *app) settleVerb(f *settleFlags, what deadletter.State, do settle) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		selection, err := f.selection(args) // before anything is opened
		if err != nil {
			return err
		}
		if err := f.who.named(); err != nil {
			return err
		}
		return a.with(storeOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			return a.settle(cmd.Context(), p, f, selection, what, do)
		})(cmd, args)
	}
}

func (a *app) settle(ctx context.Context, p *parts, f *settleFlags, selection deadletter.Selection, what deadletter.State, do settle) error {
	meant, err := f.meant(ctx, p, selection)
	if err != nil {
		return err
	}
	results, err := f.settleAll(ctx, p, meant, what, do)
	if printErr := a.print(results, func(w io.Writer) { resultsTable(w, results) }); printErr != nil || err != nil {
		return errors.Join(err, printErr)
	}
	if what == deadletter.Redriven && !f.dryRun && p.stack != nil {
		a.say("\nNo services are running here: `churnctl up` or the next `churnctl retrain` tries them.")
	}
	if left := slices.IndexFunc(results, func(r letterResult) bool { return r.Result == skipped }); left >= 0 {
		return fmt.Errorf("skipped %s: %s", results[left].Letter, results[left].Why)
	}
	return nil
}

// meant returns the letters that the command is for.
func (f *settleFlags) meant(ctx context.Context, p *parts, selection deadletter.Selection) ([]letterRow, error) {
	var rows []letterRow
	err := p.letters().Each(ctx, selection.Services(), func(l deadletter.Letter) error {
		named := len(selection.IDs) > 0
		if selection.Matches(l) && (named || f.again || !l.State.Settled()) {
			rows = append(rows, rowOf(l))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range selection.IDs {
		if !slices.ContainsFunc(rows, func(r letterRow) bool { return r.id == id }) {
			return nil, usageErrorf("there is no such dead letter: %s; `churnctl dlq list --letters --all` lists them", id)
		}
	}
	if len(rows) == 0 {
		return nil, usageErrorf("there are no such dead letters to do anything with; `churnctl dlq list --all` lists what there is")
	}
	return rows, f.oneRun(rows)
}

// settleAll does it with each letter. They are read once more, so that only one
// letter's bytes are in memory at a time. The first error that another letter would
// meet as well ends it.
func (f *settleFlags) settleAll(ctx context.Context, p *parts, meant []letterRow, what deadletter.State, do settle) ([]letterResult, error) {
	left := map[deadletter.ID]bool{}
	for _, r := range meant {
		left[r.id] = true
	}
	results := []letterResult{}
	box := p.letters()
	err := box.Each(ctx, servicesOf(meant), func(l deadletter.Letter) error {
		if !left[l.ID] {
			return nil
		}
		if f.dryRun {
			results = append(results, f.would(l, what))
			return nil
		}
		err := do(box, ctx, l, deadletter.Mark{By: f.who.by, Reason: f.who.reason, At: time.Now().UTC()}, f.again)
		result := letterResult{letterRow: rowOf(l), Result: string(what)}
		result.State = what
		if churn.IsKind(err, churn.Conflict) || churn.IsKind(err, churn.Invalid) {
			result.State, result.Result, result.Why, err = l.State, skipped, err.Error(), nil
		}
		if err == nil {
			results = append(results, result)
		}
		return err
	})
	return results, err
}

// would returns what would be done with the letter.
func (f *settleFlags) would(l deadletter.Letter, what deadletter.State) letterResult {
	r := letterResult{letterRow: rowOf(l), Result: "would be " + string(what)}
	switch {
	case l.State != deadletter.Open && !f.again:
		r.Result, r.Why = skipped, "it is "+string(l.State)+" already: say --again"
	case what == deadletter.Redriven && l.LeftOut > 0:
		r.Result, r.Why = skipped, "its original was left out"
	}
	return r
}

// servicesOf returns the services whose letters there are.
func servicesOf(rows []letterRow) []churn.Service {
	return slices.DeleteFunc(churn.Stages(), func(s churn.Service) bool {
		return !slices.ContainsFunc(rows, func(r letterRow) bool { return r.id.Service == s })
	})
}

func resultsTable(w io.Writer, results []letterResult) {
	rows := [][]string{}
	for _, r := range results {
		rows = append(rows, []string{r.Letter, r.Run, r.Result, cut(r.Why), cut(r.Message)})
	}
	table(w, []string{"LETTER", "RUN", "RESULT", "WHY", "MESSAGE"}, rows)
}
