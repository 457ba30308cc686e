// Package policy holds the rules of promotion: documents of CEL expressions that
// are pure functions of what a run asks for and what its evaluation found. See
// docs/policies.md for how to write one.
package policy

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Policy is a document of rules, compiled. It may be used at several places at once.
type Policy struct {
	Name        string
	Description string
	SHA256      string    // of Text
	Approval    *Approval // nil: the rules alone decide
	Rules       []Rule
	Text        []byte
}

// Approval is a policy's demand for a person's decision.
type Approval struct {
	Expires        time.Duration // from when it is asked for
	NotByRequester bool          // whoever asked for the run may not decide
}

// Evidence is what the rules judge.
type Evidence struct {
	// Evaluated is the evaluation. Its plan says what is asked of the candidate.
	Evaluated *eventv1.ModelEvaluated
	// Look is how often the hold-out has been looked at for a decision on this
	// model, this time included: 1, 2, 3, …; 0 without a champion.
	Look int64
}

// Parse reads a policy. Unknown fields and names, wrong types, expressions that could
// take too long and a document without rules are Invalid errors that name the line.
func Parse(text []byte) (*Policy, error) {
	p, err := parse(text)
	return p, churn.E("policy.Parse", churn.Invalid, err)
}

// For returns the policy that the gate asks for: the document that it names, verified
// by its digest, or else the built-in one.
func For(ctx context.Context, store blob.Store, gate *eventv1.Gate) (*Policy, error) {
	const op = "policy.For"
	named := gate.GetPolicyDocument()
	if named == nil {
		p, err := builtIn(gate.GetPolicy())
		return p, churn.E(op, churn.Invalid, err)
	}
	for _, name := range BuiltIns() { // they need no reading
		if p, err := builtIn(name); err == nil && p.SHA256 == named.GetSha256() {
			return p, nil
		}
	}
	text, err := store.Get(ctx, named, MaxDocument)
	if err != nil {
		return nil, err
	}
	p, err := parse(text)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "%s: %w", named.GetUri(), err)
	}
	return p, nil
}

func parse(text []byte) (*Policy, error) {
	d, err := read(text)
	if err != nil {
		return nil, wrong("", err)
	}
	p := &Policy{Name: d.Name, Description: d.Description, Text: text}
	approval, approvalErr := d.approval()
	rules, rulesErr := d.rules()
	if err := errors.Join(approvalErr, rulesErr); err != nil {
		return nil, wrong(d.Name, err)
	}
	p.Approval, p.Rules = approval, rules
	p.SHA256, err = blob.Sum(bytes.NewReader(text))
	return p, err
}

// Judge applies the rules, in the policy's order, but for those whose `when` is not
// so. A rule that cannot be judged has failed. The same evidence gives the same
// verdicts.
func (p *Policy) Judge(e Evidence) ([]*eventv1.Rule, error) {
	const op = "policy.Judge"
	if e.Evaluated.GetMetrics() == nil {
		return nil, churn.Errorf(op, churn.Invalid, "there is nothing to judge: the evaluation has no metrics")
	}
	if len(p.Rules) == 0 {
		return nil, churn.Errorf(op, churn.Internal, "there is nothing to judge by: the policy was not made by Parse or For")
	}
	var verdicts []*eventv1.Rule
	for i := range p.Rules {
		if v := p.Rules[i].judge(e); v != nil {
			verdicts = append(verdicts, v)
		}
	}
	return verdicts, nil
}

// Failed returns the rules that did not hold.
func Failed(rules []*eventv1.Rule) []*eventv1.Rule {
	var failed []*eventv1.Rule
	for _, r := range rules {
		if !r.GetPassed() {
			failed = append(failed, r)
		}
	}
	return failed
}
