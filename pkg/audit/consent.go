package audit

import "github.com/asfotec/churn/pkg/policy"

// consent says what becomes of a candidate that passes every rule of a policy that
// asks for approval. Whoever was asked in fact would have given the same answer.
func consent(e *judged, asks *policy.Approval) (Verdict, string) {
	requester := e.GetPlan().GetRequestedBy()
	if asks.NotByRequester && requester == "" {
		return Rejected, "every rule passes, and nobody could be asked: the request does not say who made it"
	}
	if e.asked == nil {
		return Waiting, "every rule passes, and nobody has been asked for the approval that the policy wants"
	}
	switch a := e.asked.Answer; {
	case a == nil:
		return Waiting, "every rule passes, and nobody has answered yet"
	case a.Expired || a.At.After(e.asked.RequestedAt.Add(asks.Expires)):
		return Rejected, "every rule passes, and nobody decided in time"
	case asks.NotByRequester && a.By == requester:
		return Waiting, "every rule passes, and who answered is " + requester + ", who asked for the run"
	case !a.Approved:
		return Rejected, "every rule passes, and the promotion was denied by " + a.By
	default:
		return Promoted, "every rule passes, and " + a.By + " agrees"
	}
}
