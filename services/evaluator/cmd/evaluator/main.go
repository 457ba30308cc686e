// Command evaluator runs the evaluator: see services/evaluator.
package main

import (
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/services/evaluator"
)

func main() { service.Main(churn.Evaluator, evaluator.Build) }
