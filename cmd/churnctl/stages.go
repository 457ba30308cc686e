package main

import (
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/services/evaluator"
	"github.com/asfotec/churn/services/featurizer"
	"github.com/asfotec/churn/services/gate"
	"github.com/asfotec/churn/services/notifier"
	"github.com/asfotec/churn/services/trainer"
)

// builds makes the stage of each service: the same values that the service
// binaries run.
var builds = map[churn.Service]service.Build{
	churn.Featurizer: featurizer.Build,
	churn.Trainer:    trainer.Build,
	churn.Evaluator:  evaluator.Build,
	churn.Gate:       gate.Build,
	churn.Notifier:   notifier.Build,
}

// buildStages makes every stage, in the order of a run. What they hold ends with
// ctx.
func buildStages(ctx context.Context, p service.Parts) ([]stage.Stage, error) {
	var stages []stage.Stage
	for _, s := range stage.Services() {
		st, err := builds[s](ctx, p)
		if err != nil {
			return nil, err
		}
		stages = append(stages, st)
	}
	return stages, nil
}
