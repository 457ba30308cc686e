package featurizer

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// track tells the tracking server, and returns its id of the run.
func (f *Featurizer) track(ctx context.Context, e event.Event, plan *eventv1.Plan, s *eventv1.FeatureSet) (string, error) {
	params := map[string]string{
		"model":       plan.GetModel(),
		"dataset_uri": plan.GetDataset().GetUri(), "dataset_sha256": plan.GetDataset().GetSha256(),
		"spec_sha256": plan.GetSpec().GetSha256(), "policy_sha256": plan.GetGate().GetPolicyDocument().GetSha256(),
		"train_rows": strconv.FormatInt(s.GetTrainRows(), 10), "validation_rows": strconv.FormatInt(s.GetValidationRows(), 10),
		"holdout_rows": strconv.FormatInt(s.GetHoldoutRows(), 10),
	}
	addSettings(params, "split_", plan.GetSplit())
	addSettings(params, "training_", plan.GetTraining())
	addSettings(params, "gate_", plan.GetGate())
	return f.tracker.Track(ctx, registry.Run{
		Experiment: plan.GetExperiment(), Run: e.Run(), Started: e.Time,
		Name: plan.GetModel() + " " + e.Run(),
		Tags: map[string]string{
			"git_sha": plan.GetGitSha(), "timestamp": plan.GetRequestedAt(), "requested_by": plan.GetRequestedBy(), "reason": plan.GetReason(),
		},
	}, registry.Entry{
		Stage:  string(churn.Featurizer),
		Params: params,
		Artifacts: map[string]*blob.Artifact{
			churn.FeaturesTable: s.GetTable(), churn.PreprocessorJSON: s.GetPreprocessor(), churn.ProfileJSON: s.GetProfile(),
		},
	})
}

// addSettings adds a message's scalar fields under their names.
func addSettings(params map[string]string, prefix string, m proto.Message) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Kind() == protoreflect.MessageKind {
			continue // its text is another each time
		}
		params[prefix+string(fd.Name())] = fmt.Sprint(r.Get(fd).Interface())
	}
}
