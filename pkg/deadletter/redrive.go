package deadletter

import (
	"context"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
)

// Redrive puts the letter into the retry topic of its service, whose group tries it
// anew, at once. It is a Conflict if something was done with the letter already,
// unless again, or is being done by somebody else; and Invalid if the original was
// left out. After another error it may have been put back or not.
//
// The claim comes first, because two people who look at one list must not both put
// it back. Twice does no harm, though: stages find work that is finished.
func (b *Box) Redrive(ctx context.Context, l Letter, m Mark, again bool) error {
	if l.LeftOut > 0 {
		return churn.Errorf("deadletter.Redrive", churn.Invalid,
			"the original of dead letter %s has %d bytes and was left out (an event has at most %d): it is still at %s[%d]@%d if that topic keeps it, and would fail again",
			l.ID, l.LeftOut, event.MaxSize, Plain(l.Original.Topic), l.Original.Partition, l.Original.Offset)
	}
	m.Action = Redriven
	return b.settle(ctx, l, m, again, func() error {
		return b.log.Publish(ctx, stage.Redriven(l.ID.Service, b.prefix, l.Record))
	})
}

// Drop notes that nothing will come of the letter. Its errors are those of
// Redrive.
func (b *Box) Drop(ctx context.Context, l Letter, m Mark, again bool) error {
	m.Action = Dropped
	return b.settle(ctx, l, m, again, func() error { return nil })
}
