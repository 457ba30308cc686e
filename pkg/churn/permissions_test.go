package churn_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	for s, want := range map[churn.Service]churn.Permissions{
		churn.Trainer: {
			Topics: []churn.TopicAccess{
				{Topic: "features-ready", Read: true}, {Topic: "model-trained", Write: true},
				{Topic: "run-failed", Write: true}, {Topic: "run-progress", Write: true},
				{Topic: "retry.trainer", Read: true, Write: true}, {Topic: "dlq.trainer", Write: true},
			},
			Group: "trainer",
			Objects: []churn.ObjectAccess{
				{Keys: "runs/<run>/featurizer/*"}, {Keys: "runs/<run>/gate/cancelled.json"}, {Keys: "runs/<run>/trainer/*", Write: true},
				{Keys: "tracking/*/trainer.json", Write: true}, {Keys: "tracking/*/trainer-*.json", Write: true},
				{Keys: "tracking/*/mlflow/*", Write: true}, {Keys: "doctor/conditional-write", Write: true},
			},
		},
		churn.Notifier: {
			Topics: []churn.TopicAccess{
				{Topic: "approval-requested", Read: true}, {Topic: "approval-decided", Read: true}, {Topic: "model-promoted", Read: true},
				{Topic: "model-rejected", Read: true}, {Topic: "run-failed", Read: true},
				{Topic: "retry.notifier", Read: true, Write: true}, {Topic: "dlq.notifier", Write: true},
			},
			Group:   "notifier",
			Objects: []churn.ObjectAccess{{Keys: "runs/<run>/notifier/*", Write: true}, {Keys: "doctor/conditional-write", Write: true}},
		},
		churn.ModelService: {
			Topics:  []churn.TopicAccess{{Topic: "model-promoted", Read: true}, {Topic: "model-current", Read: true}},
			Objects: []churn.ObjectAccess{{Keys: "runs/<run>/featurizer/preprocessor.json"}, {Keys: "runs/<run>/trainer/*model.txt"}},
		},
		"stranger": {},
	} {
		got := s.Permissions()
		if !slices.Equal(got.Topics, want.Topics) || got.Group != want.Group || !slices.Equal(got.Objects, want.Objects) {
			t.Errorf("%s: %+v", s, got)
		}
	}
}

// What a service writes no other does, but for what is listed here.
func TestWhatMoreThanOneWrites(t *testing.T) {
	t.Parallel()
	ofRuns := []churn.Service{churn.Featurizer, churn.Trainer, churn.Evaluator, churn.Gate}
	want := map[string][]churn.Service{
		"features-ready":      {churn.Featurizer, churn.Evaluator}, // which sends the best trials to the next rung
		"model-trained":       {churn.Trainer, churn.Gate},         // which sends it back
		"approval-decided":    {churn.Gate, churn.Client},          // that nobody decided in time
		"run-failed":          ofRuns,
		"run-progress":        ofRuns,
		"specs/*":             {churn.Featurizer, churn.Client},
		"policies/*":          {churn.Featurizer, churn.Client},
		"tracking/*/mlflow/*": ofRuns,
		churn.ProbeKey:        append(churn.Stages(), churn.Client),
	}
	for _, s := range churn.Stages() {
		want[string(s.RetryTopic())] = []churn.Service{s, churn.Client} // which has dead letters tried anew
	}
	writers := map[string][]churn.Service{}
	for _, s := range churn.Users() {
		for _, a := range s.Permissions().Topics {
			if a.Write {
				writers[string(a.Topic)] = append(writers[string(a.Topic)], s)
			}
		}
		for _, a := range s.Permissions().Objects {
			if a.Write {
				writers[a.Keys] = append(writers[a.Keys], s)
			}
		}
	}
	maps.DeleteFunc(writers, func(_ string, by []churn.Service) bool { return len(by) == 1 })
	if !maps.EqualFunc(writers, want, slices.Equal) {
		t.Errorf("written by more than one: %v", writers)
	}
}
