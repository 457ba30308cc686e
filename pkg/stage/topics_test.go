package stage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/stage"
)

// Topics are made once and kept for ever: a change here is one for every
// installation.
func TestTopicsAreGolden(t *testing.T) {
	var got strings.Builder
	for _, c := range stage.Topics("x.") {
		fmt.Fprintln(&got, c.Name, c.Partitions, c.Retention, c.Compacted, c.MaxBytes)
	}
	const want = `x.retrain-requested 6 0s false 0
x.features-ready 12 0s false 0
x.model-trained 6 0s false 0
x.model-evaluated 6 0s false 0
x.approval-requested 6 0s false 0
x.approval-decided 6 0s false 0
x.rollback-requested 6 0s false 0
x.override-requested 6 0s false 0
x.cancel-requested 6 0s false 0
x.model-promoted 6 0s false 0
x.model-rejected 6 0s false 0
x.run-failed 6 0s false 0
x.model-current 1 0s true 0
x.run-progress 1 24h0m0s false 0
x.retry.featurizer 1 0s false 4194304
x.dlq.featurizer 1 0s false 4194304
x.retry.trainer 1 0s false 4194304
x.dlq.trainer 1 0s false 4194304
x.retry.evaluator 1 0s false 4194304
x.dlq.evaluator 1 0s false 4194304
x.retry.gate 1 0s false 4194304
x.dlq.gate 1 0s false 4194304
x.retry.notifier 1 0s false 4194304
x.dlq.notifier 1 0s false 4194304
`
	if got.String() != want {
		t.Errorf("the topics are\n%s", got.String())
	}
	services := []churn.Service{churn.Featurizer, churn.Trainer, churn.Evaluator, churn.Gate, churn.Notifier}
	if !slices.Equal(stage.Services(), services) {
		t.Errorf("the services are %v", stage.Services())
	}
	if g := stage.Group(churn.Gate, "x."); g != "x.gate" {
		t.Errorf("the group is %s", g)
	}
	for _, c := range stage.Topics("") {
		if c.MaxBytes != 0 && c.MaxBytes < 2*event.MaxSize {
			t.Errorf("%s does not take every event", c.Name)
		}
	}
}
