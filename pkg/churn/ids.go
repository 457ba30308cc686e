package churn

import (
	"strconv"

	"github.com/google/uuid"
)

// Namespace is the UUID namespace of every derived id.
var Namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://asfotec.com/churn"))

// RunID returns the id of the run that the request event with the given id
// asks for: UUIDv5 of the request's id, so that a request sent twice is one run.
func RunID(requestID string) string {
	return derive("run", requestID)
}

// EventID returns the id of the index-th event of the given CloudEvent type
// that is caused by the event causeID.
func EventID(causeID, eventType string, index int) string {
	return derive("event", causeID, eventType, strconv.Itoa(index))
}

// TrialKey returns the record key of a run's trial: trials of one run are spread
// over partitions, and so over trainers.
func TrialKey(run string, trial int) string { return run + "/" + strconv.Itoa(trial) }

// derive is UUIDv5 over length-prefixed parts, so that no two lists of parts
// collide.
func derive(parts ...string) string {
	var name []byte
	for _, p := range parts {
		name = strconv.AppendInt(name, int64(len(p)), 10)
		name = append(name, ':')
		name = append(name, p...)
	}
	return uuid.NewSHA1(Namespace, name).String()
}
