package notifier

import "github.com/prometheus/client_golang/prometheus"

// counter counts notices by what became of them.
type counter struct{ notices *prometheus.CounterVec }

func newCounter(r prometheus.Registerer) *counter {
	c := &counter{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "churn_notices_total", Help: "Notices by what became of them: sent, refused, too-old.",
	}, []string{"channel", "outcome", "result"})}
	if r != nil {
		r.MustRegister(c.notices)
	}
	return c
}

func (c *counter) add(channel string, o Outcome, r Result) {
	c.notices.WithLabelValues(channel, string(o), string(r)).Inc()
}
