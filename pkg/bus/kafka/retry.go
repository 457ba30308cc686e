package kafka

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/churn"
)

// backoff is a growing pause with jitter, so that members do not come back all
// at once.
type backoff struct{ pause time.Duration }

const (
	minPause = 20 * time.Millisecond
	maxPause = 2 * time.Second
)

// wait pauses, and reports false if ctx was done first.
func (b *backoff) wait(ctx context.Context) bool {
	b.pause = min(max(2*b.pause, minPause), maxPause)
	t := time.NewTimer(b.pause/2 + rand.N(b.pause/2))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (b *backoff) reset() { b.pause = 0 }

// retry calls f until it succeeds, fails for good, or the bus's patience is
// over. What is known of the cluster is refreshed in between. The error has a
// kind.
func (b *Bus) retry(ctx context.Context, op string, f func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, b.config.Patience)
	defer cancel()
	start := time.Now()
	var pause backoff
	var last error
	for {
		err := f(limited)
		if err == nil {
			return nil
		}
		if limited.Err() == nil || last == nil {
			last = err // rather than that the time is over
		}
		settled := missing(err) && time.Since(start) > settling
		if settled || !retriable(err) || !pause.wait(limited) {
			return b.fail(op, last)
		}
		b.refresh()
	}
}

// settling is how long a new topic may take to be known to every broker.
const settling = 2 * time.Second

// retriable reports whether a request may succeed if it is sent again.
func retriable(err error) bool {
	if denial(err) != "" {
		return false
	}
	var code kafka.Error
	if errors.As(err, &code) {
		return code.Temporary() || code.Timeout() || missing(err)
	}
	var e *churn.Error
	return !errors.As(err, &e) || e.Kind == churn.Transient || e.Kind == churn.NotFound
}
