package fold_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/soak"
)

// Whatever events are on the log, they can be folded, and come to the same in
// whatever order they are read.
func FuzzRuns(f *testing.F) {
	var all []event.Event
	for _, r := range aWorld().log {
		r.event.Source = "/test"
		all = append(all, r.event)
	}
	for _, some := range [][]event.Event{all, all[:5], all[len(all)-5:]} {
		batch, err := event.EncodeBatch(some)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(batch)
	}
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		events, err := event.DecodeBatch(text)
		if err != nil {
			return
		}
		in := func(order []int) string {
			runs := fold.Runs{}
			for _, i := range order {
				runs.AddAt(events[i], time.Unix(int64(i), 0))
			}
			return told(runs)
		}
		order := make([]int, len(events))
		for i := range order {
			order[i] = i
		}
		forth := in(order)
		slices.Reverse(order)
		if back := in(order); back != forth {
			t.Errorf("forwards\n%s\nbackwards\n%s", forth, back)
		}
	})
}

// told is everything that is said of runs.
func told(runs fold.Runs) (text string) {
	for _, r := range runs.Sorted() {
		winner, won := r.Winner()
		text += fmt.Sprintf("%q %q %s %d %v %d %v %v\n", r.ID, r.Kind(), r.Status(), r.Version(), r.Metrics(), winner, won, r.Approvals())
		for _, e := range r.Timeline() {
			text += fmt.Sprintf("  %q %q\n", e.Type, e.ID)
		}
		for _, trial := range r.Trials() {
			text += fmt.Sprintf("  %v %v\n", trial.Number, trial.Score())
		}
	}
	for _, c := range runs.Chains() {
		text += fmt.Sprintf("%v\n", c)
	}
	return text + fmt.Sprintf("%v\n", runs.Pending())
}
