package fold

import (
	"cmp"
	"slices"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Approval is a question to a person: may the candidate be promoted?
type Approval struct {
	ID          string // of the approval-requested event
	Run         string
	Model       string
	Round       int32
	Champion    int64     // the version in production; 0 if there is none
	RequestedBy string    // who asked for the run
	RequestedAt time.Time // when the gate asked
	ExpiresAt   time.Time // zero: never
	Summary     string    // what is asked, in words
	Answer      *Answer   // nil while there is none
}

// Lapsed reports whether it is too late for an answer at the given time, though
// the gate may not have said so yet.
func (a Approval) Lapsed(at time.Time) bool { return !a.ExpiresAt.IsZero() && !at.Before(a.ExpiresAt) }

// Answer is what came of the question.
type Answer struct {
	Approved bool
	Expired  bool // nobody decided in time; By is then empty
	By       string
	Reason   string
	At       time.Time
}

// Approvals returns every approval that the run has asked for, oldest first.
func (r *Run) Approvals() []Approval {
	var requests []event.Event
	for _, e := range r.Events {
		if e.Topic == churn.ApprovalRequested {
			requests = append(requests, e)
		}
	}
	slices.SortFunc(requests, inRounds)
	approvals := make([]Approval, len(requests))
	for i, e := range requests {
		approvals[i] = r.approval(e)
	}
	return approvals
}

// approval returns the question that the event asks, with its answer.
func (r *Run) approval(e event.Event) Approval {
	m, _ := e.Data.(*eventv1.ApprovalRequested)
	a := Approval{
		ID: e.ID, Run: r.ID, Model: m.GetModel(), Round: m.GetRound(), Champion: m.GetChampionVersion(),
		RequestedBy: m.GetPlan().GetRequestedBy(), RequestedAt: r.At(e), ExpiresAt: parseTime(m.GetExpiresAt()), Summary: m.GetSummary(),
	}
	a.Answer = cmp.Or(r.accepted(a), r.first(a, m.GetNotByRequester()))
	return a
}

// accepted returns the answer that the run's end names: the one that the gate
// took.
func (r *Run) accepted(a Approval) *Answer {
	promoted := Data[eventv1.ModelPromoted](r, churn.ModelPromoted).GetApproval()
	if promoted.GetApprovalId() == a.ID {
		return answer(promoted, true)
	}
	if rejected := Data[eventv1.ModelRejected](r, churn.ModelRejected).GetApproval(); rejected.GetApprovalId() == a.ID {
		return answer(rejected, false)
	}
	return nil
}

func answer(a *eventv1.Approval, approved bool) *Answer {
	return &Answer{
		Approved: approved, Expired: a.GetExpired(), By: a.GetDecidedBy(), Reason: a.GetReason(), At: parseTime(a.GetDecidedAt()),
	}
}

// first returns the first answer that the gate can take: it takes one, in time,
// and where the policy forbids it not the requester's own.
func (r *Run) first(a Approval, notByRequester bool) *Answer {
	var decisions []event.Event
	for _, e := range r.Events {
		m, ok := e.Data.(*eventv1.ApprovalDecided)
		if ok && m.GetApprovalId() == a.ID && (m.GetExpired() ||
			!a.Lapsed(e.Time) && (!notByRequester || m.GetDecidedBy() != a.RequestedBy)) {
			decisions = append(decisions, e)
		}
	}
	if len(decisions) == 0 {
		return nil
	}
	e := slices.MinFunc(decisions, func(a, b event.Event) int {
		return cmp.Or(r.At(a).Compare(r.At(b)), cmp.Compare(a.ID, b.ID))
	})
	m, _ := e.Data.(*eventv1.ApprovalDecided)
	return &Answer{m.GetApproved(), m.GetExpired(), m.GetDecidedBy(), m.GetReason(), e.Time}
}

// parseTime reads a time of an event's data; the zero time if it is none.
func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
