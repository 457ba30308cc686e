// Command featurizer runs the featurizer: see services/featurizer.
package main

import (
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/services/featurizer"
)

func main() { service.Main(churn.Featurizer, featurizer.Build) }
