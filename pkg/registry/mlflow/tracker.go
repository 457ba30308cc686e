package mlflow

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// done is the value of a stage's tag once the stage is recorded.
const done = "done"

// Tracker is a registry.Tracker on an MLflow server. It is safe for concurrent
// use, by any number of processes.
type Tracker struct{ runs runs }

var _ registry.Tracker = (*Tracker)(nil)

// NewTracker returns a tracker. The store holds the artifacts, and which MLflow
// run is a run's.
func NewTracker(c *Client, store blob.Store) *Tracker { return &Tracker{runs{c, store}} }

// Track implements registry.Tracker: the run is an MLflow run of the experiment,
// a trial a child of it. A stage that is recorded is marked by a tag, last of
// all; what was recorded first stays.
func (t *Tracker) Track(ctx context.Context, r registry.Run, e registry.Entry) (string, error) {
	const op = "mlflow.Track"
	err := errors.Join(checkName(op, "experiment", r.Experiment), checkName(op, "run", r.Run), checkName(op, "stage", e.Stage))
	if r.Trial != "" {
		err = errors.Join(err, checkName(op, "trial", r.Trial))
	}
	if err != nil {
		return "", err
	}
	m, err := t.runs.ensure(ctx, r)
	if err != nil {
		return "", recording(op, err)
	}
	if _, ok := valueOf(m.Data.Tags, tagStage+e.Stage); ok {
		return m.Info.ID, nil
	}
	return m.Info.ID, recording(op, t.record(ctx, m, r, e))
}

// record records the entry: first what it is made of, last that it is there.
func (t *Tracker) record(ctx context.Context, m *run, r registry.Run, e registry.Entry) error {
	for _, name := range slices.Sorted(maps.Keys(e.Artifacts)) {
		if err := t.runs.copyArtifact(ctx, m, e.Stage+"/"+name, e.Artifacts[name]); err != nil {
			return err
		}
	}
	for n, b := range batches(m, r, e) {
		if err := t.runs.log(ctx, m, b, e.Stage, n); err != nil {
			return err
		}
	}
	if e.Ends {
		if err := t.end(ctx, m, e.Failed); err != nil {
			return err
		}
	}
	return t.runs.client.change(ctx, "POST", "runs/set-tag", e.Stage,
		map[string]any{"run_id": m.Info.ID, "key": tagStage + e.Stage, "value": done}, nil)
}

// end ends the run, now: MLflow shows people how long it took.
func (t *Tracker) end(ctx context.Context, m *run, failed bool) error {
	status := "FINISHED"
	if failed {
		status = "FAILED"
	}
	now := time.Now().UnixMilli() //nolint:forbidigo // for people; in no artifact
	return t.runs.client.change(ctx, "POST", "runs/update", "end",
		map[string]any{"run_id": m.Info.ID, "status": status, "end_time": now}, nil)
}

// recording gives an error the kind that it has for a stage. What is not there
// may be by the next attempt, which makes it; it is no fault of the event.
func recording(op string, err error) error {
	if churn.IsKind(err, churn.NotFound) || churn.IsKind(err, churn.Conflict) {
		return churn.E(op, churn.Internal, err)
	}
	return err
}
