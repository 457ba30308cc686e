package gate

import (
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
)

const (
	// claimJSON is where a round notes which event it is decided on.
	claimJSON = "claim.json"
	maxClaim  = 1 << 14 // bytes of it
)

// claimed is which event a round is decided on.
type claimed struct {
	Event     string `json:"event"`
	Cancelled string `json:"cancelled,omitempty"` // event that cancelled the run before, on which nothing is decided
}

// claim notes, before anything is registered or promoted, that the round is
// decided on this event: a run has one evaluation a round. Another that claims
// to be it (forged, or left from a store that was put back) is refused, and has
// no effect.
func (g *Gate) claim(ctx context.Context, e event.Event, round int32) error {
	const op = "gate.claim"
	is, err := g.claimAs(ctx, e, round, claimed{Event: e.ID})
	switch {
	case err != nil:
		return err
	case is.Event != e.ID:
		return stage.Foreign(churn.Errorf(op, churn.Invalid,
			"round %d of run %s is decided on another evaluation than that of event %s: %s names it",
			round, e.Run(), e.ID, g.store.URI(key(e.Run(), round, claimJSON))))
	case is.Cancelled != "":
		return churn.Errorf(op, churn.Transient, "run %s is being cancelled by another gate", e.Run())
	}
	return nil
}

// claimAs notes the claim unless the round has one, and returns the one it has.
func (g *Gate) claimAs(ctx context.Context, e event.Event, round int32, c claimed) (claimed, error) {
	at := key(e.Run(), round, claimJSON)
	err := g.putJSON(ctx, at, c)
	if churn.IsKind(err, churn.Conflict) {
		var has claimed
		err = g.readJSON(ctx, at, maxClaim, &has)
		return has, err
	}
	return c, err
}

// lastClaim returns the newest round of the run that has been claimed, and the
// event, or NotFound.
func (g *Gate) lastClaim(ctx context.Context, run string) (last claimed, round int32, err error) {
	for n := int32(0); ; n++ {
		var c claimed
		err := g.readJSON(ctx, key(run, n, claimJSON), maxClaim, &c)
		if n > 0 && churn.IsKind(err, churn.NotFound) {
			return last, n - 1, nil
		}
		if err != nil {
			return last, 0, err
		}
		last = c
	}
}
