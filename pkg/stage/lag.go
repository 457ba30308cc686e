package stage

import (
	"context"
	"strconv"
	"time"

	"github.com/asfotec/churn/pkg/bus"
)

// lagEvery is how often the group's lag is measured.
const lagEvery = 15 * time.Second

// measureLag keeps the lag's metric up to date until ctx is done, if the log can
// tell. What cannot be measured stays as it was.
func (r *Runner) measureLag(ctx context.Context) {
	log, can := r.options.Log.(bus.Lagger)
	if !can {
		return
	}
	for {
		limited, cancel := context.WithTimeout(ctx, lagEvery)
		behind, err := log.Lag(limited, r.group(), r.topics()...)
		cancel()
		if err == nil {
			for topic, partitions := range behind {
				for id, n := range partitions {
					r.options.Metrics.lag.WithLabelValues(string(r.stage.Service), topic, strconv.Itoa(id)).Set(float64(n))
				}
			}
		}
		if !sleep(ctx, lagEvery) {
			return
		}
	}
}
