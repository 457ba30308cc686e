package search_test

import (
	"fmt"
	"testing"

	"github.com/asfotec/churn/pkg/search"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestHalving(t *testing.T) {
	for _, c := range []struct {
		trials, halving int32
		want            string // trials × iterations by rung, of 500 iterations
	}{
		{16, 0, "16×500"},
		{16, 1, "16×500"},
		{16, 4, "16×32 4×125 1×500"},
		{10, 3, "10×19 4×56 2×167 1×500"},
		{2, 2, "2×250 1×500"},
		{1, 2, "1×500"},
	} {
		s, got := &eventv1.Search{Trials: c.trials, Halving: c.halving}, ""
		n := int(c.trials)
		for rung := range search.Rungs(s) {
			if rung > 0 {
				n = search.Survivors(s, n)
				got += " "
			}
			got += fmt.Sprintf("%d×%d", n, search.Iterations(s, 500, rung))
		}
		if got != c.want {
			t.Errorf("%d trials, halving %d: %s, want %s", c.trials, c.halving, got, c.want)
		}
	}
	if got := search.Iterations(&eventv1.Search{Trials: 10_000, Halving: 10}, 1, 0); got != 1 {
		t.Errorf("a trial of one iteration trains %d in its first rung", got)
	}
}
