package objectstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path"
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
	Trial      string                    `json:"trial,omitempty"`
	Experiment string                    `json:"experiment"`
	Name       string                    `json:"name"`
	Started    time.Time                 `json:"started"`
	Tags       map[string]string         `json:"tags,omitempty"`
	Stage      string                    `json:"stage"`
	Params     map[string]string         `json:"params,omitempty"`
	Metrics    map[string]float64        `json:"metrics,omitempty"`
	Step       int64                     `json:"step,omitempty"`
	Series     map[string][]float64      `json:"series,omitempty"`
	Artifacts  map[string]*blob.Artifact `json:"artifacts,omitempty"`
	Ends       bool                      `json:"ends,omitempty"`
	Failed     bool                      `json:"failed,omitempty"`
}

// Track implements registry.Tracker. The id is the run's without dashes, which
// is the form of MLflow's; that of a trial ends with the trial's name. What was
// recorded first stays.
func (t *Tracker) Track(ctx context.Context, r registry.Run, e registry.Entry) (string, error) {
	const op = "objectstore.Track"
	err := errors.Join(checkName(op, "experiment", r.Experiment), checkName(op, "run", r.Run), checkName(op, "stage", e.Stage))
	id, folder := strings.ReplaceAll(r.Run, "-", ""), path.Join("tracking", r.Experiment, r.Run)
	if r.Trial != "" {
		err = errors.Join(err, checkName(op, "trial", r.Trial))
		id, folder = id+"-"+r.Trial, path.Join(folder, "trials", r.Trial)
	}
	if err != nil {
		return "", err
	}
	data, err := json.MarshalIndent(tracked{
		ID: id, Run: r.Run, Trial: r.Trial, Experiment: r.Experiment, Name: r.Name, Started: r.Started.UTC(), Tags: r.Tags,
		Stage: e.Stage, Params: e.Params, Metrics: e.Metrics, Step: e.Step, Series: e.Series, Artifacts: e.Artifacts, Ends: e.Ends, Failed: e.Failed,
	}, "", "  ")
	if err != nil { // a number that JSON does not have
		return "", churn.Errorf(op, churn.Invalid, "what the %s has to say of run %s cannot be recorded: %w", e.Stage, r.Run, err)
	}
	_, err = t.store.Put(ctx, path.Join(folder, e.Stage+".json"), mediaJSON, bytes.NewReader(append(data, '\n')))
	if err != nil && !churn.IsKind(err, churn.Conflict) {
		return "", err
	}
	return id, nil
}
