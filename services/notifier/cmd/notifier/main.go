// Command notifier runs the notifier: see services/notifier.
package main

import (
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/services/notifier"
)

func main() { service.Main(churn.Notifier, notifier.Build) }
