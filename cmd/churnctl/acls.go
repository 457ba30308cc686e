package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

// servicePlace is where a principal's pattern has the service.
const servicePlace = "{service}"

const aclsHelp = `

Each service is a user of its own, and so is who asks for runs (client). Their
names follow --principal, in which {service} is the service: User:churn-{service}
with SCRAM, User:CN={service},O=example with certificates.`

func aclsCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "acls",
		Short: "Show what each service must be allowed on the brokers; provision it",
		Long:  "Show the ACLs that each service needs: to read and to write its topics, and to\njoin its group." + aclsHelp,
	}
	principal := cmd.PersistentFlags().String("principal", "User:"+servicePlace, "the users' names for the broker")
	cmd.RunE = func(*cobra.Command, []string) error {
		w, err := wantedACLs(a.config.TopicPrefix, *principal)
		if err != nil {
			return err
		}
		return a.print(w.acls, func(out io.Writer) { aclsTable(out, w.acls) })
	}
	cmd.AddCommand(aclsPlanCmd(a, principal), aclsApplyCmd(a, principal), aclsVerifyCmd(a, principal))
	return cmd
}

func aclsPlanCmd(a *app, principal *string) *cobra.Command {
	return a.aclsVerb(principal, &cobra.Command{
		Use:   "plan",
		Short: "Show which ACLs are missing, and which there are beside them",
		Long:  "Compare the brokers' ACLs with what the services need. Nothing is changed." + aclsHelp,
	}, func(_ context.Context, _ bus.Provisioner, plan aclPlan) error { return a.showACLs("Missing", plan) })
}

func aclsApplyCmd(a *app, principal *string) *cobra.Command {
	return a.aclsVerb(principal, &cobra.Command{
		Use:   "apply",
		Short: "Add the ACLs that are missing",
		Long:  "Add the ACLs that are missing. None is ever taken away." + aclsHelp,
	}, func(ctx context.Context, p bus.Provisioner, plan aclPlan) error {
		if err := p.AddACLs(ctx, plan.Missing...); err != nil {
			return err
		}
		return a.showACLs("Added", plan)
	})
}

func aclsVerifyCmd(a *app, principal *string) *cobra.Command {
	return a.aclsVerb(principal, &cobra.Command{
		Use:   "verify",
		Short: "Fail if an ACL is missing",
		Long:  "Compare the brokers' ACLs with what the services need. The exit code is 1 if one is\nmissing; those that there are beside them are shown." + aclsHelp,
	}, func(_ context.Context, _ bus.Provisioner, plan aclPlan) error {
		if err := a.showACLs("Missing", plan); err != nil {
			return err
		}
		if n := len(plan.Missing); n > 0 {
			return fmt.Errorf("%d ACLs are missing: `churnctl acls apply` adds them", n)
		}
		return nil
	})
}

// aclPlan is what the brokers have other than what the services need.
type aclPlan struct {
	Missing []bus.ACL `json:"missing"`
	Beside  []bus.ACL `json:"beside"` // of the same users; left alone
}

// aclsVerb completes a command that does something about a plan.
func (a *app) aclsVerb(principal *string, cmd *cobra.Command, do func(context.Context, bus.Provisioner, aclPlan) error) *cobra.Command {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(a.config.Brokers) == 0 {
			return usageErrorf("the local stack lets everyone in who is on this machine: set KAFKA_BROKERS")
		}
		w, err := wantedACLs(a.config.TopicPrefix, *principal)
		if err != nil {
			return err
		}
		return a.provisioner(cmd.Context(), func(ctx context.Context, p bus.Provisioner) error {
			plan, err := w.plan(ctx, p)
			if err != nil {
				return err
			}
			return do(ctx, p, plan)
		})
	}
	return cmd
}

// aclsWanted is what the services need, and who they are.
type aclsWanted struct {
	principals []string
	acls       []bus.ACL
}

// wantedACLs returns what every service needs. To read or to write lets a user
// describe, too.
func wantedACLs(prefix, principal string) (w aclsWanted, err error) {
	kind, name, _ := strings.Cut(principal, ":")
	if kind == "" || !strings.Contains(name, servicePlace) {
		return w, usageErrorf("--principal %q: it is like User:churn-%s", principal, servicePlace)
	}
	for _, s := range churn.Users() {
		user := strings.ReplaceAll(principal, servicePlace, string(s))
		allow := func(operation, resource, name string) {
			w.acls = append(w.acls, bus.ACL{
				Principal: user, Host: "*", Permission: "Allow", Operation: operation, Resource: resource, Pattern: "Literal", Name: name,
			})
		}
		p := s.Permissions()
		for _, t := range p.Topics {
			if t.Read {
				allow("Read", "Topic", t.Topic.Name(prefix))
			}
			if t.Write {
				allow("Write", "Topic", t.Topic.Name(prefix))
			}
		}
		if p.Group != "" {
			allow("Read", "Group", stage.Group(s, prefix))
		}
		w.principals = append(w.principals, user)
	}
	return w, nil
}

// plan compares with what the broker has.
func (w aclsWanted) plan(ctx context.Context, p bus.Provisioner) (aclPlan, error) {
	plan := aclPlan{[]bus.ACL{}, []bus.ACL{}}
	there, err := p.ACLs(ctx, w.principals...)
	if err != nil {
		return plan, err
	}
	for _, a := range w.acls {
		if !slices.Contains(there, a) {
			plan.Missing = append(plan.Missing, a)
		}
	}
	for _, a := range there {
		if !slices.Contains(w.acls, a) {
			plan.Beside = append(plan.Beside, a)
		}
	}
	return plan, nil
}

func (a *app) showACLs(missing string, plan aclPlan) error {
	return a.print(plan, func(w io.Writer) {
		if len(plan.Missing) == 0 {
			_, _ = fmt.Fprintln(w, "Every service is allowed what it needs.")
		} else {
			_, _ = fmt.Fprintln(w, missing+":")
			aclsTable(w, plan.Missing)
		}
		if len(plan.Beside) > 0 {
			_, _ = fmt.Fprintln(w, "\nNot needed, and left alone:")
			aclsTable(w, plan.Beside)
		}
	})
}

func aclsTable(w io.Writer, acls []bus.ACL) {
	rows := [][]string{}
	for _, a := range acls {
		rows = append(rows, []string{a.Principal, a.Permission, a.Operation, a.Resource, a.Pattern, a.Name})
	}
	table(w, []string{"PRINCIPAL", "PERMISSION", "OPERATION", "RESOURCE", "PATTERN", "NAME"}, rows)
}
