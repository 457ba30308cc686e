package gate

import (
	"bytes"
	"context"
	"strconv"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/jsonfile"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stage/fault"
)

const mediaJSON = "application/json"

// key returns where an artifact of a decision lies: that of a later round beside
// the first.
func key(run string, round int32, name string) string {
	if round == 0 {
		return churn.ArtifactKey(run, churn.Gate, name)
	}
	return churn.ArtifactKey(run, churn.Gate, "round-"+strconv.Itoa(int(round)), name)
}

// written is what a decision has left in the store.
type written struct {
	decision *blob.Artifact // decision.json
	report   *blob.Artifact // report.html; nil if there is none
}

// record writes the decision on m down, tells the tracking server, and returns what
// it has written.
func (g *Gate) record(ctx context.Context, e event.Event, m judged, d *decision) (written, error) {
	var w written
	var err error
	if w.decision, err = g.write(ctx, d); err != nil {
		return w, err
	}
	fault.Point("gate.written")
	if w.report, err = g.report(ctx, m, d); err != nil {
		return w, err
	}
	id, err := g.track(ctx, e, m.GetPlan(), d, w)
	if err != nil {
		return w, err
	}
	stage.Report(ctx, stage.Progress{Activity: string(d.Outcome), Done: 1, Total: 1, Tracking: id})
	return w, nil
}

// write puts decision.json. A Conflict is of an earlier attempt that wrote
// something else, as only another version of the gate can have.
func (g *Gate) write(ctx context.Context, d *decision) (*blob.Artifact, error) {
	body, err := jsonfile.Encode(d.Document)
	if err != nil {
		return nil, err
	}
	a, err := g.store.Put(ctx, key(d.Run, d.Round, churn.DecisionJSON), mediaJSON, bytes.NewReader(body))
	if churn.IsKind(err, churn.Conflict) {
		return nil, churn.Errorf("gate.write", churn.Conflict,
			"an earlier attempt, cut off before its end, has decided in other words (was the gate updated?): remove the object, and this one takes its place: %w", err)
	}
	return a, err
}
