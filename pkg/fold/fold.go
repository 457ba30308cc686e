// Package fold computes the state of the pipeline from its events: the log is
// the truth, what is shown of it is a fold. Any order and any duplication of a
// run's events give the same state, and the state at a former time is the fold
// of what was on the log by then.
package fold

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Runs is the state of the pipeline: its runs by id. Champions and pending
// approvals are read off them.
type Runs map[string]*Run

// Add folds in an event that comes from no log: its time there is not known.
func (r Runs) Add(e event.Event) { r.AddAt(e, time.Time{}) }

// AddAt folds in an event whose record came to the log at the given time. The
// event's own time does not say that: all events of a run carry the request's.
//
// Telemetry and the compacted table say nothing new and are passed over, and so
// is what names no run: only a request makes one. Of two events with one id the
// earlier counts, as it does for the services.
func (r Runs) AddAt(e event.Event, at time.Time) {
	id := runOf(e)
	if id == "" {
		return
	}
	run := r[id]
	if run == nil {
		run = &Run{ID: id, Events: map[string]event.Event{}, at: map[string]time.Time{}}
		r[id] = run
	}
	known, ok := run.Events[e.ID]
	if ok && !earlier(e, at, known, run.at[e.ID]) {
		return
	}
	run.Events[e.ID], run.at[e.ID] = e, at
	if ok {
		run.rename()
		return
	}
	run.name(e)
}

// runOf returns the id of the event's run, or "" if it is of none.
func runOf(e event.Event) string {
	if e.Topic == churn.RunProgress || e.Topic == churn.ModelCurrent || e.Data == nil {
		return ""
	}
	switch m := e.Data.(type) {
	case *eventv1.ApprovalDecided: // whoever answers may know nothing of correlation ids
		return m.GetRun()
	case *eventv1.CancelRequested:
		return m.GetRun()
	case *eventv1.RetrainRequested:
		return e.Run()
	case *eventv1.RollbackRequested, *eventv1.OverrideRequested:
		if own := churn.RunID(e.ID); e.Run() == own { // the gate refuses what claims another's
			return own
		}
		return ""
	}
	return e.Correlation
}

// earlier reports whether event a, of time at, counts rather than b, which has
// the same id. Times that are not known come last; what came at one time is told
// apart by its bytes, so that there is one answer in any order.
func earlier(a event.Event, at time.Time, b event.Event, bt time.Time) bool {
	switch {
	case at.Equal(bt):
		return bytes.Compare(content(a), content(b)) < 0
	case at.IsZero() || bt.IsZero():
		return bt.IsZero()
	}
	return at.Before(bt)
}

// content returns bytes that two events share only if they are the same.
func content(e event.Event) []byte {
	r, err := event.Encode(e, "")
	if err != nil { // a payload that is no event's: what can be told of it is its data
		data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(e.Data)
		return data
	}
	out := []byte(r.Topic)
	for _, h := range r.Headers {
		out = append(append(out, h.Key...), h.Value...)
	}
	return append(out, r.Value...)
}

// Sorted returns the runs, the newest request first.
func (r Runs) Sorted() []*Run {
	runs := make([]*Run, 0, len(r))
	for _, run := range r {
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b *Run) int {
		return cmp.Or(b.RequestedAt.Compare(a.RequestedAt), cmp.Compare(a.ID, b.ID))
	})
	return runs
}

// Pending returns the approvals that wait for an answer, the oldest first.
func (r Runs) Pending() []Approval {
	var pending []Approval
	for _, run := range r {
		if run.Status() != Pending {
			continue
		}
		approvals := run.Approvals()
		pending = append(pending, approvals[len(approvals)-1])
	}
	slices.SortFunc(pending, func(a, b Approval) int {
		return cmp.Or(a.RequestedAt.Compare(b.RequestedAt), cmp.Compare(a.ID, b.ID))
	})
	return pending
}
