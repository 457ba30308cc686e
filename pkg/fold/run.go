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
	Pending   Status = "pending" // a person must decide
	Promoted  Status = "promoted"
	Rejected  Status = "rejected"
	Failed    Status = "failed"
)

// Statuses returns all of them, in their order.
func Statuses() []Status {
	return []Status{Requested, Training, Evaluate, Deciding, Pending, Promoted, Rejected, Failed}
}

// Ended reports whether nothing more follows.
func (s Status) Ended() bool { return s == Promoted || s == Rejected || s == Failed }

// Kind says what a run was asked for.
type Kind string

// The kinds.
const (
	Retrain  Kind = "retrain"
	Rollback Kind = "rollback"
	Override Kind = "override"
)

// Run is the state of one run.
type Run struct {
	ID          string
	Model       string // empty until an event names it
	RequestedAt time.Time
	Events      map[string]event.Event // by id

	at    map[string]time.Time // when each came to the log; zero if that is not known
	named event.Event          // that Model is from
}

// At returns when the event came to the log: at first, if it did several times.
// Of an event that comes from no log it is the event's own time.
func (r *Run) At(e event.Event) time.Time {
	if at := r.at[e.ID]; !at.IsZero() {
		return at
	}
	return e.Time
}

// Kind returns what the run was asked for.
func (r *Run) Kind() Kind {
	if _, ok := r.Last(churn.RollbackRequested); ok {
		return Rollback
	}
	if _, ok := r.Last(churn.OverrideRequested); ok {
		return Override
	}
	return Retrain
}

// name takes the model and the request's time from an event: of several that
// contradict each other, from the first in their order.
func (r *Run) name(e event.Event) {
	if e.Topic == churn.CancelRequested {
		return // no step of the run
	}
	if e.Topic != churn.ApprovalDecided && (r.RequestedAt.IsZero() || e.Time.Before(r.RequestedAt)) {
		r.RequestedAt = e.Time // a decision has a time of its own
	}
	if m := modelOf(e.Data); m != "" && (r.Model == "" || follows(e, r.named) < 0) {
		r.Model, r.named = m, e
	}
}

// rename does so anew, after an event has taken the place of another.
func (r *Run) rename() {
	r.Model, r.RequestedAt = "", time.Time{}
	for _, e := range r.Events {
		r.name(e)
	}
}

func modelOf(m any) string {
	switch m := m.(type) {
	case interface{ GetModel() string }:
		return m.GetModel()
	case interface{ GetPlan() *eventv1.Plan }:
		return m.GetPlan().GetModel()
	}
	return ""
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
	last, found := event.Event{}, false
	for _, e := range r.Events {
		if _, ok := statuses[e.Topic]; ok && (!found || inRounds(e, last) > 0) {
			last, found = e, true
		}
	}
	switch {
	case !found:
		return Requested
	case last.Topic == churn.ModelTrained && r.training():
		return Training
	case last.Topic == churn.ApprovalRequested && r.approval(last).Answer != nil:
		return Deciding
	}
	return statuses[last.Topic]
}

// statuses says what a run is at once there is an event of the topic.
var statuses = map[churn.Topic]Status{
	churn.FeaturesReady:     Training,
	churn.ModelTrained:      Evaluate,
	churn.ModelEvaluated:    Deciding,
	churn.ApprovalRequested: Pending,
	churn.ModelPromoted:     Promoted,
	churn.ModelRejected:     Rejected,
	churn.RunFailed:         Failed,
}

// inRounds orders events by round, and within one as they followed.
func inRounds(a, b event.Event) int {
	return cmp.Or(cmp.Compare(round(a), round(b)), follows(a, b))
}

func round(e event.Event) int32 {
	if m, ok := e.Data.(interface{ GetRound() int32 }); ok {
		return m.GetRound()
	}
	return 0
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
	slices.SortFunc(events, follows)
	return events
}

// follows orders events by how many steps from the request they are.
func follows(a, b event.Event) int {
	return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}

func newer(a, b event.Event) bool {
	return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.ID, b.ID)) > 0
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
// evaluation; of a run that asked for a former version, that version's.
func (r *Run) Metrics() *eventv1.Metrics {
	if m := Data[eventv1.ModelEvaluated](r, churn.ModelEvaluated); m != nil {
		return m.GetMetrics()
	}
	return Data[eventv1.ModelPromoted](r, churn.ModelPromoted).GetMetrics()
}

// Version returns the version that the run was registered as, or 0.
func (r *Run) Version() int64 {
	return Data[eventv1.ModelPromoted](r, churn.ModelPromoted).GetVersion()
}
