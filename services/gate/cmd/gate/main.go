// Command gate runs the gate: see services/gate.
package main

import (
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/services/gate"
)

func main() { service.Main(churn.Gate, gate.Build) }
