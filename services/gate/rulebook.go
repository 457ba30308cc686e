package gate

import (
	"context"
	"time"

	"github.com/asfotec/churn/pkg/policy"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// rulebook is a policy as the gate needs it.
type rulebook struct {
	Name, SHA256 string    // of the document; no digest if there is none
	Approval     *approval // nil: the rules alone decide
	Judge        func(evidence) ([]*eventv1.Rule, error)
}

// approval is a policy's demand for a person's decision.
type approval struct {
	Expires        time.Duration
	NotByRequester bool
}

// evidence is what the rules judge.
type evidence struct {
	Evaluated *eventv1.ModelEvaluated
	Look      int64
}

// builtIn returns the policy that the request names, which asks nobody.
func builtIn(_ context.Context, gate *eventv1.Gate) (*rulebook, error) {
	return &rulebook{Name: gate.GetPolicy(), Judge: func(e evidence) ([]*eventv1.Rule, error) {
		m := e.Evaluated
		return policy.Judge(gate, policy.Evidence{
			Candidate: m.GetMetrics(), Champion: m.GetChampionMetrics(), ChampionVersion: m.GetChampion().GetVersion(),
			Comparison: m.GetComparison(), Look: e.Look,
		}), nil
	}}, nil
}
