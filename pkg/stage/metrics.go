package stage

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Metrics counts what stages do. One value serves all stages of a process.
type Metrics struct {
	events      *prometheus.CounterVec
	retries     *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	inFlight    *prometheus.GaugeVec
	seconds     *prometheus.HistogramVec
	lag         *prometheus.GaugeVec
	ends        *ends
}

// What became of a record.
const (
	outcomeDone   = "done"
	outcomeRetry  = "retry"  // put aside in the retry topic
	outcomeFailed = "failed" // dead letter
)

// NewMetrics returns metrics that are registered with r, which may be nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "churn_events_total", Help: "Records by what became of them: done, retry, failed.",
		}, []string{"service", "topic", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "churn_failed_attempts_total", Help: "Attempts at an event that failed, by the error's kind.",
		}, []string{"service", "kind"}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "churn_dead_letters_total", Help: "Dead letters by the error's kind.",
		}, []string{"service", "kind"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "churn_events_in_flight", Help: "Events that are being handled.",
		}, []string{"service"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "churn_event_seconds", Help: "From an event's arrival to its outputs' acknowledgement, retries in place included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 11),
		}, []string{"service"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "churn_consumer_lag", Help: "Records of the partition that the service's group has not committed, measured every 15 s.",
		}, []string{"service", "topic", "partition"}),
		ends: newEnds(),
	}
	if r != nil {
		r.MustRegister(m.events, m.retries, m.deadLetters, m.inFlight, m.seconds, m.lag, m.ends.runs, m.ends.version, m.ends.auc)
	}
	return m
}

// Observe measures how long events take and how many are in flight.
func (m *Metrics) Observe(s churn.Service) Middleware {
	inFlight, seconds := m.inFlight.WithLabelValues(string(s)), m.seconds.WithLabelValues(string(s))
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, e event.Event) ([]event.Event, error) {
			inFlight.Inc()
			defer inFlight.Dec()
			start := time.Now()
			defer func() { seconds.Observe(time.Since(start).Seconds()) }()
			return next.Handle(ctx, e)
		})
	}
}
