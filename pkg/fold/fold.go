// Package fold computes the state of the pipeline from its events: the log is
// the truth, what is shown of it is a fold. Any order and any duplication of a
// run's events give the same state.
package fold

import (
	"cmp"
	"slices"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Status says how far a run is.
type Status string

// The statuses, in the order of a run; the last three end it.
const (
	Requested Status = "requested"
	Training  Status = "training"
	Evaluate  Status = "evaluating"
	Deciding  Status = "deciding"
	Promoted  Status = "promoted"
	Rejected  Status = "rejected"
	Failed    Status = "failed"
)

// Ended reports whether nothing more follows.
func (s Status) Ended() bool { return s == Promoted || s == Rejected || s == Failed }

// Run is the state of one run.
type Run struct {
	ID          string
	Model       string
	RequestedAt time.Time
	Events      map[string]event.Event // by id
}

// Runs folds events into runs.
type Runs map[string]*Run

// Add folds one event in. Telemetry and the compacted table say nothing new and
// are passed over, and so is what names no run: only a request makes one.
func (r Runs) Add(e event.Event) {
	if e.Topic == churn.RunProgress || e.Topic == churn.ModelCurrent || e.Data == nil {
		return
	}
	if e.Correlation == "" && e.Topic != churn.RetrainRequested {
		return
	}
	id := e.Run()
	run := r[id]
	if run == nil {
		run = &Run{ID: id, Events: map[string]event.Event{}}
		r[id] = run
	}
	run.Events[e.ID] = e
	if m := modelOf(e.Data); m != "" {
		run.Model = m
	}
	if run.RequestedAt.IsZero() || e.Time.Before(run.RequestedAt) {
		run.RequestedAt = e.Time
	}
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

// Status returns how far the run is: what followed last counts, so that a
// candidate that the gate has sent back is being evaluated. A promotion or
// rejection outweighs a failure: a run that failed and was mended ends as what it
// became.
func (r *Run) Status() Status {
	for _, t := range []churn.Topic{churn.ModelPromoted, churn.ModelRejected, churn.RunFailed} {
		if _, ok := r.Last(t); ok {
			return statuses[t]
		}
	}
	for _, e := range slices.Backward(r.Timeline()) {
		if s, ok := statuses[e.Topic]; ok {
			return s
		}
	}
	return Requested
}

// statuses says what a run is at once there is an event of the topic.
var statuses = map[churn.Topic]Status{
	churn.FeaturesReady:  Training,
	churn.ModelTrained:   Evaluate,
	churn.ModelEvaluated: Deciding,
	churn.ModelPromoted:  Promoted,
	churn.ModelRejected:  Rejected,
	churn.RunFailed:      Failed,
}

// Last returns the run's event on the topic with the highest sequence, and
// whether there is one.
func (r *Run) Last(t churn.Topic) (event.Event, bool) {
	var last event.Event
	found := false
	for _, e := range r.Events {
		if e.Topic == t && (!found || newer(e, last)) {
			last, found = e, true
		}
	}
	return last, found
}

// Timeline returns the run's events in the order in which they followed.
func (r *Run) Timeline() []event.Event {
	events := make([]event.Event, 0, len(r.Events))
	for _, e := range r.Events {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b event.Event) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
	})
	return events
}

// Data returns the payload of the run's last event on the topic, or nil.
func Data[M any](r *Run, t churn.Topic) *M {
	e, ok := r.Last(t)
	if !ok {
		return nil
	}
	m, _ := any(e.Data).(*M)
	return m
}

// Metrics returns the candidate's hold-out metrics, or nil before the
// evaluation.
func (r *Run) Metrics() *eventv1.Metrics {
	return Data[eventv1.ModelEvaluated](r, churn.ModelEvaluated).GetMetrics()
}

// Version returns the version that the run was registered as, or 0.
func (r *Run) Version() int64 {
	return Data[eventv1.ModelPromoted](r, churn.ModelPromoted).GetVersion()
}

func newer(a, b event.Event) bool {
	return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.ID, b.ID)) > 0
}

func modelOf(m any) string {
	switch m := m.(type) {
	case interface{ GetPlan() *eventv1.Plan }:
		return m.GetPlan().GetModel()
	case interface{ GetModel() string }:
		return m.GetModel()
	}
	return ""
}
