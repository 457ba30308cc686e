package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/policy"
)

const policyHelp = `A policy says when a candidate is promoted: a YAML document of rules in CEL
(https://cel.dev) over what the evaluation found. Three are built in; one of
your own is asked for as a file, and is kept under its digest, which every event
and decision of the run names:

  churnctl policy show refresh > mine.yaml      a start
  churnctl policy names                         what rules can look at
  churnctl policy check mine.yaml               is it right?
  churnctl retrain --policy mine.yaml           decide by it
  churnctl gate explain RUN                     what it decided, and why

docs/policies.md is the guide.`

func policiesCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "The rules of promotion: list, show, names, check",
		Long:  policyHelp,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(policyListCmd(a), policyShowCmd(a), policyNamesCmd(a), policyCheckCmd(a))
	return cmd
}

// policyView is a policy, and its JSON.
type policyView struct {
	Name        string      `json:"name"`
	SHA256      string      `json:"sha256"`
	Description string      `json:"description"`
	Approval    *demandView `json:"approval"` // null: the rules alone decide
	Rules       []ruleText  `json:"rules"`
}

// demandView is a policy's demand for a person's decision.
type demandView struct {
	Expires        string `json:"expires"`
	NotByRequester bool   `json:"not_by_requester"`
}

// ruleText is a rule as it is written.
type ruleText struct {
	Name  string `json:"name"`
	When  string `json:"when"` // empty: always
	Holds string `json:"holds"`
}

func viewPolicy(p *policy.Policy) policyView {
	v := policyView{Name: p.Name, SHA256: p.SHA256, Description: p.Description}
	if p.Approval != nil {
		v.Approval = &demandView{p.Approval.Expires.String(), p.Approval.NotByRequester}
	}
	for _, r := range p.Rules {
		v.Rules = append(v.Rules, ruleText{r.Name, r.When, r.Holds})
	}
	return v
}

func (v policyView) names() string {
	names := make([]string, len(v.Rules))
	for i, r := range v.Rules {
		names[i] = r.Name
	}
	return strings.Join(names, ", ")
}

func policyListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the built-in policies, the default first",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var all []policyView
			for _, name := range policy.BuiltIns() {
				text, _ := policy.BuiltIn(name)
				p, err := policy.Parse(text)
				if err != nil {
					return err
				}
				all = append(all, viewPolicy(p))
			}
			return a.print(all, func(w io.Writer) {
				rows := [][]string{}
				for _, v := range all {
					rows = append(rows, []string{v.Name, short(v.SHA256), v.names(), v.Description})
				}
				table(w, []string{"POLICY", "SHA-256", "RULES", "PROMOTES A CANDIDATE IF"}, rows)
			})
		},
	}
}

func policyShowCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Print a built-in policy's document: a start for one of your own",
		Example: "  churnctl policy show refresh > mine.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, ok := policy.BuiltIn(args[0])
			if !ok || args[0] == "" {
				return usageErrorf("there is no built-in policy %q: they are %s", args[0], strings.Join(policy.BuiltIns(), ", "))
			}
			p, err := policy.Parse(text)
			if err != nil {
				return err
			}
			return a.print(viewPolicy(p), func(w io.Writer) { _, _ = w.Write(text) })
		},
	}
}

func policyNamesCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "names",
		Short: "List what rules can look at: variables and functions, with their types",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			names := policy.Names()
			return a.print(names, func(w io.Writer) {
				rows := [][]string{}
				for _, n := range names {
					rows = append(rows, []string{n.Name, n.Type, n.Says})
				}
				table(w, []string{"NAME", "TYPE", "WHAT IT IS"}, rows)
			})
		},
	}
}

func policyCheckCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a policy of your own as the pipeline does when it is asked for",
		Long: `Check a policy of your own as the pipeline does when it is asked for: form, names,
types and what evaluating it can cost. What is wrong is told with its line.

Exit codes: 0 it can be used, 2 it cannot.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := readPolicy(a.path(args[0]))
			if err != nil {
				return err
			}
			v := viewPolicy(p)
			return a.print(v, func(w io.Writer) {
				_, _ = fmt.Fprintf(w, "%s can be used: policy %s with the rules %s\nSHA-256 %s\n", args[0], v.Name, v.names(), v.SHA256)
				if v.Approval != nil {
					_, _ = fmt.Fprintf(w, "a person must approve within %s\n", v.Approval.Expires)
				}
			})
		},
	}
}

// readPolicy reads a policy of one's own.
func readPolicy(path string) (*policy.Policy, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usageErrorf("there is no such policy: %w; `churnctl policy list` shows the built-in ones", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, policy.MaxDocument+1))
	if err != nil {
		return nil, usageErrorf("%s: %w", path, err)
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, usageErrorf("%s: %w", path, err)
	}
	return p, nil
}

// loadPolicy reads the policy that --policy asks for, if it is none that a URI names.
func (o *overrideFlags) loadPolicy(a *app) error {
	if given(o, "policy", o.policy) == nil || isURI(o.policy) || o.text != nil {
		return nil
	}
	if text, ok := policy.BuiltIn(o.policy); ok && o.policy != "" {
		o.text = text
		return nil
	}
	p, err := readPolicy(a.path(o.policy))
	if err != nil {
		return err
	}
	o.text = p.Text
	return nil
}

// storePolicy stores that policy, so that a request can name its text. One that a URI
// names is left to the featurizer.
func (o *overrideFlags) storePolicy(ctx context.Context, a *app, store blob.Store) error {
	if err := o.loadPolicy(a); err != nil {
		return err
	}
	if o.text == nil {
		if isURI(o.policy) {
			o.document = &blob.Artifact{Uri: o.policy, MediaType: mediaYAML}
			_, err := store.Key(o.policy)
			return err
		}
		return nil
	}
	sum, err := blob.Sum(bytes.NewReader(o.text))
	if err != nil {
		return err
	}
	o.document, err = store.Put(ctx, churn.PolicyKey(sum), mediaYAML, bytes.NewReader(o.text))
	return err
}

// policyName returns the name of the built-in policy that is asked for; nil if none is.
func (o *overrideFlags) policyName() *string {
	name := given(o, "policy", o.policy)
	if name == nil || !slices.Contains(churn.Policies, *name) {
		return nil
	}
	return name
}
