package stage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage/fault"
)

const (
	// outcomeLimit bounds the stored outputs of one event, in bytes.
	outcomeLimit = 64 << 20
	outcomeMedia = "application/json"
)

// outcome is what a handler answered to an event, as it is stored.
type outcome struct {
	Input  input           `json:"input"`
	Events json.RawMessage `json:"events"` // a CloudEvents batch
}

// input identifies the event that was answered and its content.
type input struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"` // of the data, in protobuf's deterministic form
}

// Once does the work of an event once: the outputs are stored before they are
// returned, and an event that comes again is answered with them, byte for byte,
// without its handler. Of two that finish at the same time the first to store
// wins, and both answer alike. An event whose id was used before with other data
// is refused. Errors are not stored.
func Once(store blob.Store, s churn.Service) Middleware {
	return func(next Handler) Handler { return once{store, s, next} }
}

type once struct {
	store   blob.Store
	service churn.Service
	next    Handler
}

func (o once) Handle(ctx context.Context, e event.Event) ([]event.Event, error) {
	in, err := inputOf(e)
	if err != nil {
		return nil, err
	}
	key := outcomeKey(o.service, e)
	out, err := o.load(ctx, key, in)
	if !churn.IsKind(err, churn.NotFound) {
		return out, err
	}
	if out, err = o.next.Handle(ctx, e); err != nil {
		return nil, err
	}
	fault.Point(string(o.service) + ".handled")
	out, err = o.save(ctx, key, in, out)
	if err == nil {
		fault.Point(string(o.service) + ".stored")
	}
	return out, err
}

// load returns the stored outputs, or NotFound.
func (o once) load(ctx context.Context, key string, in input) ([]event.Event, error) {
	const op = "stage.Once"
	stored, err := readOutcome(ctx, o.store, key)
	if err != nil {
		return nil, err
	}
	if stored.Input != in {
		return nil, foreign{churn.Errorf(op, churn.Invalid,
			"event id reused with other content: %.200q was answered for data with SHA-256 %s, and this has %s; send it under a new id",
			in.ID, stored.Input.SHA256, in.SHA256)}
	}
	return stored.events()
}

// Outcome returns what the service answered to the run's event with the given
// id, as Once has stored it, or NotFound.
func Outcome(ctx context.Context, store blob.Store, s churn.Service, run, id string) ([]event.Event, error) {
	stored, err := readOutcome(ctx, store, outcomeKey(s, event.Event{ID: id, Correlation: run}))
	if err != nil {
		return nil, err
	}
	return stored.events()
}

func readOutcome(ctx context.Context, store blob.Store, key string) (stored outcome, err error) {
	const op = "stage.readOutcome"
	a, err := store.Stat(ctx, key)
	if err != nil {
		return stored, err
	}
	data, err := store.Get(ctx, a, outcomeLimit)
	if err != nil {
		return stored, churn.E(op, churn.Internal, err)
	}
	if err := json.Unmarshal(data, &stored); err != nil {
		return stored, churn.Errorf(op, churn.Internal, "%s is damaged: %w", a.GetUri(), err)
	}
	return stored, nil
}

func (o outcome) events() ([]event.Event, error) {
	out, err := event.DecodeBatch(o.Events)
	return out, churn.E("stage.readOutcome", churn.Internal, err)
}

// save stores the outputs and returns them, or those that are stored already.
func (o once) save(ctx context.Context, key string, in input, out []event.Event) ([]event.Event, error) {
	const op = "stage.Once"
	batch, err := event.EncodeBatch(out)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(outcome{in, batch}, "", "  ")
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	_, err = o.store.Put(ctx, key, outcomeMedia, bytes.NewReader(append(data, '\n')))
	if churn.IsKind(err, churn.Conflict) {
		return o.load(ctx, key, in)
	}
	return out, err
}

func inputOf(e event.Event) (input, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Data)
	if err != nil {
		return input{}, churn.E("stage.Once", churn.Invalid, err)
	}
	sum := sha256.Sum256(data)
	return input{e.ID, hex.EncodeToString(sum[:])}, nil
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// outcomeKey returns where the outcome is stored. A request's id can be any
// text: one that could not be a part of a key is replaced by its digest.
func outcomeKey(s churn.Service, e event.Event) string {
	id := e.ID
	if !plainID.MatchString(id) {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	return churn.ArtifactKey(e.Run(), s, "outcome", id+".json")
}
