package stage

import (
	"errors"
	"regexp"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// permanent reports whether trying again cannot help: the event, or what it
// names, is wrong or missing.
func permanent(err error) bool {
	return churn.IsKind(err, churn.Invalid) || churn.IsKind(err, churn.NotFound)
}

// ofParts reports whether a part that every event needs is away or refuses: no
// event is to blame, and the next would fare no better.
func ofParts(err error) bool {
	return churn.IsKind(err, churn.Transient) || churn.IsKind(err, churn.Denied)
}

// foreign is an error of an event that claims to be of a run but is not. It
// makes a dead letter; the run comes to its own end.
type foreign struct{ error }

// Foreign marks an Invalid error as one of an event that is no step of its run:
// the event becomes a dead letter, and the run does not fail.
func Foreign(err error) error { return foreign{err} }

func (f foreign) Unwrap() error { return f.error }

func isForeign(err error) bool { return errors.As(err, new(foreign)) }

// runFailed returns the event that ends the run of e.
func runFailed(s churn.Service, e event.Event, why error, attempts int) event.Event {
	model := modelOf(e)
	key := model
	if key == "" {
		key = e.Run()
	}
	return e.Reply(s, churn.RunFailed, 0, key, &eventv1.RunFailed{
		Model:     model,
		Run:       e.Run(),
		Stage:     string(s),
		Kind:      failureKind(why),
		Operation: churn.OpOf(why),
		Message:   message(why),
		Attempts:  int32(attempts),
	})
}

// failureKind returns what the schema knows: a person must change something, or
// it was tried until attempts ran out.
func failureKind(err error) string {
	if permanent(err) {
		return churn.Invalid.String()
	}
	return churn.Transient.String()
}

var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// modelOf returns the model that the event is about, or "" if it names none
// that can be one.
func modelOf(e event.Event) string {
	model := ""
	switch m := e.Data.(type) {
	case interface{ GetPlan() *eventv1.Plan }:
		model = m.GetPlan().GetModel()
	case interface{ GetModel() string }:
		model = m.GetModel()
	}
	if !modelName.MatchString(model) {
		return ""
	}
	return model
}
