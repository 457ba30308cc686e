package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func gateCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "What the gate decided, and why",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(explainCmd(a))
	return cmd
}

// explanation is what `churnctl gate explain` says of a decision, and its JSON.
type explanation struct {
	Run       string           `json:"run"`
	Model     string           `json:"model"`
	Status    fold.Status      `json:"status"`
	Version   int64            `json:"version"`          // that was promoted; 0 if none was
	Champion  int64            `json:"champion_version"` // that was compared with; 0 if there was none
	Reason    string           `json:"reason"`
	Policy    *explainedPolicy `json:"policy"` // null where no rule was asked, as of a rollback
	Rules     []explainedRule  `json:"rules"`
	Approvals []approvalView   `json:"approvals"`
}

// explainedPolicy is what the candidate was judged by.
type explainedPolicy struct {
	Name        string `json:"name"` // empty if its document is gone
	SHA256      string `json:"sha256"`
	URI         string `json:"uri"` // empty if the event names no document
	Description string `json:"description"`
}

// explainedRule is a rule, what it saw and what it said.
type explainedRule struct {
	Name        string           `json:"name"`
	Passed      bool             `json:"passed"`
	Explanation string           `json:"explanation"`
	Expression  string           `json:"expression"`
	Values      []explainedValue `json:"values"`
}

type explainedValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func explainCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain RUN",
		Short: "Explain a decision: each rule, the values that it saw and its verdict, in words",
		Long: `Explain what the gate decided on a run, given by its id or the start of it: the
policy that it was judged by, each rule in words and as it is written, the values
that the rule looked at in the order in which it did, and its verdict. A rule
that the policy asks for only under a condition (when) is left out where that is
not so.`,
		Example: `  churnctl gate explain 3f2a
  churnctl gate explain 3f2a -o json | jq '.rules[] | select(.passed | not)'`,
		Args: cobra.ExactArgs(1),
		RunE: a.with(readOnly, func(cmd *cobra.Command, args []string, p *parts) error {
			run, err := p.run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			x, err := p.explain(cmd.Context(), run)
			if err != nil {
				return err
			}
			return a.print(x, func(w io.Writer) { explanationTable(w, x) })
		}),
	}
}

// verdict returns what the gate said of the run last, or nil.
func verdict(run *fold.Run) planned {
	switch run.Status() {
	case fold.Pending:
		return fold.Data[eventv1.ApprovalRequested](run, churn.ApprovalRequested)
	case fold.Promoted:
		return fold.Data[eventv1.ModelPromoted](run, churn.ModelPromoted)
	case fold.Rejected:
		return rejection(run)
	}
	return nil
}

func (p *parts) explain(ctx context.Context, run *fold.Run) (explanation, error) {
	said := verdict(run)
	if said == nil {
		return explanation{}, usageErrorf("the gate has not decided on run %s: it is %s; `churnctl show %s` tells more", run.ID, run.Status(), run.ID)
	}
	d := detail(run)
	x := explanation{
		Run: run.ID, Model: run.Model, Status: d.Status, Version: d.Version, Champion: d.Champion, Reason: d.Reason,
		Rules: []explainedRule{}, Approvals: append([]approvalView{}, d.Approvals...),
	}
	for _, r := range d.Rules {
		x.Rules = append(x.Rules, explainRule(r))
	}
	if len(x.Rules) == 0 {
		return x, nil
	}
	var err error
	x.Policy, err = p.explainPolicy(ctx, said.GetPlan().GetGate())
	return x, err
}

// explainPolicy says what the gate was asked to judge by. The document may be gone;
// its digest is not.
func (p *parts) explainPolicy(ctx context.Context, gate *eventv1.Gate) (*explainedPolicy, error) {
	document := gate.GetPolicyDocument()
	x := &explainedPolicy{SHA256: document.GetSha256(), URI: document.GetUri()}
	by, err := policy.For(ctx, p.Store, gate)
	if churn.IsKind(err, churn.NotFound) {
		return x, nil
	}
	if err != nil {
		return x, err
	}
	x.Name, x.SHA256, x.Description = by.Name, by.SHA256, by.Description
	return x, nil
}

func explainRule(r *eventv1.Rule) explainedRule {
	x := explainedRule{r.GetName(), r.GetPassed(), r.GetExplanation(), r.GetExpression(), []explainedValue{}}
	for _, v := range r.GetValues() {
		x.Values = append(x.Values, explainedValue{v.GetName(), v.GetValue()})
	}
	return x
}

func explanationTable(w io.Writer, x explanation) {
	head := fmt.Sprintf("%s: run %s of %s", x.Status, x.Run, x.Model)
	if x.Version > 0 {
		head += fmt.Sprintf(", version %d", x.Version)
	}
	if x.Champion > 0 {
		head += fmt.Sprintf(", compared with version %d", x.Champion)
	}
	_, _ = fmt.Fprintln(w, head)
	if x.Reason != "" {
		_, _ = fmt.Fprintln(w, "  "+x.Reason)
	}
	if x.Policy != nil {
		_, _ = fmt.Fprintf(w, "\npolicy %s, SHA-256 %s\n", orUnknown(x.Policy.Name), x.Policy.SHA256)
		if x.Policy.Description != "" {
			_, _ = fmt.Fprintln(w, "  "+x.Policy.Description)
		}
	}
	for _, r := range x.Rules {
		verdict := "passed"
		if !r.Passed {
			verdict = "FAILED"
		}
		_, _ = fmt.Fprintf(w, "\n%s  %s: %s\n", verdict, r.Name, r.Explanation)
		if r.Expression != "" {
			_, _ = fmt.Fprintf(w, "        %s\n", r.Expression)
		}
		rows := [][]string{}
		for _, v := range r.Values {
			rows = append(rows, []string{"          " + v.Name, v.Value})
		}
		lines(w, rows)
	}
	if len(x.Approvals) > 0 {
		_, _ = fmt.Fprintln(w)
		answersTable(w, x.Approvals)
	}
}

func orUnknown(name string) string {
	if name == "" {
		return "whose document is gone"
	}
	return name
}
