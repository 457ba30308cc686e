package deadletter

import (
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
)

// Selection says which letters are meant: those that meet all of it. The zero
// Selection is all letters.
type Selection struct {
	IDs     []ID          // one of these, unless there are none
	Service churn.Service // of the service that gave up
	Run     string        // of the run whose id starts with this
	Reason  string        // of the reason whose ID starts with this
}

// Services returns those whose letters can be meant.
func (s Selection) Services() []churn.Service {
	return slices.DeleteFunc(churn.Stages(), func(of churn.Service) bool {
		switch {
		case s.Service != "":
			return s.Service != of
		case len(s.IDs) > 0:
			return !slices.ContainsFunc(s.IDs, func(id ID) bool { return id.Service == of })
		}
		return false
	})
}

// Matches reports whether the letter is meant.
func (s Selection) Matches(l Letter) bool {
	return (len(s.IDs) == 0 || slices.Contains(s.IDs, l.ID)) &&
		(s.Service == "" || s.Service == l.ID.Service) &&
		(s.Run == "" || strings.HasPrefix(l.Run(), s.Run)) &&
		(s.Reason == "" || strings.HasPrefix(ReasonOf(l).ID(), s.Reason))
}
