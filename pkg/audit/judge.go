package audit

import (
	"context"
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// judge judges by the policy that is in question.
type judge struct {
	store blob.Store
	q     Question
	known map[named]*policy.Policy
}

// named is how a run names the policy that it asks for.
type named struct{ builtIn, sha256 string }

func newJudge(store blob.Store, q Question) *judge {
	return &judge{store: store, q: q, known: map[named]*policy.Policy{}}
}

// asks returns the evaluation as it would be if its run asked of the gate what is
// in question.
func (j *judge) asks(m *eventv1.ModelEvaluated) *eventv1.ModelEvaluated {
	if j.q.Change == nil {
		return m
	}
	out := shallow(m)
	out.Plan = proto.CloneOf(m.GetPlan())
	if out.Plan.Gate == nil {
		out.Plan.Gate = &eventv1.Gate{}
	}
	j.q.Change(out.Plan.Gate)
	return out
}

// policy returns the policy for an evaluation.
func (j *judge) policy(ctx context.Context, gate *eventv1.Gate) (*policy.Policy, error) {
	if j.q.Policy != nil {
		return j.q.Policy, nil
	}
	n := named{gate.GetPolicy(), gate.GetPolicyDocument().GetSha256()}
	if p, ok := j.known[n]; ok {
		return p, nil
	}
	p, err := policy.For(ctx, j.store, gate)
	if err == nil {
		j.known[n] = p
	}
	return p, err
}

// exact are the parts of a comparison that take no bootstrap.
var exact = regexp.MustCompile(`\bcomparison\.(auc|exists|mcnemar_p|only_candidate|only_champion)\b`)

// wantsBootstrap reports whether the policy may look at errors and intervals of
// differences other than the AUC's, which are what takes long. Expressions cannot
// look at a comparison without writing its name; the document has those in words,
// too.
func wantsBootstrap(p *policy.Policy) bool {
	text := string(p.Text)
	for _, r := range p.Rules {
		text += "\n" + r.When + "\n" + r.Holds // whatever the document's YAML escapes
	}
	return strings.Contains(exact.ReplaceAllLiteralString(text, ""), "comparison")
}

// shallow returns a copy whose fields may be set anew; what they hold is shared.
func shallow(m *eventv1.ModelEvaluated) *eventv1.ModelEvaluated {
	out := &eventv1.ModelEvaluated{}
	for field, value := range m.ProtoReflect().Range {
		out.ProtoReflect().Set(field, value)
	}
	return out
}
