// Command trainer runs the trainer: see services/trainer.
package main

import (
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/worker"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/services/trainer"
)

func main() {
	worker.Main() // does not return in the process that trains
	service.Main(churn.Trainer, trainer.Build)
}
