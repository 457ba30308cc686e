package gate

import (
	"context"
	"fmt"
	"path"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	// lookJSON is where a round notes which look at the hold-out it is.
	lookJSON = "look.json"
	maxLook  = 1 << 12 // bytes of it
)

// look is one time that a hold-out was looked at for a decision.
type look struct {
	Holdout string `json:"holdout"` // its id
	Number  int64  `json:"number"`  // 1, 2, 3, …
	Run     string `json:"run"`
	Round   int32  `json:"round"`
}

// look returns how often the hold-out has been looked at to compare a candidate of
// the model with a champion, this round included; nothing where there is no champion.
// The same round is told the same, however often it is asked.
func (g *Gate) look(ctx context.Context, e event.Event, m *eventv1.ModelEvaluated) (look, error) {
	const op = "gate.look"
	if m.GetChampion() == nil {
		return look{}, nil
	}
	own := key(e.Run(), m.GetRound(), lookJSON)
	l, err := g.readLook(ctx, own)
	if !churn.IsKind(err, churn.NotFound) {
		return l, err
	}
	l = look{Holdout: churn.Holdout(m.GetPlan()), Run: e.Run(), Round: m.GetRound()}
	folder := path.Join("holdouts", m.GetPlan().GetModel(), l.Holdout)
	for _, err := range g.store.List(ctx, folder+"/") {
		if err != nil {
			return look{}, err
		}
		l.Number++
	}
	for { // the newest may be this round's own, by an attempt that was cut off
		if l.Number > 0 {
			newest, err := g.readLook(ctx, numbered(folder, l.Number))
			if err != nil {
				return look{}, churn.E(op, churn.Internal, err)
			}
			if newest == l {
				break
			}
		}
		l.Number++
		err := g.putJSON(ctx, numbered(folder, l.Number), l)
		if err == nil {
			break
		}
		if !churn.IsKind(err, churn.Conflict) { // else another gate was first
			return look{}, err
		}
	}
	return l, g.putJSON(ctx, own, l)
}

func numbered(folder string, n int64) string { return fmt.Sprintf("%s/%010d.json", folder, n) }

func (g *Gate) readLook(ctx context.Context, key string) (l look, err error) {
	err = g.readJSON(ctx, key, maxLook, &l)
	return l, err
}
