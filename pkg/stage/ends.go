package stage

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// maxModels bounds how many models have time series of their own: events name
// them, and anyone may send events.
const maxModels = 100

// ends counts how runs end, and says which version of a model is champion. A run
// whose end is published again is counted again.
type ends struct {
	runs    *prometheus.CounterVec
	version *prometheus.GaugeVec
	auc     *prometheus.GaugeVec

	mu    sync.Mutex
	known map[string]bool
}

func newEnds() *ends {
	return &ends{
		known: map[string]bool{},
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "churn_run_ends_total", Help: "Runs by their end: promoted, rejected, failed.",
		}, []string{"model", "end"}),
		version: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "churn_champion_version", Help: "Version that this gate put into production last.",
		}, []string{"model"}),
		auc: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "churn_champion_auc", Help: "Hold-out AUC of the version that this gate put into production last.",
		}, []string{"model"}),
	}
}

// label returns the model's name, or "other" beyond maxModels.
func (m *ends) label(model string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.known[model] && len(m.known) >= maxModels {
		return "other"
	}
	m.known[model] = true
	return model
}

// published takes note of what a stage has published.
func (m *ends) published(events []event.Event) {
	for _, e := range events {
		switch d := e.Data.(type) {
		case *eventv1.ModelPromoted:
			if e.Topic != churn.ModelPromoted { // its row in the table
				continue
			}
			model := m.label(d.GetModel())
			m.runs.WithLabelValues(model, "promoted").Inc()
			m.version.WithLabelValues(model).Set(float64(d.GetVersion()))
			m.auc.WithLabelValues(model).Set(d.GetMetrics().GetAuc())
		case *eventv1.ModelRejected:
			m.runs.WithLabelValues(m.label(d.GetModel()), "rejected").Inc()
		case *eventv1.RunFailed:
			m.runs.WithLabelValues(m.label(d.GetModel()), "failed").Inc()
		}
	}
}
