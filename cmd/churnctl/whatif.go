package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/audit"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const whatifHelp = `Judge every past evaluation under another policy: what would have been promoted
and rejected beside what was, and who would have been in production. Nothing is
trained, and nothing is changed.

Where the champion would have been another than the one that an evaluation
compared with, the two are compared anew: by their stored scores of the same
hold-out rows or, where that champion was not scored on them, by scoring it. A
verdict that needs what is not there any more cannot be told; the champion then
stays who it was. People's answers, rollbacks and overrides stay as they were.`

// whatifFlags are what is judged anew, and by what.
type whatifFlags struct {
	policy    string
	own       *policy.Policy // what policy names, if it is none that is built in
	overrides overrideFlags
	since     timeFlag
	model     string
	changed   bool
}

func whatifCmd(a *app) *cobra.Command {
	f := &whatifFlags{}
	cmd := &cobra.Command{
		Use:   "whatif",
		Short: "Judge past evaluations under another policy; nothing is trained",
		Long:  whatifHelp,
		Example: `  churnctl whatif --policy must-be-better
  churnctl whatif --policy strict.yaml --since 2026-01-01
  churnctl whatif --min-auc 0.85 --changed`,
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return f.loadPolicy(a) },
		RunE: a.with(readOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			paths, err := p.whatif(cmd.Context(), f.question())
			if err != nil {
				return err
			}
			return a.print(paths, func(w io.Writer) {
				if len(paths) == 0 {
					_, _ = fmt.Fprintln(w, "there is nothing to judge: no run has been evaluated")
				}
				for _, path := range paths {
					whatifTables(w, path, f.changed)
				}
			})
		}),
	}
	fs := cmd.Flags()
	f.overrides.set = fs
	fs.StringVar(&f.policy, "policy", "", "the other policy: "+strings.Join(policy.BuiltIns(), ", ")+", or a file of your own (default: that of each run)")
	fs.Float64Var(&f.overrides.minAUC, "min-auc", 0, "least hold-out AUC (default: that of each run)")
	fs.Float64Var(&f.overrides.minAccuracy, "min-accuracy", 0, "least hold-out accuracy (default: that of each run)")
	fs.Float64Var(&f.overrides.margin, "margin", 0.01, "of policy refresh: a difference of AUC (default: that of each run, or 0.01)")
	fs.Float64Var(&f.overrides.alpha, "alpha", 0.05, "largest probability of promoting a candidate that is not what the policy asks for (default: that of each run, or 0.05)")
	fs.Var(&f.since, "since", "when the other policy comes into force: "+timeHelp+" (default: the beginning)")
	fs.StringVar(&f.model, "model", "", "look at this model alone")
	fs.BoolVar(&f.changed, "changed", false, "list only runs to which it makes a difference")
	return cmd
}

func (p *parts) whatif(ctx context.Context, q audit.Question) ([]audit.Path, error) {
	runs, err := p.history(ctx)
	if err != nil {
		return nil, err
	}
	return audit.Replay(ctx, p.Store, runs, q)
}

func (f *whatifFlags) builtIn() bool { return slices.Contains(policy.BuiltIns(), f.policy) }

// loadPolicy reads the policy that --policy asks for, if it is none that is built in.
func (f *whatifFlags) loadPolicy(a *app) (err error) {
	if f.policy != "" && !f.builtIn() {
		f.own, err = readPolicy(a.path(f.policy))
	}
	return err
}

// question returns what the flags ask.
func (f *whatifFlags) question() audit.Question {
	return audit.Question{Policy: f.own, Change: f.change, Since: f.since.Time, Model: f.model}
}

// change changes what a run asked of the gate as far as the flags say. What events of
// before there was a choice leave unset takes the default.
func (f *whatifFlags) change(g *eventv1.Gate) {
	if f.builtIn() {
		g.Policy, g.PolicyDocument = f.policy, nil
	}
	o := &f.overrides
	set := func(flag string, to *float64, v float64, unset bool) {
		if o.set.Changed(flag) || unset {
			*to = v
		}
	}
	set("min-auc", &g.MinAuc, o.minAUC, false)
	set("min-accuracy", &g.MinAccuracy, o.minAccuracy, false)
	set("margin", &g.Margin, o.margin, f.policy != "" && g.GetAlpha() == 0)
	set("alpha", &g.Alpha, o.alpha, f.policy != "" && g.GetAlpha() == 0)
}

func whatifTables(w io.Writer, p audit.Path, changedOnly bool) {
	_, _ = fmt.Fprintf(w, "\n%s, %s\n\n", p.Model, p.Stage)
	rows := [][]string{}
	for _, d := range p.Decisions {
		if d.Differs() || !changedOnly {
			rows = append(rows, []string{d.Run, when(d.At), string(d.Was), string(d.WouldBe), string(d.Basis), d.Why})
		}
	}
	table(w, []string{"RUN", "DECIDED", "WAS", "WOULD BE", "BY", "WHY"}, rows)
	_, _ = fmt.Fprintln(w)
	countsTable(w, p)
	_, _ = fmt.Fprintln(w)
	championsTable(w, p)
}

func countsTable(w io.Writer, p audit.Path) {
	rows := [][]string{}
	for _, v := range []audit.Verdict{audit.Promoted, audit.Rejected, audit.Waiting, audit.Unknown, audit.Failed, audit.Open} {
		was := p.Count(func(d audit.Decision) bool { return d.Was == v })
		wouldBe := p.Count(func(d audit.Decision) bool { return d.WouldBe == v })
		if was+wouldBe > 0 {
			rows = append(rows, []string{string(v), fmt.Sprint(was), fmt.Sprint(wouldBe)})
		}
	}
	rows = append(rows, []string{"all", fmt.Sprint(len(p.Decisions)), fmt.Sprint(len(p.Decisions))})
	table(w, []string{"RUNS", "WERE", "WOULD BE"}, rows)
}

// championsTable shows both paths, a line for each time at which either changed.
func championsTable(w io.Writer, p audit.Path) {
	type change struct{ was, wouldBe *audit.Step }
	changes := map[int64]change{}
	var times []int64
	at := func(s *audit.Step) (int64, change) {
		t := s.At.UnixNano()
		if _, ok := changes[t]; !ok {
			times = append(times, t)
		}
		return t, changes[t]
	}
	for i := range p.Was {
		t, c := at(&p.Was[i])
		c.was = &p.Was[i]
		changes[t] = c
	}
	for i := range p.WouldBe {
		t, c := at(&p.WouldBe[i])
		c.wouldBe = &p.WouldBe[i]
		changes[t] = c
	}
	slices.Sort(times)
	rows := [][]string{}
	was, wouldBe := "-", "-"
	for _, t := range times {
		c := changes[t]
		if c.was != nil {
			was = fmt.Sprintf("%s (%s)", c.was.Run, c.was.Cause)
		}
		if c.wouldBe != nil {
			wouldBe = fmt.Sprintf("%s (%s)", c.wouldBe.Run, c.wouldBe.Cause)
		}
		first := c.was
		if first == nil {
			first = c.wouldBe
		}
		rows = append(rows, []string{when(first.At), was, wouldBe})
	}
	table(w, []string{"SINCE", "CHAMPION WAS", "WOULD BE"}, rows)
}
