package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/fold"
)

// stateView is what `churnctl state` says, and its JSON.
type stateView struct {
	At        time.Time           `json:"at"`
	Runs      map[fold.Status]int `json:"runs"`
	Champions []reign             `json:"champions"` // of each model and stage
	Pending   []approvalRow       `json:"pending"`   // approvals
	Open      []runSummary        `json:"open"`      // runs that have not ended
}

func stateCmd(a *app) *cobra.Command {
	var at timeFlag
	cmd := &cobra.Command{
		Use:   "state [MODEL]",
		Short: "Show the state of the pipeline, now or at a former time",
		Long: `Show runs by status, who is in production, and which approvals are pending: all
of it read off the log. With --at as it was at that time, by when the events came
to the log.`,
		Example: `  churnctl state
  churnctl state --at 2h
  churnctl state --at 2026-01-31T12:00:00Z churn-classifier`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.with(readOnly, func(cmd *cobra.Command, args []string, p *parts) error {
			if at.IsZero() {
				at.Time = time.Now()
			}
			runs, err := p.historyAt(cmd.Context(), at.Time)
			if err != nil {
				return err
			}
			s := stateOf(ofModel(runs, args), at.Time)
			return a.print(s, func(w io.Writer) { stateTables(w, s) })
		}),
	}
	cmd.Flags().Var(&at, "at", "as it was then: "+timeHelp)
	return cmd
}

// ofModel returns the runs of the model that is named, if one is.
func ofModel(runs fold.Runs, models []string) fold.Runs {
	if len(models) == 0 {
		return runs
	}
	of := fold.Runs{}
	for id, run := range runs {
		if run.Model == models[0] {
			of[id] = run
		}
	}
	return of
}

func stateOf(runs fold.Runs, at time.Time) stateView {
	s := stateView{At: at, Runs: map[fold.Status]int{}, Champions: []reign{}, Pending: []approvalRow{}, Open: []runSummary{}}
	for _, run := range runs.Sorted() {
		status := run.Status()
		s.Runs[status]++
		if !status.Ended() {
			s.Open = append(s.Open, summarize(run))
		}
	}
	for _, c := range runs.Chains() {
		s.Champions = append(s.Champions, viewReign(c, c.Current()))
	}
	for _, p := range runs.Pending() {
		s.Pending = append(s.Pending, approvalOf(p))
	}
	return s
}

func stateTables(w io.Writer, s stateView) {
	_, _ = fmt.Fprintf(w, "at %s\n\n", when(s.At))
	rows := [][]string{}
	for _, status := range fold.Statuses() {
		if n := s.Runs[status]; n > 0 {
			rows = append(rows, []string{string(status), strconv.Itoa(n)})
		}
	}
	table(w, []string{"RUNS", "NUMBER"}, rows)
	if len(s.Champions) > 0 {
		_, _ = fmt.Fprintln(w)
		reignTable(w, s.Champions)
	}
	if len(s.Pending) > 0 {
		_, _ = fmt.Fprintln(w)
		approvalsTable(w, s.Pending)
	}
	if len(s.Open) > 0 {
		_, _ = fmt.Fprintln(w)
		runsTable(w, s.Open)
	}
}
