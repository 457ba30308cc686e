package evaluator

import (
	"fmt"
	"iter"

	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

// overlap returns a warning if the champion, by its own split, may have been
// trained on rows of this hold-out, whose keys are given; else "". A row's part
// follows from its key, so that for each row it can be said what it would have
// been in the champion's run.
func overlap(candidate, champion *feature.Preprocessor, keys iter.Seq2[string, error]) (string, error) {
	if champion.Key != candidate.Key {
		return fmt.Sprintf("The champion's rows were split by %s and not by %s: it may have been trained on rows of this hold-out, which flatters it.",
			champion.Key, candidate.Key), nil
	}
	rows, seen := 0, 0
	for key, err := range keys {
		if err != nil {
			return "", err
		}
		rows++
		if champion.Split.Of(key) != dataset.Holdout {
			seen++
		}
	}
	if seen == 0 {
		return "", nil
	}
	return fmt.Sprintf("By the champion's split (test %v, salt %q) %d of these %d rows are not held out: if its data had them, it was trained or tuned on them, which flatters it.",
		champion.Split.Test, champion.Split.Salt, seen, rows), nil
}
