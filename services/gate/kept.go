package gate

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/jsonfile"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	// evaluatedJSON is where a round keeps the evaluation that a person may still
	// decide on: to approve it, or to override its rejection.
	evaluatedJSON = "evaluated.json"
	maxKept       = 8 << 20 // bytes of it, and of a question
)

// keep keeps the evaluation. The claim has seen to it that the round has one: what
// an earlier attempt has kept is the same, but perhaps for the trace around it.
func (g *Gate) keep(ctx context.Context, e event.Event, round int32) error {
	batch, err := event.EncodeBatch([]event.Event{e})
	if err != nil {
		return err
	}
	_, err = g.store.Put(ctx, key(e.Run(), round, evaluatedJSON), mediaJSON, bytes.NewReader(batch))
	if churn.IsKind(err, churn.Conflict) {
		return nil
	}
	return err
}

// kept returns the evaluation that a round has kept, or NotFound.
func (g *Gate) kept(ctx context.Context, run string, round int32) (event.Event, *eventv1.ModelEvaluated, error) {
	const op = "gate.kept"
	body, err := g.read(ctx, key(run, round, evaluatedJSON), maxKept)
	if err != nil {
		return event.Event{}, nil, err
	}
	events, err := event.DecodeBatch(body)
	if err != nil {
		return event.Event{}, nil, churn.E(op, churn.Internal, err)
	}
	if len(events) == 1 {
		if m, ok := events[0].Data.(*eventv1.ModelEvaluated); ok {
			return events[0], m, nil
		}
	}
	return event.Event{}, nil, churn.Errorf(op, churn.Internal, "%s of round %d of run %s is damaged: it holds no evaluation", evaluatedJSON, round, run)
}

// read returns the object's bytes, or NotFound.
func (g *Gate) read(ctx context.Context, key string, limit int64) ([]byte, error) {
	a, err := g.store.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	body, err := g.store.Get(ctx, a, limit)
	return body, churn.E("gate.read", churn.Internal, err)
}

// readJSON reads the object into v, or returns NotFound.
func (g *Gate) readJSON(ctx context.Context, key string, limit int64, v any) error {
	body, err := g.read(ctx, key, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return churn.Errorf("gate.readJSON", churn.Internal, "%s is damaged: %w", g.store.URI(key), err)
	}
	return nil
}

// putJSON creates the object, which must hold the same if it is there.
func (g *Gate) putJSON(ctx context.Context, key string, v any) error {
	body, err := jsonfile.Encode(v)
	if err != nil {
		return err
	}
	_, err = g.store.Put(ctx, key, mediaJSON, bytes.NewReader(body))
	return err
}
