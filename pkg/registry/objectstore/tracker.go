package objectstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// Tracker is a registry.Tracker in an object store: what each stage has to say
// about a run is one object.
type Tracker struct{ store blob.Store }

var _ registry.Tracker = (*Tracker)(nil)

// NewTracker returns the tracker in the store.
func NewTracker(store blob.Store) *Tracker { return &Tracker{store} }

// tracked is the object's content.
type tracked struct {
	ID         string                    `json:"id"`
	Run        string                    `json:"run"`
	Experiment string                    `json:"experiment"`
	Name       string                    `json:"name"`
	Started    time.Time                 `json:"started"`
	Tags       map[string]string         `json:"tags,omitempty"`
	Stage      string                    `json:"stage"`
	Params     map[string]string         `json:"params,omitempty"`
	Metrics    map[string]float64        `json:"metrics,omitempty"`
	Series     map[string][]float64      `json:"series,omitempty"`
	Artifacts  map[string]*blob.Artifact `json:"artifacts,omitempty"`
}

// Track implements registry.Tracker. The id is the run's without dashes, which
// is the form of MLflow's. What was recorded first stays.
func (t *Tracker) Track(ctx context.Context, r registry.Run, e registry.Entry) (string, error) {
	const op = "objectstore.Track"
	if err := errors.Join(checkName(op, "experiment", r.Experiment), checkName(op, "run", r.Run), checkName(op, "stage", e.Stage)); err != nil {
		return "", err
	}
	id := strings.ReplaceAll(r.Run, "-", "")
	data, err := json.MarshalIndent(tracked{
		ID: id, Run: r.Run, Experiment: r.Experiment, Name: r.Name, Started: r.Started.UTC(), Tags: r.Tags,
		Stage: e.Stage, Params: e.Params, Metrics: e.Metrics, Series: e.Series, Artifacts: e.Artifacts,
	}, "", "  ")
	if err != nil { // a number that JSON does not have
		return "", churn.Errorf(op, churn.Invalid, "what the %s has to say of run %s cannot be recorded: %w", e.Stage, r.Run, err)
	}
	key := strings.Join([]string{"tracking", r.Experiment, r.Run, e.Stage + ".json"}, "/")
	_, err = t.store.Put(ctx, key, mediaJSON, bytes.NewReader(append(data, '\n')))
	if err != nil && !churn.IsKind(err, churn.Conflict) {
		return "", err
	}
	return id, nil
}
