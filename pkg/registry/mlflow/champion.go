package mlflow

import (
	"context"
	"net/url"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// alias returns MLflow's alias of the stage's champion. MLflow allows no dots in
// it.
func alias(stage string) string {
	if stage == churn.ServingStage {
		return "champion"
	}
	return "champion-" + strings.ReplaceAll(stage, ".", "_")
}

// show writes the champion's stage and alias, where they are not so already.
// there are MLflow's versions.
func (r *Registry) show(ctx context.Context, c registry.Champion, v registry.Version, there []version) error {
	number := there[indexOf(there, v)].Number
	staged, err := r.staged(ctx, c)
	if err != nil {
		return err
	}
	if staged && !alone(there, number, c.Stage) {
		err := r.runs.client.change(ctx, "POST", "model-versions/transition-stage", c.Stage, map[string]any{
			"name": c.Model, "version": number, "stage": c.Stage, "archive_existing_versions": true,
		}, nil)
		if err != nil {
			return err
		}
	}
	name := alias(c.Stage)
	aliased, err := r.aliased(ctx, c.Model, name)
	if err != nil || aliased == number {
		return err
	}
	err = r.runs.client.change(ctx, "POST", "registered-models/alias", name,
		map[string]any{"name": c.Model, "alias": name, "version": number}, nil)
	if churn.IsKind(err, churn.Internal) { // as it is if another does the same at this moment
		if aliased, again := r.aliased(ctx, c.Model, name); again == nil && aliased == number {
			return nil
		}
	}
	return err
}

// alone reports whether the version is in the stage, and no other is.
func alone(there []version, number, stage string) bool {
	is := false
	for _, m := range there {
		if m.Stage != stage {
			continue
		}
		if m.Number != number {
			return false
		}
		is = true
	}
	return is
}

// aliased returns the number of the version that has the alias, or "".
func (r *Registry) aliased(ctx context.Context, model, alias string) (string, error) {
	var answer struct {
		Model struct {
			Aliases []struct {
				Alias   string `json:"alias"`
				Version string `json:"version"`
			} `json:"aliases"`
		} `json:"registered_model"`
	}
	if err := r.runs.client.ask(ctx, "GET", "registered-models/get", url.Values{"name": {model}}, &answer); err != nil {
		return "", err
	}
	for _, a := range answer.Model.Aliases {
		if a.Alias == alias {
			return a.Version, nil
		}
	}
	return "", nil
}
