// Package deadletter is what people do with the records that services have given
// up on: look at them by reason, have them tried anew once the reason is mended,
// or drop them.
//
// A log cannot be told to forget one record. So what was done with a letter is
// noted beside it, in the object store, and the letter stays where it is.
package deadletter

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
)

// ID is a letter's place in the dead-letter topic of a service, written as
// SERVICE/PARTITION/OFFSET.
type ID struct {
	Service   churn.Service
	Partition int
	Offset    int64
}

func (id ID) String() string { return fmt.Sprintf("%s/%d/%d", id.Service, id.Partition, id.Offset) }

// ParseID reads what String writes. Anything else is an Invalid error.
func ParseID(text string) (ID, error) {
	const op = "deadletter.ParseID"
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return ID{}, churn.Errorf(op, churn.Invalid, "%.200q is no dead letter: one is SERVICE/PARTITION/OFFSET, as in featurizer/0/12", text)
	}
	id := ID{Service: churn.Service(parts[0])}
	if !slices.Contains(churn.Stages(), id.Service) {
		return ID{}, churn.Errorf(op, churn.Invalid, "%.200q names no service: it is one of %v", text, churn.Stages())
	}
	partition, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return ID{}, churn.Errorf(op, churn.Invalid, "%.200q names no partition: it is a number", text)
	}
	offset, err := strconv.ParseUint(parts[2], 10, 63)
	if err != nil {
		return ID{}, churn.Errorf(op, churn.Invalid, "%.200q names no offset: it is a number", text)
	}
	id.Partition, id.Offset = int(partition), int64(offset)
	return id, nil
}

// Letter is one dead letter.
type Letter struct {
	ID ID
	stage.Letter
	Record bus.Record // as it is in the dead-letter topic
	// Event is the original's; without data if it was left out or is not one, and
	// then Undecodable says why.
	Event       event.Event
	Undecodable error
	State       State

	marks int // how many times somebody has begun to do something with it
}

// open reads a record of the service's dead-letter topic.
func open(s churn.Service, prefix string, r bus.Record) Letter {
	l := Letter{ID: ID{s, r.Partition, r.Offset}, Letter: stage.ReadLetter(r), Record: r, State: Open}
	if l.LeftOut > 0 {
		l.Undecodable = churn.Errorf("deadletter.open", churn.NotFound, "the original has %d bytes and was left out", l.LeftOut)
		return l
	}
	l.Event, l.Undecodable = event.Decode(l.Original, prefix)
	return l
}

// Run returns the id of the run that the original is of, or "" if that cannot be
// told.
func (l Letter) Run() string {
	if l.Undecodable != nil {
		return ""
	}
	return l.Event.Run()
}

// folder is where the letter's marks are. The digest tells it from a letter at the
// same place in a topic that was made anew.
func (l Letter) folder() string {
	return folderOf(l.ID.Service) + fmt.Sprintf("%d-%d-%s/", l.ID.Partition, l.ID.Offset, fingerprint(l.Record))
}

// folderOf is where the marks of a service's letters are.
func folderOf(s churn.Service) string { return "dlq/" + string(s) + "/" }

// fingerprint is a digest of the record's content, whose headers say when the
// letter was written.
func fingerprint(r bus.Record) string {
	h := sha256.New()
	write := func(part []byte) {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write(part)
	}
	write(r.Key)
	write(r.Value)
	for _, header := range r.Headers {
		write([]byte(header.Key))
		write(header.Value)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
