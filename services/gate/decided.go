package gate

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
	"github.com/asfotec/churn/pkg/stage/fault"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	// answeredJSON is where an approval notes its answer: the first that comes.
	answeredJSON = "answered.json"
	maxAnswered  = 1 << 20 // bytes of it
)

// answered is the answer to an approval's question.
type answered struct {
	Event     string `json:"event"`
	Approved  bool   `json:"approved"`
	Expired   bool   `json:"expired"`
	DecidedBy string `json:"decided_by"`
	Reason    string `json:"reason"`
	DecidedAt string `json:"decided_at"`
}

// plainID is what the gate gives an approval as its id; nothing else is a part of
// a key.
var plainID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// decided takes a person's answer, or the gate's own that nobody has given one. The
// first that is admissible counts; any other is refused as the answer to no
// question, and changes nothing.
func (g *Gate) decided(ctx context.Context, e event.Event, m *eventv1.ApprovalDecided) ([]event.Event, error) {
	q, err := g.question(ctx, e, m)
	if err != nil {
		return nil, err
	}
	a := answered{
		Event: e.ID, Approved: m.GetApproved(), Expired: m.GetExpired(), DecidedBy: m.GetDecidedBy(), Reason: m.GetReason(),
		DecidedAt: e.Time.UTC().Format(time.RFC3339Nano),
	}
	counts, err := g.settle(ctx, e, q, a)
	if err != nil {
		return nil, err
	}
	if counts != a {
		if m.GetExpired() {
			return nil, nil // somebody was in time
		}
		return nil, refused("approval %s of run %s was %s already: an approval is decided once", q.event.ID, q.request.GetRun(), counts)
	}
	fault.Point("gate.settled")
	return g.settled(ctx, e, q, a)
}

// settled returns what follows from the answer that counts, which e has given.
func (g *Gate) settled(ctx context.Context, e event.Event, q *asked, a answered) ([]event.Event, error) {
	evaluation, evaluated, err := g.kept(ctx, q.request.GetRun(), q.request.GetRound())
	if err != nil {
		return nil, confirmed("gate.decided", err)
	}
	out, err := g.conclude(ctx, q.step(), evaluation.ID, evaluated, q.decide(a))
	for i := range out {
		out[i].Causation = e.ID
	}
	return out, err
}

// refused is the error of an answer that is no step of the run: it becomes a dead
// letter, and the run stays as it is.
func refused(format string, args ...any) error {
	return stage.Foreign(churn.Errorf("gate.decided", churn.Invalid, format, args...))
}

// question returns what the answer is to.
func (g *Gate) question(ctx context.Context, e event.Event, m *eventv1.ApprovalDecided) (*asked, error) {
	if e.Correlation != "" && e.Correlation != m.GetRun() {
		return nil, refused("the event is of run %s by its correlationid, and of run %s by its data", e.Correlation, m.GetRun())
	}
	unknown := refused("there is no approval %.200q of run %.200q: `churnctl approvals` lists those that wait", m.GetApprovalId(), m.GetRun())
	if !plainID.MatchString(m.GetApprovalId()) {
		return nil, unknown
	}
	q, err := g.asked(ctx, m.GetRun(), m.GetApprovalId())
	switch {
	case churn.IsKind(err, churn.NotFound):
		return nil, unknown
	case err != nil:
		return nil, err
	case q.request.GetModel() != m.GetModel():
		return nil, refused("approval %s is about model %s, not %s", q.event.ID, q.request.GetModel(), m.GetModel())
	}
	return q, nil
}

// settle notes the answer unless there is one, and returns the one that counts.
func (g *Gate) settle(ctx context.Context, e event.Event, q *asked, a answered) (answered, error) {
	known, err := g.answered(ctx, q.request.GetRun(), q.event.ID)
	if !churn.IsKind(err, churn.NotFound) {
		return known, err
	}
	if err := q.admit(e, a); err != nil {
		return answered{}, err
	}
	return g.answerWith(ctx, q, a)
}

// answerWith notes the answer unless another was first, and returns the one that
// counts.
func (g *Gate) answerWith(ctx context.Context, q *asked, a answered) (answered, error) {
	err := g.putJSON(ctx, approvalKey(q.request.GetRun(), q.event.ID, answeredJSON), a)
	if churn.IsKind(err, churn.Conflict) {
		return g.answered(ctx, q.request.GetRun(), q.event.ID)
	}
	return a, err
}

// answered returns the answer that counts, or NotFound.
func (g *Gate) answered(ctx context.Context, run, id string) (a answered, err error) {
	err = g.readJSON(ctx, approvalKey(run, id, answeredJSON), maxAnswered, &a)
	return a, err
}

// skew is how far the clocks of two gates may be apart.
const skew = time.Minute

// admit refuses an answer that comes too late or from whom it may not.
func (q *asked) admit(e event.Event, a answered) error {
	id, expires := q.event.ID, q.expires()
	switch {
	case a.Expired && (e.ID != q.lapse().ID || !e.Time.Equal(expires)):
		return refused("that approval %s has lapsed is for the gate to say", id)
	case a.Expired && time.Until(expires) > skew:
		return refused("approval %s has not lapsed: it is open until %s", id, q.request.GetExpiresAt())
	case a.Expired:
		return nil
	case !e.Time.Before(expires):
		return refused("the answer of %s is too late: approval %s lapsed at %s", e.Time.UTC().Format(time.RFC3339), id, q.request.GetExpiresAt())
	case q.request.GetNotByRequester() && a.DecidedBy == q.request.GetPlan().GetRequestedBy():
		return refused("%.200s has asked for run %s and may not decide on it: the policy wants somebody else", a.DecidedBy, q.request.GetRun())
	}
	return nil
}

// expires returns when the question lapses.
func (q *asked) expires() time.Time {
	t, err := time.Parse(time.RFC3339, q.request.GetExpiresAt())
	if err != nil {
		return time.Time{} // never: the gate has written it
	}
	return t.UTC()
}

// step returns what the run's next event follows from, whatever the answer's
// envelope says: the run's events have one time and one trace. It has the id of the
// approval, of which there is one answer: whoever answers may use an id twice.
func (q *asked) step() event.Event {
	step := q.event
	step.Sequence++
	return step
}

// decide returns the decision that the answer makes of the question.
func (q *asked) decide(a answered) *decision {
	d := &decision{Document: q.Decision, rules: q.request.GetRules()}
	d.Approval = &Approval{q.event.ID, q.request.GetExpiresAt(), a.Approved, a.Expired, a.DecidedBy, a.Reason, a.DecidedAt}
	if a.Approved {
		d.Reason = "every rule passed, and the promotion was " + a.String()
		return d
	}
	d.Outcome, d.Reason = Rejected, "every rule passed, and the promotion was "+a.String()
	if a.Expired {
		d.Reason = fmt.Sprintf("every rule passed, and nobody decided in time: the approval lapsed at %s", q.request.GetExpiresAt())
	}
	return d
}

// String says who decided what, and why.
func (a answered) String() string {
	verdict := "denied"
	switch {
	case a.Expired:
		return "lapsed"
	case a.Approved:
		verdict = "approved"
	}
	text := fmt.Sprintf("%s by %s", verdict, a.DecidedBy)
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return text
}
