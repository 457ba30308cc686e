package deadletter

import (
	"context"
	"errors"
	"slices"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// Log is what a Box needs of a bus.
type Log interface {
	bus.Reader
	bus.Publisher
	Topics(ctx context.Context) ([]string, error) // see bus.Admin
}

// Box is the dead letters of a pipeline.
type Box struct {
	log    Log
	store  blob.Store
	prefix string
}

// NewBox returns the dead letters of the topics under prefix, with what the store
// says was done with them.
func NewBox(log Log, store blob.Store, prefix string) *Box { return &Box{log, store, prefix} }

// Each calls do for each letter that was there at the start, service by service
// and the oldest first, and ends with its first error. A service whose topic is not
// there has none.
func (b *Box) Each(ctx context.Context, services []churn.Service, do func(Letter) error) error {
	existing, err := b.log.Topics(ctx)
	if err != nil {
		return err
	}
	for _, s := range services {
		topic := s.DeadLetterTopic().Name(b.prefix)
		if !slices.Contains(existing, topic) {
			continue
		}
		marks, err := readMarks(ctx, b.store, s)
		if err != nil {
			return err
		}
		err = b.log.Read(ctx, topic, nil, false, func(_ context.Context, r bus.Record) error {
			return do(marks.of(open(s, b.prefix, r)))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Find returns the letter, or NotFound.
func (b *Box) Find(ctx context.Context, id ID) (Letter, error) {
	const op = "deadletter.Find"
	topic := id.Service.DeadLetterTopic().Name(b.prefix)
	r, err := b.record(ctx, topic, id.Partition, id.Offset)
	if err != nil {
		return Letter{}, err
	}
	if r == nil {
		return Letter{}, churn.Errorf(op, churn.NotFound, "there is no dead letter %s", id)
	}
	marks, err := readMarks(ctx, b.store, id.Service)
	if err != nil {
		return Letter{}, err
	}
	return marks.of(open(id.Service, b.prefix, *r)), nil
}

// Original reads an original that was left out from where it was read at first. It
// is NotFound if its topic keeps it no longer.
func (b *Box) Original(ctx context.Context, l Letter) (bus.Record, error) {
	at := l.Original
	r, err := b.record(ctx, at.Topic, at.Partition, at.Offset)
	if err == nil && r == nil {
		err = churn.Errorf("deadletter.Original", churn.NotFound, "%s[%d]@%d is there no longer", Plain(at.Topic), at.Partition, at.Offset)
	}
	if err != nil {
		return bus.Record{}, err
	}
	return *r, nil
}

var errFound = errors.New("found")

// record returns one record of a topic, or nil if it is not there.
func (b *Box) record(ctx context.Context, topic string, partition int, offset int64) (*bus.Record, error) {
	existing, err := b.log.Topics(ctx)
	if err != nil || !slices.Contains(existing, topic) {
		return nil, err
	}
	from, err := b.log.End(ctx, topic)
	if err != nil {
		return nil, err
	}
	if end, ok := from[partition]; !ok || offset >= end {
		return nil, nil
	}
	from[partition] = offset
	var found *bus.Record
	err = b.log.Read(ctx, topic, from, false, func(_ context.Context, r bus.Record) error {
		if r.Partition != partition {
			return nil // it has come since
		}
		if r.Offset == offset {
			found = &r
		}
		return errFound // or what follows one that is there no longer
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	return found, nil
}
