package notifier

import (
	"context"
	"errors"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// Channel is a way to tell people, or programs.
type Channel interface {
	// Name is the channel's in routes and receipts.
	Name() string
	// Send tells of n, under an id that is the same at each attempt. Its error is
	// Invalid if the remote will never take the notice, and Internal if it may
	// later; then it may be a Busy. It tells nobody the channel's secrets.
	Send(ctx context.Context, id string, n *Notice) error
}

// The channels' names.
const (
	Slack   = "slack"
	Email   = "email"
	Webhook = "webhook"
)

// Busy is the error of a remote that says when to come back.
type Busy struct {
	After time.Duration
	Err   error
}

func (b *Busy) Error() string { return b.Err.Error() }
func (b *Busy) Unwrap() error { return b.Err }

// refused reports whether the remote will never take the notice.
func refused(err error) bool { return churn.IsKind(err, churn.Invalid) }

// pauseOf returns how long the remote wants to be left alone; 0 if it does not say.
func pauseOf(err error) time.Duration {
	var b *Busy
	if errors.As(err, &b) {
		return min(b.After, maxPause)
	}
	return 0
}

// maxPause bounds how long a remote can have the notifier wait in place.
const maxPause = time.Minute
