package deadletter

import (
	"fmt"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Advice says in words what a person can do about the letter.
func (l Letter) Advice() string {
	s := l.ID.Service
	switch {
	case l.LeftOut > 0:
		return fmt.Sprintf("The original has %d bytes; an event has at most %d, and this one fits into no topic from here. "+
			"It cannot be redriven. Have its producer send what it means in a smaller event under a new id (large things belong in artifacts), and drop this one.",
			l.LeftOut, event.MaxSize)
	case l.Undecodable != nil:
		return fmt.Sprintf("It is no event that this version knows. If a newer %s reads it, redrive it once that one runs. "+
			"Otherwise have its producer send it as it should be, under a new id, and drop this one.", s)
	case l.Event.Topic == churn.ApprovalDecided:
		return "An answer that was refused; its run goes on without it. Answer again with `churnctl approve` or `churnctl deny` if the run still waits, and drop this one."
	case ofSearch(l.Event):
		return "A trial of a search, which has gone on without it: the trial counts as failed. Mended or not, its search has its answer; ask anew if you want the trial, and drop this one."
	case l.Kind == churn.NotFound.String():
		return "Something that the event names was not there. Put it there, under the very name in the message, and redrive."
	case l.Kind == churn.Invalid.String():
		return "The message says what is wrong. If it is something that the event names and you have mended it, or the service itself, redrive. " +
			"If it is the event that asks for the wrong thing, ask anew (`churnctl retrain`), and drop this one: an event cannot be changed."
	}
	return fmt.Sprintf("A defect, or a part that answered unexpectedly until the attempts were spent. "+
		"The log of the %s says more about the same run; redrive once it is mended or a newer version runs.", s)
}

// ofSearch reports whether the event is one of a search's trials.
func ofSearch(e event.Event) bool {
	m, ok := e.Data.(*eventv1.FeaturesReady)
	return ok && m.GetTrials() > 1
}
