package evaluator

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/soak"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// A stranger who may write events and objects names an artifact of his own, with
// its right digest: the evaluator refuses it, or comes to an evaluation that holds
// together. Nothing of it may end the process, whose work is done by goroutines.
func FuzzArtifacts(f *testing.F) {
	n := 0
	some := prepare(f, telcoSpec(f).Split, func(*dataset.Row) bool { n++; return n%20 == 0 })
	model := train(f, some, params(4), dataset.Validation)
	sound := newSetting()
	_, m := sound.event(f, "request", some, model)
	for i, a := range artifactsOf(m) {
		if *a == nil { // the contributions, without which it works as well
			f.Add(uint8(i), []byte(`{"version": 1, "features": [{"feature": "tenure", "mean": -1, "mean_abs": 1, "points": [{"value": 1, "contribution": 2}]}]}`))
			continue
		}
		body, err := sound.store.Get(f.Context(), *a, feature.MaxTable)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body)
		f.Add(uint8(i), body[:len(body)/2])
	}
	soak.Fuzz(f, func(t *testing.T, which uint8, body []byte) {
		s := newSetting()
		s.config.Replicates = minReplicates
		e, m := s.event(t, "request", some, model)
		named := artifactsOf(m)
		a := named[int(which)%len(named)]
		*a = s.put(t, "strangers/object", body)
		if a == &m.Candidate.Model {
			if trees, err := lightgbm.TreesSHA256(body); err == nil {
				m.Candidate.TreesSha256 = trees
			}
		}
		out, err := s.Handle(t.Context(), e)
		if err != nil {
			if !churn.IsKind(err, churn.Invalid) {
				t.Errorf("kind %v: %v", churn.KindOf(err), err)
			}
			return
		}
		for _, answer := range out {
			if err := event.Validate(answer); err != nil {
				t.Error(err)
			}
			if _, err := proto.Marshal(answer.Data); err != nil {
				t.Error(err)
			}
		}
	})
}

// artifactsOf returns where the message names what the evaluator reads.
func artifactsOf(m *eventv1.ModelTrained) []**blob.Artifact {
	return []**blob.Artifact{
		&m.Candidate.Model, &m.Candidate.ReferenceScores, &m.Candidate.ImportancesPlot, &m.Candidate.Contributions,
		&m.Features.Table, &m.Features.Preprocessor, &m.Features.Profile, &m.Plan.Spec,
	}
}
