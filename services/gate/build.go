package gate

import (
	"context"

	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
)

// Build makes the gate's stage.
func Build(_ context.Context, p service.Parts) (stage.Stage, error) {
	g := New(p.Store, p.Registry, p.Tracker)
	s := g.Stage()
	s.Beside = (&lapses{g, p.Config.TopicPrefix, p.Log}).run
	return s, nil
}
