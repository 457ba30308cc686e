package gate

import (
	"context"
	"strings"
	"time"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Asking lets the gate ask for approval where the policy's document has a media
// type of the form approval/<duration>[/not-by-requester].
func Asking(g *Gate) *Gate {
	rules := g.policies
	g.policies = func(ctx context.Context, gate *eventv1.Gate) (*rulebook, error) {
		p, err := rules(ctx, gate)
		parts := strings.Split(gate.GetPolicyDocument().GetMediaType(), "/")
		if err == nil && parts[0] == "approval" {
			p.Name, p.SHA256 = "asking", gate.GetPolicyDocument().GetSha256()
			p.Approval = &approval{NotByRequester: len(parts) == 3}
			p.Approval.Expires, err = time.ParseDuration(parts[1])
		}
		return p, err
	}
	return g
}
