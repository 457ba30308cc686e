package evaluator

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/jsonfile"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// championJSON is where an evaluation notes whom it compares with.
const championJSON = "champion.json"

// pin is champion.json: the champion as the first attempt of this evaluation
// found it. A retry, a redelivery or an audit reads it back, and so writes the
// same bytes even if another model has been promoted since.
type pin struct {
	Model    string          `json:"model"`
	Stage    string          `json:"stage"`
	Champion *pinnedChampion `json:"champion"` // null if there was none
}

// pinnedChampion is eventv1.Champion in a JSON that is the same in every build,
// which protojson's is not.
type pinnedChampion struct {
	Version      int64          `json:"version"`
	Generation   int64          `json:"generation"`
	Run          string         `json:"run"`
	Artifact     *blob.Artifact `json:"artifact"`
	Preprocessor *blob.Artifact `json:"preprocessor"`
	Profile      *blob.Artifact `json:"profile,omitempty"` // of the data that it was trained on, if that is still there
}

// pinChampion returns the champion that this evaluation compares with, nil if
// there is none, and notes it at key unless it is noted already.
func (v *Evaluator) pinChampion(ctx context.Context, key string, plan *eventv1.Plan) (*pinnedChampion, error) {
	noted, err := v.readPin(ctx, key)
	if err == nil || !churn.IsKind(err, churn.NotFound) {
		return noted, err
	}
	found := pin{Model: plan.GetModel(), Stage: plan.GetGate().GetBaselineStage()}
	if found.Champion, err = v.currentChampion(ctx, found.Model, found.Stage); err != nil {
		return nil, err
	}
	body, err := jsonfile.Encode(found)
	if err != nil {
		return nil, err
	}
	_, err = v.store.Put(ctx, key, mediaJSON, bytes.NewReader(body))
	if churn.IsKind(err, churn.Conflict) {
		return v.readPin(ctx, key) // another attempt was first
	}
	return found.Champion, err
}

func (v *Evaluator) readPin(ctx context.Context, key string) (*pinnedChampion, error) {
	a, err := v.store.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	body, err := v.store.Get(ctx, a, smallLimit)
	if err != nil {
		return nil, err
	}
	var p pin
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, churn.Errorf("evaluator.readPin", churn.Invalid, "%s: %w", key, err)
	}
	return p.Champion, nil
}

// currentChampion asks the registry; nil if nothing has been promoted yet.
func (v *Evaluator) currentChampion(ctx context.Context, model, stage string) (*pinnedChampion, error) {
	c, err := v.registry.Champion(ctx, model, stage)
	if churn.IsKind(err, churn.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	version, err := v.registry.Version(ctx, model, c.Version)
	if churn.IsKind(err, churn.NotFound) { // not a missing champion: a registry that contradicts itself
		return nil, churn.E("evaluator.currentChampion", churn.Internal, err)
	}
	if err != nil {
		return nil, err
	}
	profile, err := v.store.Stat(ctx, churn.ArtifactKey(version.Run, churn.Featurizer, churn.ProfileJSON))
	if err != nil && !churn.IsKind(err, churn.NotFound) {
		return nil, err
	}
	return &pinnedChampion{c.Version, c.Generation, version.Run, version.Artifact, version.Preprocessor, profile}, nil
}

func (p *pinnedChampion) message() *eventv1.Champion {
	if p == nil {
		return nil
	}
	return &eventv1.Champion{
		Version: p.Version, Generation: p.Generation, Run: p.Run,
		Model: p.Artifact, Preprocessor: p.Preprocessor,
	}
}

// ofChampion says of an error that nothing but the champion is at fault.
func ofChampion(c *eventv1.Champion, err error) error {
	if !churn.IsKind(err, churn.Invalid) {
		return err
	}
	return churn.Errorf("evaluator.score", churn.Invalid,
		"the champion, version %d, cannot be scored on this data: %w (keep the columns that it needs, or begin anew with another gate.baseline_stage)",
		c.GetVersion(), err)
}
