package stage

import (
	"slices"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// Letter is what a record of a dead-letter topic says. Anyone who may write there
// can have written it: headers that make no sense count as not there.
type Letter struct {
	Original    bus.Record // as it was read at first; without key, value and headers if it was left out
	LeftOut     int64      // bytes of an original that was too large to be kept; 0: it is here
	Attempts    int
	Kind        string // of the error; see churn.Kind
	Message     string // of the error, at most 4 KiB
	First, Last time.Time
}

// ReadLetter returns what the dead letter says.
func ReadLetter(r bus.Record) Letter {
	h := headerMap(r.Headers)
	return Letter{
		Original: comeback(anew(r)).record,
		LeftOut:  parseCount(h[dlqLeftOut], 64),
		Attempts: int(parseCount(h[dlqAttempts], 31)),
		Kind:     bounded(h[dlqKind]),
		Message:  bounded(h[dlqMessage]),
		First:    parseTime(h[dlqFirstTime]),
		Last:     parseTime(h[dlqLastTime]),
	}
}

// Redriven returns the record that has the service try its dead letter anew, at
// once and as if it had come for the first time. No other group sees it.
func Redriven(s churn.Service, prefix string, letter bus.Record) bus.Record {
	r := anew(letter)
	r.Topic, r.Time = s.RetryTopic().Name(prefix), time.Time{}
	return r
}

// anew takes away what would be taken for headers of a retry. An original can
// have come with them.
func anew(r bus.Record) bus.Record {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h bus.Header) bool {
		return strings.HasPrefix(h.Key, retryPrefix) && slices.Contains(added, h.Key)
	})
	return r
}
