package gate

import (
	"bytes"
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
)

// claimJSON is where a round notes which event it is decided on.
const claimJSON = "claim.json"

// claim notes, before anything is registered or promoted, that the round is
// decided on this event: a run has one evaluation a round. Another that claims
// to be it (forged, or left from a store that was put back) is refused, and has
// no effect.
func (g *Gate) claim(ctx context.Context, e event.Event, round int32) error {
	body, err := encode(struct {
		Event string `json:"event"`
	}{e.ID})
	if err != nil {
		return err
	}
	at := key(e.Run(), round, claimJSON)
	_, err = g.store.Put(ctx, at, mediaJSON, bytes.NewReader(body))
	if churn.IsKind(err, churn.Conflict) {
		return stage.Foreign(churn.Errorf("gate.claim", churn.Invalid,
			"round %d of run %s is decided on another evaluation than that of event %s: %s names it",
			round, e.Run(), e.ID, g.store.URI(at)))
	}
	return err
}
