package dataset_test

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/dataset"
)

// The split is part of the contract: another release, machine or language must
// come to the same one.
func TestSplitIsPinned(t *testing.T) {
	for _, test := range []struct {
		salt, key string
		want      dataset.Part
	}{
		{"", "7590-VHVEG", dataset.Train},
		{"", "5575-GNVDE", dataset.Validation},
		{"", "3668-QPYBK", dataset.Train},
		{"", "9305-CDSKC", dataset.Train},
		{"1", "7590-VHVEG", dataset.Train},
		{"1", "5575-GNVDE", dataset.Train},
		{"1", "3668-QPYBK", dataset.Validation},
		{"1", "7795-CFOCW", dataset.Train},
		{"2", "9237-HQITU", dataset.Train},
		{"ü", "日本", dataset.Validation},
		{"ü", "東京", dataset.Train},
		{"", "6388-TABGU", dataset.Validation},
	} {
		s := dataset.Split{Test: 0.2, Validation: 0.15, Salt: test.salt}
		if got := s.Of(test.key); got != test.want {
			t.Errorf("salt %q, key %q: %v, want %v", test.salt, test.key, got, test.want)
		}
	}
}

var keys = rapid.StringN(1, 40, -1)

func drawSplit(t *rapid.T) dataset.Split {
	share := rapid.Float64Range(0.01, 0.99)
	return dataset.Split{Test: share.Draw(t, "test"), Validation: share.Draw(t, "validation"), Salt: rapid.String().Draw(t, "salt")}
}

// A row stays where it is whatever rows there are beside it, and a larger
// hold-out contains a smaller one.
func TestSplitDependsOnKeyAndSaltAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, key := drawSplit(t), keys.Draw(t, "key")
		part := s.Of(key)
		for _, other := range rapid.SliceOf(keys).Draw(t, "others") {
			s.Of(other)
		}
		if again := (dataset.Split{Test: s.Test, Validation: s.Validation, Salt: s.Salt}).Of(key); again != part {
			t.Fatalf("%v and %v", part, again)
		}
		larger := s
		larger.Test += (1 - s.Test) * rapid.Float64Range(0, 0.99).Draw(t, "more")
		if part == dataset.Holdout && larger.Of(key) != dataset.Holdout {
			t.Fatalf("out of the hold-out when it grows from %v to %v", s.Test, larger.Test)
		}
	})
}

// Of n rows a share p has n·p, give or take a few deviations.
func TestSharesConverge(t *testing.T) {
	const n = 50_000
	for _, s := range []dataset.Split{
		{Test: 0.2, Validation: 0.15}, {Test: 0.2, Validation: 0.15, Salt: "another"}, {Test: 0.01, Validation: 0.5, Salt: "x"}, {Test: 0.7, Validation: 0.9},
	} {
		var got [dataset.Parts]float64
		for i := range n {
			got[s.Of("customer "+strconv.Itoa(i))]++
		}
		rest := 1 - s.Test
		for part, p := range [dataset.Parts]float64{
			dataset.Train: rest * (1 - s.Validation), dataset.Validation: rest * s.Validation, dataset.Holdout: s.Test,
		} {
			if deviation := math.Sqrt(n * p * (1 - p)); math.Abs(got[part]-n*p) > 5*deviation {
				t.Errorf("%+v: %v of %d rows are in %v, want about %.0f", s, got[part], n, dataset.Part(part), n*p)
			}
		}
	}
}

// A salt makes another split, not a shifted one: two are independent.
func TestSaltsAreIndependent(t *testing.T) {
	const n = 50_000
	a, b := dataset.Split{Test: 0.5, Validation: 0.5, Salt: "a"}, dataset.Split{Test: 0.5, Validation: 0.5, Salt: "b"}
	both := 0.0
	for i := range n {
		if key := strconv.Itoa(i); a.Of(key) == dataset.Holdout && b.Of(key) == dataset.Holdout {
			both++
		}
	}
	if deviation := math.Sqrt(n * 0.25 * 0.75); math.Abs(both-n/4) > 5*deviation {
		t.Errorf("%v of %d rows are held out by both, want about %d", both, n, n/4)
	}
}
